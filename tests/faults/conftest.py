"""What the faults happen to: many small clips, and one run that nothing disturbed."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import Run, clips, finish, flags, result, wait_for
from tests.kinetics import Kinetics
from tests.make_clips import Sound, clip

if not sys.platform.startswith("linux"):
    collect_ignore_glob = ["test_*.py"]

COUNT = 24
LABELS = ("air drumming", "zumba")


@dataclass(frozen=True)
class Many:
    """A data set of ``COUNT`` clips, flags that make them slow enough, and what comes of it.

    ``finished`` is that output; copy it before anything else.
    """

    kinetics: Kinetics
    work: tuple[str, ...]
    finished: Path
    undisturbed: dict[str, Any]

    def flags(self, output: Path, *more: str) -> list[str]:
        return flags(self.kinetics, output, *self.work, *more)


def add_clips(made: Kinetics, count: int, content: bytes) -> None:
    """Annotate so many clips, spread over the splits and two labels."""
    for number in range(count):
        split = ("train", "train", "val", "test")[number % 4]
        label = None if split == "test" else LABELS[number % 3 % 2]
        clip_id = f"{chr(ord('a') + number % 26)}Clip{number:03d}__{number:06d}_{number + 10:06d}"
        made.add(clip_id, split, label, content)


def make_many(folder: Path) -> Many:
    """Clips of some hundredths of a second of work each, one that is missing and one broken."""
    made = Kinetics(folder / "many")
    add_clips(made, COUNT, clip(size=(128, 96), frames=15, sounds=[Sound(seconds=0.6)]))
    made.add("missing____000001_000011", "val", "zumba")
    made.add("broken_____000001_000011", "train", "zumba", b"broken")
    made.write()
    work = ("--short_edge", "64", "--preset", "slower")
    output = folder / "undisturbed"
    ended = finish(flags(made, output, *work), folder)
    assert ended.status == 0, ended.err
    return Many(made, work, output, result(output))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Many:
    return make_many(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="session")
def killed(many: Many, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that was killed half-way; copy it before anything else."""
    output = tmp_path_factory.mktemp("killed") / "output"
    with Run(many.flags(output), output.parent) as run:
        wait_for(lambda: len(clips(output)) >= COUNT // 2 or run.is_over())
        run.kill()
    assert COUNT // 2 <= len(clips(output)) < COUNT
    return output


@pytest.fixture(scope="session")
def small_clip() -> bytes:
    return clip(size=(64, 48), frames=10, sounds=[Sound(seconds=0.4)])


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory, small_clip: bytes) -> Kinetics:
    """Six clips that take no time."""
    made = Kinetics(tmp_path_factory.mktemp("six"))
    add_clips(made, 6, small_clip)
    return made.write()


@pytest.fixture(scope="session")
def finished_six(six: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run over the six that has finished; copy it before anything else."""
    output = tmp_path_factory.mktemp("finished") / "output"
    ended = finish(flags(six, output), output.parent)
    assert (ended.status, ended.err) == (0, "")
    return output


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Starts commands that are gone after the test, however that ends."""
    started: list[Run] = []

    def start_one(arguments: list[str], **how: Any) -> Run:
        started.append(Run(arguments, tmp_path, **how))
        return started[-1]

    yield start_one
    for run in started:
        run.signal(signal.SIGCONT)
        run.__exit__()


@pytest.fixture
def nobody() -> list[str]:
    """What to put before a command so that it may not do everything."""
    if os.geteuid():
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that everybody may enter; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
