"""What earlier answers of the site mean for a run, and what ``fetch OUTPUT`` plans."""

from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.elements import Clip, ReadArchive, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.fetch.reasons import WATCH
from beam_pipeline.output import manifest
from beam_pipeline.output.leases import acquire_lease, release_lease
from beam_pipeline.output.row_log import _count, row_line
from beam_pipeline.plan.decide import missing_row
from beam_pipeline.plan.plan_fetch import CountRows, _label_ids, decide_again
from beam_pipeline.progress.counts import Counts
from beam_pipeline.results.resolve_rows import explain_missing
from tests.kinetics import configured, on_beam

CLIP = Clip("a_000001_000011", "a", 1, 11, "train", "zumba", 0)
OTHER = Clip("a_000020_000030", "a", 20, 30, "train", "zumba", 0)
PATH = "videos/train/zumba/a_000001_000011.mp4"
MADE = Row.of(CLIP, "resized", source=f"{WATCH}a", path=PATH, bytes=5, sha256="x", seconds=1.0)


def answer(reason: str, day: str = "2026-01-01", clip: Clip = CLIP) -> Row:
    return Row.of(clip, "missing", reason=reason, detail=f"{day}: words")


def test_without_an_answer_there_is_no_file() -> None:
    nothing = Row.of(CLIP, "missing", reason="no_file")
    assert missing_row(CLIP, []) == nothing
    assert missing_row(CLIP, [answer("private", clip=OTHER)]) == nothing
    assert missing_row(CLIP, [MADE, nothing]) == nothing


def test_the_first_final_answer_counts() -> None:
    rows = [
        answer("network", "2025-01-01"), answer("private", "2027-01-01"),
        answer("removed", "2026-01-01"),
    ]  # fmt: skip
    for order in (rows, rows[::-1]):
        assert missing_row(CLIP, order) == answer("removed", "2026-01-01")
    assert missing_row(CLIP, rows[:1]) == rows[0]


def test_an_answer_has_the_label_of_today() -> None:
    renamed = CLIP._replace(label="yoga", label_id=7)
    assert missing_row(renamed, [answer("private")])[2:4] == ("train", "yoga")


def test_a_video_that_gave_no_clip_stays_failed() -> None:
    row = Row.of(CLIP, "failed", reason="outside_video", source=f"{WATCH}a")
    assert missing_row(CLIP, [row]) == row


def test_an_archive_that_broke_off_does_not_hide_an_answer() -> None:
    broken = [ReadArchive("/a.tar", 0, 1, 0, "it ends early")]
    assert explain_missing(answer("private"), broken) == answer("private")
    unknown = Row.of(CLIP, "missing", reason="no_file")
    assert "it ends early" in explain_missing(unknown, broken).detail


def test_what_is_not_made_counts_as_done_and_not_as_made() -> None:
    counts = Counts()
    for row in (MADE, answer("private")):
        counts.finish(row)
    assert (counts.done, counts.succeeded, counts.failed) == (2, 1, 0)
    assert _count(row_line(MADE) + row_line(answer("private")))[0] == 1


def planned(row: Row, output: Path, *rows: Row, size: int | None = None) -> Row:
    """What ``fetch OUTPUT`` plans for a row of the manifest, with a file of this size."""
    config = configured("--output", str(output), "--fetch", "youtube")
    files = [] if size is None else [Video(config.output.url(PATH), 0, size)]
    (decided,) = decide_again({"planned": [row], "rows": [row, *rows], "outputs": files}, config)
    return decided


@pytest.mark.parametrize(
    ("report", "sizes"), [(True, {"zumba": 2, None: 1}), (False, {})], ids=["report", "none"]
)
def test_thumbnails_are_kept_by_the_classes_of_the_manifests(report: bool, sizes: dict) -> None:
    config = replace(configured("--fetch", "youtube"), report=report)
    rows = [MADE, answer("private", clip=OTHER), answer("private", clip=CLIP._replace(label=None))]
    with on_beam() as pipeline:
        planned_rows = pipeline | beam.Create(rows).with_output_types(Row)
        assert_that(planned_rows | CountRows(config), equal_to([sizes]))


def test_a_clip_that_is_there_is_reused(tmp_path: Path) -> None:
    assert planned(MADE, tmp_path, size=5) == MADE._replace(status="reused", seconds=None)


def test_a_clip_whose_file_is_gone_or_another_is_missing(tmp_path: Path) -> None:
    missing = Row.of(CLIP, "missing", reason="no_file")
    assert planned(MADE, tmp_path) == missing
    assert planned(MADE, tmp_path, size=6) == missing


def test_what_a_killed_fetch_has_made_is_kept(tmp_path: Path) -> None:
    missing = Row.of(CLIP, "missing", reason="no_file")
    assert planned(missing, tmp_path, MADE, size=5).status == "reused"
    assert planned(missing, tmp_path, answer("private")) == answer("private")


def test_what_a_killed_fetch_has_made_of_a_failed_clip_is_kept(tmp_path: Path) -> None:
    failed = Row.of(CLIP, "failed", reason="timeout", source=f"{WATCH}a")
    assert planned(failed, tmp_path, MADE, size=5).status == "reused"
    assert planned(failed, tmp_path, MADE) == failed
    from_file = failed._replace(source="/v/a.mp4")
    assert planned(from_file, tmp_path, MADE, size=5) == from_file


def test_what_is_known_of_a_clip_that_nobody_asked_for_is_kept(tmp_path: Path) -> None:
    missing = Row.of(CLIP, "missing", reason="no_file", detail="/a.tar could not be read")
    assert planned(missing, tmp_path) == missing
    assert planned(missing, tmp_path, answer("network")) == answer("network")


def test_label_ids_whose_file_is_gone_are_those_of_the_manifests(tmp_path: Path) -> None:
    config = replace(configured("--output", str(tmp_path), "--fetch", "youtube"), splits=("train",))
    rows = [
        Row.of(CLIP._replace(label="zumba", label_id=5), "missing", reason="no_file"),
        Row.of(OTHER._replace(label="yoga", label_id=3), "missing", reason="no_file"),
        Row.of(OTHER._replace(label=None, label_id=-1), "missing", reason="no_file"),
    ]
    (tmp_path / "manifest").mkdir()
    acquire_lease(config.output)
    try:
        with config.output.writing("manifest/train.parquet") as file:
            manifest.write_parquet(file, [manifest.to_table(rows)])
    finally:
        release_lease(config.output)
    (tmp_path / "summary.json").write_text('{"classes": 2}')
    assert list(_label_ids(config).items()) == [("yoga", 3), ("zumba", 5)]
    (tmp_path / "summary.json").write_text('{"classes": 3}')
    with pytest.raises(InputError, match=r"label2id.json is gone"):
        _label_ids(config)
    (tmp_path / "label2id.json").write_text('{"yoga": 3}')
    assert _label_ids(config) == {"yoga": 3}


def test_a_clip_that_failed_stays_as_it_is(tmp_path: Path) -> None:
    failed = Row.of(CLIP, "failed", reason="not_a_video", source="/v/a.mp4", detail="no")
    assert planned(failed, tmp_path) == failed
    conflict = Row.of(CLIP._replace(label=None), "failed", reason="conflicting_annotations")
    assert planned(conflict, tmp_path) == conflict
