"""Runs in a bucket that are killed, or meet: told apart by what they write there now and then."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.buckets import BUCKET, Buckets
from tests.faults.conftest import COUNT, Many
from tests.faults.runs import Run, assert_same, wait_for

MINUTES = 240.0
"""Seconds: the last to end waits a while to see whether another is still at work."""


@pytest.fixture
def buckets() -> Iterator[Buckets]:
    with Buckets() as made:
        yield made


def flags(many: Many, buckets: Buckets) -> list[str]:
    given = many.flags(Path("/x"), *buckets.flags)
    given[given.index("/x")] = f"gs://{BUCKET}/out"
    return given


def copied(buckets: Buckets, folder: Path) -> Path:
    """The output as a folder."""
    for name, content in buckets.files("out").items():
        path = folder / "copied" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "copied"


def test_a_run_that_was_killed_is_finished_by_the_next(
    many: Many, buckets: Buckets, tmp_path: Path
) -> None:
    with Run(flags(many, buckets), tmp_path) as run:
        wait_for(lambda: buckets.kinds["write"] >= COUNT // 2 or run.is_over())
        run.kill()
    assert any(name.startswith("_state/") for name in buckets.files("out"))
    with Run(flags(many, buckets), tmp_path) as run:
        ended = run.finished(MINUTES)
    assert (ended.status, ended.err) == (0, "")
    assert_same(copied(buckets, tmp_path), many.undisturbed)


@pytest.mark.parametrize("fault", [False, True])
def test_a_run_that_is_stopped_notes_what_it_has_made(
    many: Many, buckets: Buckets, tmp_path: Path, fault: bool
) -> None:
    """By hand, or by storage that refuses a clip."""
    if fault:
        buckets.fault = lambda call: 403 if "mClip" in call.name and call.kind == "write" else None
    with Run(flags(many, buckets), tmp_path) as run:
        if not fault:
            wait_for(lambda: buckets.kinds["write"] >= COUNT // 2 or run.is_over())
            run.signal(signal.SIGINT)
        assert run.finished(60).status == (1 if fault else 130)
    left = buckets.files("out")
    # Nothing says that it might still be at work: nobody has to wait and see.
    assert not [name for name in left if name.endswith("/alive")]
    made = {name for name in left if name.startswith("videos/")}
    assert len(made) > 5
    buckets.reset()
    with Run(flags(many, buckets), tmp_path) as run:
        assert run.finished(MINUTES).status == 0
    written = {call.name.removeprefix("out/") for call in buckets.calls if call.kind == "write"}
    # Those that were under way when it ended are the only ones to be written twice.
    assert len(made & written) <= 4
    assert_same(copied(buckets, tmp_path), many.undisturbed)


def test_two_runs_at_once_both_end_well_with_the_result_of_one(
    many: Many, buckets: Buckets, tmp_path: Path
) -> None:
    with Run(flags(many, buckets), tmp_path) as first:
        wait_for(lambda: buckets.kinds["write"] >= COUNT // 4 or first.is_over())
        with Run(flags(many, buckets), tmp_path) as second:
            for run in (first, second):
                ended = run.finished(MINUTES)
                assert (ended.status, ended.err) == (0, "")
    assert_same(copied(buckets, tmp_path), many.undisturbed)
