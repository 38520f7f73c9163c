"""The whole program over a data set of nothing but damaged clips."""

from pathlib import Path

from tests.faults.conftest import COUNT
from tests.faults.fuzzing import damaged, hand_made
from tests.faults.runs import assert_same, finish, flags, result
from tests.kinetics import Kinetics, all_rows, check_output

DAMAGED = 60


def test_a_run_over_damaged_clips_alone_ends_well_with_a_row_for_each(tmp_path: Path) -> None:
    made = Kinetics(tmp_path / "damaged")
    lies = list(hand_made().values())[:: len(hand_made()) // COUNT + 1]
    contents = [damaged(seed) for seed in range(DAMAGED - len(lies))] + lies
    for number, content in enumerate(contents):
        made.add(f"damaged{number:04d}_000001_000011", "train", "zumba", content)
    made.write()
    arguments = ("--max_failure_ratio", "1")
    ended = finish(flags(made, tmp_path / "output", *arguments), tmp_path)
    assert (ended.status, ended.err) == (0, "")
    check_output(tmp_path / "output", made.clip_ids(), prefix="", short_edge=32)
    rows = all_rows(tmp_path / "output")
    assert len(rows) == DAMAGED
    assert {row["status"] for row in rows.values()} >= {"resized", "failed"}

    # Another order and another number of children, and nothing of it shows.
    again = flags(made, tmp_path / "again", *arguments, "--workers", "1")
    assert finish(again, tmp_path).status == 0
    assert_same(tmp_path / "again", result(tmp_path / "output"))
