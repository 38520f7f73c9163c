"""What is counted for the report: histograms, galleries, equal clips, classes, reasons."""

import hashlib
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from beam_pipeline.elements import Row
from beam_pipeline.output import manifest
from beam_pipeline.output.manifest import CHECKSUMS, SETTINGS
from beam_pipeline.output.output_folder import Output
from beam_pipeline.report.contact_sheet import sheet_rank
from beam_pipeline.report.equal_content import SHOWN_CLIPS, find_equal, in_several, prefixes_of
from beam_pipeline.report.facts import EXAMPLES, Facts, read_facts, splits_with_manifest
from beam_pipeline.report.histograms import Histogram, Measure
from beam_pipeline.report.shown_clips import GALLERY_CLIPS, Gallery, SheetClips


def row(number: int = 1, split: str = "train", label: str | None = "zumba", **columns: Any) -> Row:
    clip_id = columns.pop("clip_id", f"clip{number:07d}_000001_000011")
    made = {
        "path": f"videos/{split}/{clip_id}.mp4", "width": 340, "height": 256, "bytes": 100_000,
        "source_bytes": 200_000, "source_width": 640, "source_height": 360, "duration": 10.0,
        "decode_errors": 0, "has_audio": True, "source_codec": "h264", "source_fps": 30.0,
        "sha256": hashlib.sha256(clip_id.encode()).hexdigest(),
    }  # fmt: skip
    status = columns.pop("status", "resized")
    if status in ("missing", "failed"):
        made = {}
    return Row(
        clip_id, clip_id[:11], split, label, status, time_start=1.0, time_end=11.0,
        **{**made, **columns},
    )  # type: ignore[arg-type]  # fmt: skip


def output_of(root: Path, *rows: Row) -> Output:
    """An output with the manifests of these rows, two rows to a table."""
    (root / "manifest").mkdir(parents=True, exist_ok=True)
    for split in {row.split for row in rows}:
        mine = [row for row in rows if row.split == split]
        tables = [manifest.to_table(mine[begin : begin + 2]) for begin in range(0, len(mine), 2)]
        with (root / "manifest" / f"{split}.parquet").open("wb") as file:
            manifest.write_parquet(file, tables, {"resize": True})
    return Output(str(root), run="")


def facts_of(root: Path, *rows: Row) -> Facts:
    output = output_of(root, *rows)
    return read_facts(output, splits_with_manifest(output))


# Histograms

WIDTHS = Measure("width", "Widths", "pixels", (100, 200, 400))


def test_a_histogram_counts_a_bound_in_the_bin_above_it_and_what_is_not_known_apart() -> None:
    histogram = Histogram(WIDTHS)
    histogram.add(pa.chunked_array([[99, 100, 199, 200, None], [5000]], pa.int64()))
    histogram.add(pa.chunked_array([[math.nan, 100.0]], pa.float64()))
    assert (histogram.counts, histogram.unknown) == ([1, 3, 1, 1], 2)
    assert histogram.bins()[0] == ("under 100", 1)


def test_a_histogram_shows_no_empty_bins_at_its_ends_but_those_between() -> None:
    histogram = Histogram(WIDTHS)
    assert histogram.bins() == []
    histogram.add(pa.chunked_array([[150, 500]]))
    assert histogram.bins() == [("100 to 200", 1), ("200 to 400", 0), ("400 and more", 1)]


def test_a_column_that_this_release_does_not_write_is_shown_where_a_manifest_has_it(
    tmp_path: Path,
) -> None:
    output = output_of(tmp_path, row())
    path = tmp_path / "manifest" / "train.parquet"
    assert "SSIM" not in titles(read_facts(output, ["train"]))
    stated = pq.ParquetFile(path).metadata.metadata
    table = pq.read_table(path).append_column("ssim", pa.array([0.975]))
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({key: stated[key.encode()] for key in (SETTINGS, CHECKSUMS)})
    assert "SSIM" in titles(read_facts(output, ["train"]))


def titles(facts: Facts) -> set[str]:
    return {each.measure.unit for each in facts.histograms if each.known}


# Equal content


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_prefix_is_the_beginning_of_the_checksum_and_what_is_none_is_left_out() -> None:
    column = pa.chunked_array([[sha256("a"), None, "abc"], [sha256("b")]])
    assert [f"{prefix:016x}" for prefix in prefixes_of(column)] == [
        sha256("a")[:16], sha256("b")[:16],
    ]  # fmt: skip
    assert len(prefixes_of(pa.chunked_array([[None]], pa.string()))) == 0


def test_only_what_is_in_several_splits_counts() -> None:
    splits = [np.array(values, np.uint64) for values in ([1, 1, 2, 3], [3, 4], [5, 2])]
    assert in_several(splits).tolist() == [2, 3]
    assert in_several([]).tolist() == []


def equal_table(*clips: tuple[str, str, str]) -> pa.Table:
    columns = zip(*((c, s, "zumba", f"{c}.mp4", "resized", h) for c, s, h in clips), strict=True)
    names = ("clip_id", "split", "label", "path", "status", "sha256")
    return pa.table(dict(zip(names, map(list, columns), strict=True)))


def test_equal_clips_are_looked_up_by_their_whole_checksum() -> None:
    like = sha256("a")[:16] + sha256("b")[16:]
    table = equal_table(
        ("a", "train", sha256("a")), ("b", "val", sha256("a")), ("c", "train", sha256("c")),
        ("d", "train", sha256("d")), ("e", "test", sha256("d")), ("f", "test", sha256("d")),
        ("g", "val", like),
    )  # fmt: skip
    prefixes = [
        prefixes_of(table.filter(pc.equal(table["split"], split))["sha256"])
        for split in ("train", "val", "test")
    ]
    found = find_equal(prefixes, lambda: [table])
    assert found.contents == 2
    assert [[clip.clip_id for clip in group] for group in found.groups] == [
        ["a", "b"], ["d", "e", "f"],
    ]  # fmt: skip


def test_two_clips_of_which_only_the_beginnings_are_equal_are_not_equal() -> None:
    like = sha256("a")[:16] + sha256("b")[16:]
    table = equal_table(("a", "train", sha256("a")), ("b", "val", like))
    prefixes = [prefixes_of(pa.chunked_array([[each]])) for each in (sha256("a"), like)]
    assert find_equal(prefixes, lambda: [table]).contents == 0


def test_a_large_group_shows_some_clips_of_each_split() -> None:
    clips = [(f"a{number:03d}", "train", sha256("a")) for number in range(50)]
    table = equal_table(*clips, ("z", "val", sha256("a")))
    prefixes = [prefixes_of(pa.chunked_array([[sha256("a")]]))] * 2
    (group,) = find_equal(prefixes, lambda: [table]).groups
    assert len(group) == SHOWN_CLIPS
    assert {clip.split for clip in group} == {"train", "val"}


# Galleries and the contact sheet


def test_a_gallery_counts_all_and_shows_the_first_of_all_tables() -> None:
    gallery = Gallery()
    for begin in (0, 50):
        rows = [row(number, duration=float(100 - number)) for number in range(begin, begin + 50)]
        table = manifest.to_table(rows)
        gallery.add(table, pc.less(table["duration"], 90.5), table["duration"])
    assert gallery.count == 90
    assert len(gallery.clips) == GALLERY_CLIPS
    assert [clip.duration for _, clip in gallery.clips][:3] == [1.0, 2.0, 3.0]


def sheet_of_tables(rows: list[Row], with_annotations: bool = True) -> SheetClips:
    sheet = SheetClips(with_annotations)
    for begin in range(0, len(rows), 7):
        sheet.add(manifest.to_table(rows[begin : begin + 7]))
    return sheet


def test_the_contact_sheet_has_the_two_clips_of_lowest_rank_of_each_class() -> None:
    rows = [row(number, label=("zumba", "archery")[number % 2]) for number in range(60)]
    rows.append(row(99, label=None))
    classes = sheet_of_tables(rows).classes()
    assert [label for label, _ in classes] == ["archery", "zumba"]
    for label, clips in classes:
        mine = [each.clip_id for each in rows if each.label == label]
        assert [clip.clip_id for clip in clips] == sorted(mine, key=sheet_rank)[:2]


def test_without_annotations_the_contact_sheet_has_many_clips() -> None:
    rows = [row(number, label=None, split="all") for number in range(30)]
    ((label, clips),) = sheet_of_tables(rows, with_annotations=False).classes()
    assert (label, len(clips)) == ("", 30)


# All of it


def test_what_the_rows_say_is_counted(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path,
        row(1), row(2, label="archery", status="missing", reason="no_file"),
        row(3, status="failed", reason="truncated", detail="ends early"),
        row(4, status="reused", has_audio=None, source_codec=None, bytes=5),
        row(5, "val", label=None), row(6, status="excluded"),
    )  # fmt: skip
    assert facts.excluded == 1
    assert facts.statuses == {
        "train": Counter(resized=1, missing=1, failed=1, reused=1), "val": Counter(resized=1),
    }  # fmt: skip
    assert [tuple(each) for each in facts.classes()] == [
        ("archery", 1, 0, 1, 0), ("zumba", 3, 2, 0, 1), (None, 1, 1, 0, 0),
    ]  # fmt: skip
    assert (facts.bytes, facts.source_bytes, facts.seconds) == (200_005, 600_000, 30.0)
    assert facts.codecs == {"h264": 2, None: 1}
    assert facts.sound == {True: 2, None: 1}
    reasons = {each.reason: each for each in facts.unclipped()}
    assert {reason: each.clips for reason, each in reasons.items()} == {
        "no_file": 1, "truncated": 1,
    }  # fmt: skip
    assert reasons["truncated"].examples[0].detail == "ends early"


def test_examples_are_few(tmp_path: Path) -> None:
    rows = [row(number, status="missing", reason="no_file") for number in range(20)]
    (missing,) = facts_of(tmp_path, *rows).unclipped()
    assert (missing.clips, len(missing.examples)) == (20, EXAMPLES)


@pytest.mark.parametrize(
    ("gallery", "columns"),
    [
        ("damaged", {"decode_errors": 2}),
        ("damaged", {"detail": "sound dropped"}),
        ("very_short", {"duration": 4.9}),
        ("very_short", {"duration": 0.9, "time_end": None}),
        ("upscaled", {"source_width": 250, "source_height": 200}),
    ],
)
def test_a_clip_is_in_the_gallery_of_its_kind_alone(
    tmp_path: Path, gallery: str, columns: dict[str, Any]
) -> None:
    kind = row(2)._replace(**columns)
    facts = facts_of(tmp_path, row(1), kind, row(3, status="missing", reason="no_file"))
    for name in ("damaged", "very_short", "upscaled"):
        clips = [clip.clip_id for _, clip in getattr(facts, name).clips]
        assert clips == ([kind.clip_id] if name == gallery else [])


def test_a_clip_that_is_a_pixel_larger_than_its_source_is_not_upscaled(tmp_path: Path) -> None:
    assert facts_of(tmp_path, row(source_width=340, source_height=255)).upscaled.count == 0


def test_a_damaged_manifest_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    output = output_of(tmp_path, row(1), row(2, "val"))
    (tmp_path / "manifest" / "val.parquet").write_bytes(b"PAR1 nothing")
    facts = read_facts(output, splits_with_manifest(output))
    assert (facts.statuses["train"].total(), facts.statuses["val"].total()) == (1, 0)
    assert len(facts.unreadable) == 1
    assert "val.parquet was damaged" in facts.unreadable[0]


def test_equal_clips_of_two_splits_are_found_in_the_manifests(tmp_path: Path) -> None:
    same = row(1).sha256
    facts = facts_of(tmp_path, row(1), row(2), row(3, "val", sha256=same), row(4, "test"))
    assert facts.equal.contents == 1
    assert [clip.clip_id[:11] for clip in facts.equal.groups[0]] == ["clip0000001", "clip0000003"]
