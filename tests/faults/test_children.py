"""What goes wrong around a clip, not in it: killed, hung and starved processes, and Ctrl-C."""

import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beam_pipeline.cli import INTERRUPTED
from tests.conftest import small_clip
from tests.kinetics import ROOT, Kinetics, all_rows, check_output, command
from tests.make_clips import with_ffmpeg
from tests.terminal import Screen

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks at processes through /proc"
)

OVER_64_MB = b"\0" * 65 * 1024**2
"""What makes a clip one that a child opens itself, which shows that it is at it."""

TIMEOUT = 15
"""Seconds a clip may take: longer than it takes to find the three children at work."""

STACK = 128 * 1024
"""Bytes that a child without memory may still map."""


@pytest.fixture(scope="module")
def long_and_short(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """Three clips that keep a child busy for minutes, and three that do not."""
    made = Kinetics(tmp_path_factory.mktemp("long_and_short"))
    second = small_clip(size=(320, 240), frames=25)
    long_clip = with_ffmpeg(
        second, "-c", "copy", "-f", "matroska", "-", before=("-stream_loop", "200")
    )
    for letter in "abc":
        long = long_clip + OVER_64_MB
        made.add(f"{letter}Long_000001_000011", "train", "zumba", long, suffix=".mkv")
    for letter in "def":
        made.add(f"{letter}Short_000001_000011", "val", "zumba", one_clip)
    return made.write()


@pytest.fixture
def started(long_and_short: Kinetics, tmp_path: Path) -> Iterator["Started"]:
    """The command at work on the long clips; it is gone after the test, however that ends."""
    run = Started(long_and_short, tmp_path)
    yield run
    for pid in run.processes():
        os.kill(pid, signal.SIGKILL)
    run.close()


class Started:
    """A command in a session and on a terminal of its own."""

    def __init__(self, kinetics: Kinetics, folder: Path) -> None:
        self.output = folder / "output"
        self._terminal, theirs = pty.openpty()
        self._out = (folder / "out").open("w+")
        self.process = subprocess.Popen(
            command(
                "--annotations", str(kinetics.annotations), "--videos", str(kinetics.videos),
                "--output", str(self.output), "--short_edge", "200", "--workers", "3",
                "--preset", "placebo", "--crf", "1", "--clip_timeout", str(TIMEOUT),
                "--max_failure_ratio", "1",
            ),
            cwd=ROOT, stdout=self._out, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._shown = b""

    def processes(self) -> list[int]:
        """All processes of the session, none that is dead."""
        return [
            pid for pid, stat in _stats() if stat[3] == str(self.process.pid) and stat[0] != "Z"
        ]

    def children_at_long_clips(self) -> list[int]:
        """The children that hold the codecs, once all three are at a long clip."""
        children = [
            pid for pid in self.processes() if any("Long_" in path for path in _open_files(pid))
        ]
        return children if len(children) == 3 else []

    def shown(self) -> str:
        """What the terminal has shown so far."""
        os.set_blocking(self._terminal, False)
        while True:
            try:
                read = os.read(self._terminal, 65536)
            except OSError:  # nothing more, or nobody on the other side
                return self._shown.decode()
            self._shown += read

    def ended(self) -> int:
        """Wait for its end, reading on, for a full terminal would stop it; its status."""
        wait_for(lambda: (self.shown() is None) or self.process.poll() is not None)
        return self.process.wait()

    def close(self) -> None:
        self.process.wait()
        os.close(self._terminal)
        self._out.close()


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Of every process its id and the fields of /proc/PID/stat from the state on."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue


def _open_files(pid: int) -> list[str]:
    try:
        return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _leave_no_memory(pid: int) -> None:
    """Let no frame be allocated any more; the stack may still grow, else it ends by SIGSEGV."""
    mapped = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (mapped + STACK, mapped + STACK))


def wait_for(happens: Callable[[], object], seconds: float = 120) -> None:
    """Wait until something is so; fail where it does not come to that."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_child_killed_hung_or_out_of_memory_costs_its_clip_alone(
    started: Started, long_and_short: Kinetics
) -> None:
    wait_for(lambda: started.shown() and started.children_at_long_clips())
    killed, hung, starved = started.children_at_long_clips()
    os.kill(killed, signal.SIGKILL)
    os.kill(hung, signal.SIGSTOP)
    _leave_no_memory(starved)
    assert started.ended() == 0
    check_output(started.output, long_and_short.clip_ids(), short_edge=200)
    rows = all_rows(started.output)
    failed = {row["reason"]: row for row in rows.values() if row["split"] == "train"}
    assert "SIGKILL" in failed.pop("crashed")["detail"]
    assert f"{TIMEOUT} s" in failed.pop("timeout")["detail"]
    assert list(failed) == ["too_large"]
    short = [row for row in rows.values() if row["split"] == "val"]
    assert [row for row in short if row["status"] != "resized"] == []
    wait_for(lambda: not started.processes(), seconds=10)  # the tracker of Python's ends after it


def test_ctrl_c_on_a_terminal_that_shows_progress_ends_with_130_and_leaves_no_process(
    started: Started,
) -> None:
    wait_for(lambda: "/6" in started.shown() and started.children_at_long_clips())
    assert "clips/s" in started.shown()
    assert "0 failed" in started.shown()
    os.killpg(started.process.pid, signal.SIGINT)
    assert started.ended() == 130
    wait_for(lambda: not started.processes(), seconds=10)
    assert "Traceback" not in started.shown()
    screen = Screen(started.shown().encode())
    assert screen.lines == [f"beam_pipeline: {INTERRUPTED}", ""]
    assert screen.has_cursor
    assert not (started.output / "summary.json").exists()
    assert not (started.output / "train.csv").exists()
