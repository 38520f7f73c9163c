"""Every reader finds every frame, at its time; what a reader cannot do is named here."""

from collections.abc import Callable

import pytest

from tests.readers.conftest import Readings
from tests.readers.judge import TIME, Faults
from tests.readers.read import READERS

OUTPUTS = ("real", "real at 30", "made", "made at 30")

LATE = {"room_1920x1080", "screencast_1920x1080"}
"""Real clips whose first frame is not at 0. Times are variable in ``corrupted_1280x720``,
``no_duration_vp9`` and the two made clips of ``VARIABLE``."""

KNOWN = {
    # A late first frame: it takes clips to begin at 0 and to end after their duration, and seeks
    # an index at index / rate. So it does where times are variable, with the wrong rate.
    ("real", "torchcodec approximate"): {
        "room_1920x1080": "2", "screencast_1920x1080": "40", "corrupted_1280x720": "0, fps",
    },
    ("real", "torchcodec approximate, by index"): {
        "room_1920x1080": "25", "screencast_1920x1080": "26",
        "corrupted_1280x720": "18, fps", "no_duration_vp9": "6",
    },
    ("made", "torchcodec approximate"): {"pauses": "9, fps", "slows_down": "5, fps"},
    ("made", "torchcodec approximate, by index"): {"pauses": "7, fps", "slows_down": "7, fps"},
    # At variable times FFmpeg 5.1 takes every frame to be shown for one average frame of the
    # header, if there are B-frames. So a time finds a neighbour; an index finds the right frame.
    ("made", "torchcodec exact"): {"pauses": "9, fps, duration", "slows_down": "5"},
    ("made", "torchcodec exact, by index"): {"pauses": "0, fps, duration"},
    # It takes the first frame to be at 0.
    ("real", "decord"): {"room_1920x1080": "103", "screencast_1920x1080": "261"},
    # It takes the start off the duration, and so loses the last frames.
    ("real", "PyTorchVideo"): {
        "room_1920x1080": "2, frames, duration", "screencast_1920x1080": "39, frames, duration",
    },
}  # fmt: skip
"""By output and reader: the number of wrong frames of a clip, and what else is wrong.

Where clips are prepared with ``--fps 30``, nothing is."""

Found = Callable[[str, str], dict[str, Faults]]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("reader", READERS)
def test_frames_rate_duration_and_times_are_right(found: Found, reader: str, output: str) -> None:
    wrong = {name: str(faults) for name, faults in found(reader, output).items()}
    assert wrong == KNOWN.get((output, reader), {})


def test_decord_counts_from_the_first_frame(readings: Callable[[str], Readings]) -> None:
    """A known limit: its times begin at 0, so those of a late first frame are off by ``start``."""
    said = readings("decord")
    if "real" not in said:
        pytest.skip("no real clips beside the project")
    late = [(made, says) for made, says in said["real"] if made.is_late]
    assert {made.name for made, _ in late} == LATE
    for made, says in late:
        shifted = [time + made.row["start"] for time in says["times"]]
        assert shifted == pytest.approx(made.times, abs=TIME)
