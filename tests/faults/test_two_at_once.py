"""Several runs in one output: none spoils what another does."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import ReadEach, read_rows
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.row_log import RowLog
from tests.faults.conftest import Many
from tests.faults.runs import Run, assert_same, clips, files, finish, flags, locks, result, wait_for
from tests.kinetics import Kinetics, configured

Start = Callable[..., Run]


@pytest.mark.parametrize("seconds", [0, 0.7, 2])
def test_two_runs_at_once_both_end_well_with_the_result_of_one(
    many: Many, tmp_path: Path, start: Start, seconds: float
) -> None:
    output = tmp_path / "output"
    first = start(many.flags(output))
    time.sleep(seconds)
    second = start(many.flags(output))
    for run in (first, second):
        ended = run.finished()
        assert ended.status == 0, ended.err
        assert ended.err == ""
    assert_same(output, many.undisturbed)


def test_runs_that_begin_while_others_end_all_end_well(
    six: Kinetics, finished_six: Path, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    runs = []
    for _ in range(8):
        runs.append(start(flags(six, output)))
        time.sleep(0.7)
    ended = [run.finished() for run in runs]
    assert [(run.status, run.err) for run in ended] == [(0, "")] * len(runs)
    assert_same(output, result(finished_six))


def test_many_runs_that_begin_at_one_moment_all_end_well(
    six: Kinetics, finished_six: Path, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    runs = [start(flags(six, output)) for _ in range(6)]
    ended = [run.finished() for run in runs]
    assert [(run.status, run.err) for run in ended] == [(0, "")] * len(runs)
    assert_same(output, result(finished_six))


@pytest.mark.parametrize("victim", ["first", "second"])
def test_a_run_that_is_killed_does_not_disturb_the_other(
    many: Many, tmp_path: Path, start: Start, victim: str
) -> None:
    output = tmp_path / "output"
    first = start(many.flags(output))
    second = start(many.flags(output))
    killed, other = (first, second) if victim == "first" else (second, first)
    wait_for(lambda: len(clips(output)) >= 10 or killed.is_over())
    killed.kill()
    ended = other.finished()
    assert (ended.status, ended.err) == (0, "")
    assert_same(output, many.undisturbed)


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_a_run_that_sleeps_while_the_other_ends_goes_on_when_it_wakes(
    many: Many, tmp_path: Path, start: Start, seconds: float
) -> None:
    """A laptop's lid: what the sleeping run has seen of the other's state is gone by then."""
    output = tmp_path / "output"
    first = start(many.flags(output))
    wait_for(lambda: len(clips(output)) >= 5 or first.is_over())
    first.signal(signal.SIGSTOP)
    second = start(many.flags(output))
    wait_for(lambda: len(locks(output)) == 2)
    time.sleep(seconds)
    second.signal(signal.SIGSTOP)
    first.signal(signal.SIGCONT)
    assert first.finished().status == 0
    second.signal(signal.SIGCONT)
    ended = second.finished()
    assert ended.status == 0, ended.err
    assert_same(output, many.undisturbed)


def test_what_a_run_left_that_was_killed_as_it_began_goes_with_the_next(
    six: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    (output / "_state" / f"{'0' * 32}.new" / "tmp").mkdir(parents=True)
    assert finish(flags(six, output), tmp_path).status == 0
    assert not (output / "_state").exists()


def test_rows_that_another_run_takes_away_before_they_are_read_are_in_its_manifest(
    six: Kinetics, finished_six: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(finished_six, tmp_path / "output"))
    first, second = (configured(*flags(six, output)) for _ in range(2))
    (row, *_) = read_rows(str(output / "manifest" / "train.parquet"), first)
    (output / "manifest").rename(tmp_path / "manifest")
    list(prepare_output(first))
    log = RowLog(first.output)
    log.add(row)
    (seen,) = prepare_output(second)
    assert seen.endswith(".jsonl")
    (tmp_path / "manifest").rename(output / "manifest")
    remove_state(first.output)
    read = ReadEach(second)
    read.start_bundle()
    assert row in list(read.process(seen))
    assert list(read.process(seen)) == []  # once is enough
    remove_state(second.output)


def test_other_settings_are_refused_while_a_run_is_under_way(
    many: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    first = start(many.flags(output))
    wait_for(lambda: len(clips(output)) >= 1)
    other = finish(many.flags(output, "--crf", "40"), tmp_path)
    assert other.status == 1
    assert "--crf 23 (now 40)" in other.complaint
    assert first.finished().status == 0
    assert_same(output, many.undisturbed)


def test_overwrite_while_a_run_is_under_way_ends_in_a_right_result(
    many: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    first = start(many.flags(output))
    wait_for(lambda: len(clips(output)) >= 5)
    second = start(many.flags(output, "--overwrite", "true"))
    for run in (first, second):
        ended = run.finished()
        assert "Traceback" not in ended.err
        assert ended.status in (0, 1)
        assert ended.status == 0 or "--overwrite" in ended.complaint
    assert ended.status == 0, ended.err
    assert finish(many.flags(output), tmp_path).status == 0
    assert_same(output, many.undisturbed)


# A finished output


def test_a_run_on_a_finished_output_writes_nothing_and_says_so(
    six: Kinetics, finished_six: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(finished_six, tmp_path / "output"))
    before, listed = files(output), _folder_times(output)
    ended = finish(flags(six, output), tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert "nothing was written" in ended.out
    assert files(output) == before
    del listed["."]  # the state was there for a moment
    assert _folder_times(output).items() >= listed.items()


def _folder_times(output: Path) -> dict[str, int]:
    folders = [output, *(path for path in output.rglob("*") if path.is_dir())]
    return {str(path.relative_to(output)): path.stat().st_mtime_ns for path in folders}
