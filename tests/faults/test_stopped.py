"""Stopped by hand or by the system: at once, in one line, ready to go on."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import COUNT, Many
from tests.faults.runs import Run, assert_same, clips, finish, wait_for

Start = Callable[..., Run]
LISTENS_TO_SIGTERM = 1 << (signal.SIGTERM - 1)

# When to stop it: clips made so far, and seconds after that.
MOMENTS = [(None, 0.3), (None, 1.0), (0, 0.0), (3, 0.0), (COUNT // 2, 0.02), (COUNT, 0.1)]


def listens(run: Run) -> bool:
    """Whether the program has begun: before it, Python itself answers a signal."""
    status = Path(f"/proc/{run.process.pid}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & LISTENS_TO_SIGTERM)


def wait_for_moment(run: Run, output: Path, made: int | None, seconds: float) -> None:
    wait_for(lambda: listens(run))
    if made is not None:
        wait_for(lambda: (output / "_state").exists())
        wait_for(lambda: len(clips(output)) >= made)
    time.sleep(seconds)


@pytest.mark.parametrize(
    ("number", "status", "made", "seconds"),
    [
        *[(signal.SIGINT, 130, *moment) for moment in MOMENTS],
        *[(signal.SIGTERM, 143, *moment) for moment in MOMENTS[1::2]],
    ],
)
def test_a_signal_ends_the_run_in_one_line_and_the_next_goes_on_from_there(
    many: Many, tmp_path: Path, start: Start, number: signal.Signals, status: int,
    made: int | None, seconds: float,
) -> None:  # fmt: skip
    output = tmp_path / "output"
    run = start(many.flags(output), anew=made is None)  # while it imports Beam
    wait_for_moment(run, output, made, seconds)
    run.signal(number)
    ended = run.finished(within=10)
    assert ended.status == status
    (line,) = ended.err.split("\n")[1:-1]
    assert "stopped" in line
    assert ended.out == ""
    if made is None and not output.exists():
        return  # it had not begun: for the next one nothing has been
    before = clips(output)
    assert len(before) >= (made or 0)
    assert finish(many.flags(output), tmp_path).status == 0
    assert before.items() <= clips(output).items()
    assert_same(output, many.undisturbed)


def test_ctrl_c_pressed_again_and_again_is_no_other_than_once(
    many: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    run = start(many.flags(output))
    wait_for_moment(run, output, COUNT // 4, 0)
    for _ in range(20):
        run.signal(signal.SIGINT)
    ended = run.finished(within=10)
    assert ended.status == 130
    assert "Traceback" not in ended.err
    assert finish(many.flags(output), tmp_path).status == 0
    assert_same(output, many.undisturbed)


def test_a_parent_that_is_killed_alone_leaves_no_child_behind(
    many: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    run = start(many.flags(output))
    wait_for_moment(run, output, COUNT // 4, 0)
    assert len(run.members()) > 2
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not run.members(), 30)
    assert finish(many.flags(output), tmp_path).status == 0
    assert_same(output, many.undisturbed)
