"""The clips that are read: which sources, what the program makes of them, what readers say."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.codec import times_of
from tests.kinetics import ROOT, Row, manifest
from tests.make_clips import clip, ffmpeg
from tests.readers.read import READERS, Reading

PYTHON = ROOT / ".venv-readers" / "bin" / "python"
SET_UP = PYTHON.parents[1] / ".setup"

TIMEOUT = 600
"""Seconds after which a reader of some dozens of clips hangs."""

RATES = {
    "rate_23976": Fraction(24000, 1001), "rate_24": Fraction(24), "rate_25": Fraction(25),
    "rate_2997": Fraction(30000, 1001), "rate_30": Fraction(30), "rate_50": Fraction(50),
    "rate_5994": Fraction(60000, 1001), "rate_120": Fraction(120), "time_lapse": Fraction(1, 2),
}  # fmt: skip
"""Clips of a constant rate, in frames a second."""

FRAMES = 40
LAPSE_FRAMES = 10

VARIABLE = {
    "pauses": [0, 1, 2, 3, 15, 16, 17, 18, 30, 31, 32, 33],
    "slows_down": [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 17, 20, 23, 26],
}
"""Clips of variable frame times, in twenty-fifths of a second."""

KINDS = ("constant rate", "variable frame times", "late first frame")


def make_sources(folder: Path) -> Path:
    """Write the clips of ``RATES`` and ``VARIABLE``."""
    for name, rate in RATES.items():
        frames = LAPSE_FRAMES if rate < 1 else FRAMES
        drawn = ("-f", "lavfi", "-i", f"testsrc2=s=128x96:r={rate}", "-frames:v", str(frames))
        ffmpeg(*drawn, "-pix_fmt", "yuv420p", "-preset", "ultrafast", str(folder / f"{name}.mp4"))
    for name, times in VARIABLE.items():
        source = clip(size=(128, 96), frames=len(times), times=times, tick=Fraction(1, 25))
        (folder / f"{name}.mp4").write_bytes(source)
    return folder


@dataclass(frozen=True)
class Made:
    """A clip that the program has made, and its row in the manifest."""

    path: Path
    row: Row

    @property
    def name(self) -> str:
        return self.row["clip_id"]

    @cached_property
    def times(self) -> list[float]:
        """When each frame begins, in seconds, as the file says."""
        return [float(time) for time in times_of(self.path.read_bytes())]

    @cached_property
    def end(self) -> float:
        """When the last frame ends, in seconds, as the manifest says."""
        return self.times[0] + self.row["duration"]

    @property
    def middles(self) -> list[float]:
        """For each frame the middle of the time for which it is shown."""
        ends = [*self.times[1:], self.end]
        return [(begin + end) / 2 for begin, end in zip(self.times, ends, strict=True)]

    @property
    def is_constant(self) -> bool:
        """Whether all frames are shown for the same time, to the tick of a millisecond clock."""
        lengths = [end - begin for begin, end in zip(self.times, self.times[1:], strict=False)]
        return max(lengths) - min(lengths) < 0.0015

    @property
    def is_late(self) -> bool:
        """Whether the first frame is not shown at 0."""
        return self.times[0] > 0

    @property
    def kind(self) -> str:
        """One of ``KINDS``."""
        if self.is_late:
            return "late first frame"
        return "constant rate" if self.is_constant else "variable frame times"


def made_clips(output: Path) -> list[Made]:
    """The clips of an output that was made without annotations."""
    return [Made(output / row["path"], row) for row in manifest(output, "all") if row["path"]]


def ask(reader: str, request: Any) -> Any:
    """What ``read.py`` answers, from the readers' environment."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "asked"), Path(folder, "answered")
        asked.write_text(json.dumps(request))
        script = ROOT / "tests" / "readers" / "read.py"
        ended = subprocess.run(
            [str(PYTHON), str(script), reader, str(asked), str(answered)],
            capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        assert ended.returncode == 0, f"{reader} ends with\n{ended.stderr[-4000:]}"
        return json.loads(answered.read_text())


def read(reader: str, clips: Sequence[Made]) -> list[Reading]:
    """What one of ``READERS`` says of each clip."""
    assert reader in READERS
    return ask(reader, [{"path": str(made.path), "middles": made.middles} for made in clips])
