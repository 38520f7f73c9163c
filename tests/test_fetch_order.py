"""What is asked for first, and what a run that got nothing says."""

from pathlib import Path

import pytest

from beam_pipeline.elements import Clip, Row
from beam_pipeline.fetch.pace import MAX_IN_A_ROW
from beam_pipeline.progress.counts import Counts
from beam_pipeline.results.closing_table import _speed
from beam_pipeline.work.fetch_clips import in_order
from tests.kinetics import Kinetics, all_rows, summary
from tests.standin import Media, StandIn
from tests.standin.data_set import FETCH, ONE, Made, told

pytest_plugins = ["tests.standin.fixtures"]


def planned(name: str, reason: str = "no_file") -> Row:
    return Row.of(Clip(name, name[0], 0, 2, "train", "zumba", 0), "missing", reason=reason)


def test_what_was_never_asked_for_comes_first() -> None:
    rows = [planned("a", "fetch_failed"), planned("d"), planned("c"), planned("b", "network")]
    for order in (rows, rows[::-1]):
        assert [*in_order(order)] == ["c", "d", "a", "b"]


def test_the_clips_of_a_video_stay_together() -> None:
    rows = [planned("a2", "network"), planned("b1"), planned("a1")]
    assert {name: len(of_video) for name, of_video in in_order(rows).items()} == {"a": 2, "b": 1}


@pytest.mark.usefixtures("whole")
def test_what_fails_in_every_run_keeps_nothing_else_from_being_asked(
    tmp_path: Path, site: StandIn, whole: bytes
) -> None:
    failing = [f"v{number:02d}" for number in range(MAX_IN_A_ROW)]
    alone = Kinetics(tmp_path / "alone")
    for name in (*failing, "zGood"):
        alone.add(f"{name}_000000_000002", "train", "zumba")
    alone.add("wGood_000000_000002", "val", "zumba")
    site.pages = {name: {"error": "The page needs to be reloaded."} for name in failing}
    site.pages |= {"wGood": ONE, "zGood": ONE}
    site.media = {(name, "18"): Media(whole) for name in ("wGood", "zGood")}
    made, output = Made(alone.write(), site), tmp_path / "output"
    missing = "--max_missing_ratio=1"
    assert "ended early" in made.prepare(output, *FETCH, missing).out
    assert made.prepare(output, *FETCH, missing).status == 0
    assert told(all_rows(output)["zGood_000000_000002"]) == ("resized", None)
    # All that is left was asked for before. The third run asks for all of it again, and says so.
    third = made.prepare(output, *FETCH, missing)
    assert len(made.site.asked) == len(failing)
    assert "already complete" not in third.out
    assert "ended early" not in third.out
    assert "10 could not be fetched" in third.out
    assert summary(output)["fetch"] == {
        "fetched": 2, "reasons": {"fetch_failed": len(failing)}, "years": {},
    }  # fmt: skip


def test_what_cannot_be_had_is_no_clip_that_was_made() -> None:
    counts = Counts()
    counts.set(9, 2, 1, unavailable=4)
    assert counts.done == 7
    assert _speed(counts, 3.0).startswith("3 clips in 0:00:03 (1.0 clips/s), ")


def test_one_clip_in_minutes_has_a_rate_that_tells_something() -> None:
    counts = Counts()
    counts.set(1, 1, 0)
    assert _speed(counts, 100.0).startswith("1 clip in 0:01:40 (36.0 clips/h), ")
