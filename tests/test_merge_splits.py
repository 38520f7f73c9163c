"""Rows to shards, shards to one list and one manifest per split, and the summary."""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam import pvalue
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import STATUSES, Row, Split, Unannotated
from beam_pipeline.errors import InputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output
from beam_pipeline.results import write_summary
from beam_pipeline.results.merge_splits import Merged, MergeSplits, check_split, merge_split
from beam_pipeline.results.split_results import SplitResults, read_split
from beam_pipeline.results.write_shards import SHARDS, WriteShards, shard_of, write_shard
from beam_pipeline.results.write_summary import WriteSummary, finish
from beam_pipeline.sources.passed_over import CountPassedOver
from tests.kinetics import COLUMN_TYPES, configured, lines, on_beam, snapshot
from tests.kinetics import manifest as rows_of
from tests.kinetics import summary as summary_of

YOUTUBE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

NOTHING = CountPassedOver().extract_output(Counter())


def row(clip_id: str, status: str = "resized", split: str = "val", **columns) -> Row:
    youtube_id, start, end = clip_id.rsplit("_", 2)
    made = {"label_id": 1}
    if status in ("resized", "copied"):
        made |= {"path": f"videos/{split}/zumba/{clip_id}.mp4", "sha256": clip_id, "bytes": 1}
    return Row(
        clip_id, youtube_id, split, status=status, time_start=float(start), time_end=float(end),
        **{"label": "zumba", **made, **columns},
    )  # fmt: skip


def ready(tmp_path: Path, *flags: str) -> Config:
    """A config whose output is ready to be written to."""
    config = configured("--output", str(tmp_path / "output"), "--path_prefix", "/data", *flags)
    assert list(prepare_output(config)) == []
    return config


def merged(config: Config, rows: Iterable[Row], split: str = "val") -> list[str]:
    """What a split's list holds after its rows have gone through shards in any order."""
    shards: dict[int, list[Row]] = {}
    for each in rows:
        shards.setdefault(shard_of(each.clip_id), []).append(each)
    written = [
        write_shard((split, number), shard, config.output)[1] for number, shard in shards.items()
    ]
    merge_split(split, [path for _, path in sorted(written)], config)
    return lines(Path(config.output.root) / f"{split}.csv")


clip_ids = st.builds(
    lambda youtube_id, start: f"{youtube_id}_{start:06d}_{start + 10:06d}",
    st.text(YOUTUBE, min_size=1, max_size=3), st.integers(0, 2_000_000),
)  # fmt: skip


# Shards


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_clip_that_sorts_later_has_no_earlier_shard(one: str, other: str) -> None:
    first, second = sorted([one, other])
    assert 0 <= shard_of(first) <= shard_of(second) < SHARDS


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, SHARDS))
def test_fewer_shards_keep_the_order(one: str, other: str, shards: int) -> None:
    first, second = sorted([one, other])
    assert 0 <= shard_of(first, shards) <= shard_of(second, shards) < shards


def test_youtube_ids_spread_over_all_shards() -> None:
    counts = [0] * SHARDS
    for character in YOUTUBE:
        counts[shard_of(character)] += 1
    assert sum(counts) == len(YOUTUBE)
    assert max(counts) <= 3 * len(YOUTUBE) / SHARDS


def test_a_shards_name_comes_from_its_split_and_number(tmp_path: Path) -> None:
    config = ready(tmp_path)
    rows = [row("b_000001_000011"), row("a_000001_000011")]
    first = write_shard(("val", 7), rows, config.output)
    again = write_shard(("val", 7), reversed(rows), config.output)
    assert first == again
    split, (number, path) = first
    assert (split, number) == ("val", 7)
    shard = pq.read_table(config.output.url(path))
    assert shard.column("clip_id").to_pylist() == ["a_000001_000011", "b_000001_000011"]


# Merging


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(clip_ids, st.sampled_from(["resized", "missing", "failed"]), max_size=30),
    st.randoms(use_true_random=False),
)
def test_lists_and_manifests_are_sorted_whatever_the_order_of_rows(
    tmp_path: Path, statuses: dict[str, str], shuffle: random.Random
) -> None:
    rows = [row(clip_id, status) for clip_id, status in statuses.items()]
    shuffle.shuffle(rows)
    config = ready(Path(tempfile.mkdtemp(dir=tmp_path)))  # another's state would be waited for
    assert merged(config, rows) == [
        f"/data/videos/val/zumba/{clip_id}.mp4 1"
        for clip_id in sorted(statuses)
        if statuses[clip_id] == "resized"
    ]
    written = rows_of(Path(config.output.root), "val")
    assert [(r["clip_id"], r["status"]) for r in written] == sorted(statuses.items())


@pytest.mark.parametrize(
    ("status", "is_listed"),
    [("resized", True), ("copied", True), ("reused", True), ("listed", True), ("missing", False),
     ("failed", False)],
)  # fmt: skip
def test_only_clips_that_exist_are_listed(tmp_path: Path, status: str, is_listed: bool) -> None:
    one = row("a_000001_000011", status, path="videos/val/a.mp4")
    assert merged(ready(tmp_path), [one]) == (["/data/videos/val/a.mp4 1"] if is_listed else [])


def test_an_empty_split_has_an_empty_list_and_a_manifest_with_columns(tmp_path: Path) -> None:
    config = ready(tmp_path)
    assert merged(config, []) == []
    schema = pq.read_schema(Path(config.output.root) / "manifest" / "val.parquet")
    assert {column.name: str(column.type) for column in schema} == COLUMN_TYPES


def test_rows_come_back_from_a_manifest_as_they_were(tmp_path: Path) -> None:
    config = ready(tmp_path)
    full = row(
        "a_000001_000011", detail='two\nlines, "quoted" and 漢字', fps=25.0, has_audio=False,
        decode_errors=0, seconds=0.25,
    )  # fmt: skip
    merged(config, [full])
    (table,) = manifest.read_parquet(config.output.url("manifest/val.parquet"))
    assert [Row(**columns) for columns in table.to_pylist()] == [full]


def test_a_manifest_shrinks_only_if_one_says_so(tmp_path: Path) -> None:
    config = ready(tmp_path)
    ids = ("a_000001_000011", "b_000001_000011")
    merged(config, [row(clip_id) for clip_id in ids])
    fewer = [write_shard(("val", 0), [row(ids[0])], config.output)[1][1]]
    failing = [row(ids[0], "missing"), row(ids[1], "failed")]
    as_many = [write_shard(("val", 1), failing, config.output)[1][1]]
    check_split("val", as_many, config)
    check_split("train", fewer, config)
    with pytest.raises(InputError, match=f"smaller: 1 of its val clips.*first {ids[1]}.*--shrink"):
        check_split("val", fewer, config)
    check_split("val", fewer, config, [("val", fewer), ("train", as_many)])  # it has moved there
    check_split("val", fewer, replace(config, shrink=True))
    notes = merge_split("val", fewer, replace(config, shrink=True)).notes
    assert notes[0] == "val: 1 clip is in no list any more; its file stays"


@pytest.mark.parametrize("status", ["failed", "missing"])
@pytest.mark.parametrize("there", [True, False])
def test_a_clip_that_another_run_has_made_meanwhile_keeps_its_row(
    tmp_path: Path, status: str, there: bool
) -> None:
    """As where a codec was killed in one of two runs, and the other has ended since."""
    config = ready(tmp_path)
    one, two = row("a_000000_000010"), row("b_000000_000010", label_id=2, seconds=1.5)
    clip = Path(config.output.root) / str(two.path)
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"1" if there else b"another size")
    merged(config, [two])
    listed = merged(config, [one, row("b_000000_000010", status)])
    assert [line.rpartition("/")[2] for line in listed] == [
        "a_000000_000010.mp4 1", *["b_000000_000010.mp4 1"][:there]
    ]  # fmt: skip
    _, kept = rows_of(Path(config.output.root), "val")
    assert (kept["status"], kept["sha256"]) == (("reused", two.sha256) if there else (status, None))
    assert kept["label_id"] == 1


@pytest.mark.parametrize(
    ("now", "listed"),
    [
        ({"reason": "conflicting_annotations", "label": None, "label_id": None}, False),
        ({"label": "yoga"}, False),  # in another folder by now
        ({}, True),
    ],
)
def test_only_a_clip_that_is_where_it_would_be_made_keeps_its_row(
    tmp_path: Path, now: dict[str, Any], listed: bool
) -> None:
    config = ready(tmp_path)
    made = row("b_000000_000010")
    clip = Path(config.output.root) / str(made.path)
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"1")
    merged(config, [made])
    assert len(merged(config, [row("b_000000_000010", "failed", **now)])) == listed


def test_only_a_list_that_somebody_changed_is_noted(tmp_path: Path) -> None:
    config = ready(tmp_path)
    ids = ("a_000001_000011", "b_000001_000011")
    one, two = ([row(clip_id) for clip_id in ids[:count]] for count in (1, 2))
    first = [write_shard(("val", 0), one, config.output)[1][1]]
    finish(
        [merge_split("val", first, config)], config, {"zumba": 0}, Unannotated(0), NOTHING, 0, []
    )
    grown = configured("--output", str(tmp_path / "output"), "--path_prefix", "/data")
    list(prepare_output(grown))
    second = [write_shard(("val", 0), two, grown.output)[1][1]]
    assert merge_split("val", second, grown).notes == []
    (tmp_path / "output" / "val.csv").write_text("mine 0\n")
    (note,) = merge_split("val", second, grown).notes
    assert note == "val.csv was not what the last finished run had written; it was written anew"


# The end


def test_a_list_that_changes_alone_changes_the_summary(tmp_path: Path) -> None:
    for sha256 in ("one", "other"):
        config = configured("--output", str(tmp_path / "output"), "--splits=val")
        list(prepare_output(config))
        merged(config, [])
        finish(
            [Merged("val", {"val.csv": sha256}, [])],
            config,
            {"zumba": 0},
            Unannotated(0),
            NOTHING,
            0,
            [],
        )
        assert summary_of(tmp_path / "output")["lists"] == {"val.csv": sha256}


def test_counts_reasons_and_ratio_add_up(tmp_path: Path) -> None:
    config = ready(tmp_path, "--splits", "train,val")
    merged(config, [row("a_000001_000011"), row("b_000001_000011", "failed", reason="timeout")])
    gone = [row(f"{letter}_000001_000011", "missing", "train") for letter in "cde"]
    bad = row("f_000001_000011", "failed", "train", reason="empty_file")
    merged(config, [*gone, bad, row("g_000001_000011", "copied", "train")], "train")
    finish([], config, {"zumba": 0}, Unannotated(4), NOTHING, 0, [])
    summary = summary_of(Path(config.output.root))
    none = dict.fromkeys(STATUSES, 0)
    assert summary["splits"] == {
        "train": {"annotated": 5, **none, "copied": 1, "missing": 3, "failed": 1},
        "val": {"annotated": 2, **none, "resized": 1, "failed": 1},
    }
    assert summary["total"] == {
        "annotated": 7, **none, "resized": 1, "copied": 1, "missing": 3, "failed": 2,
    }  # fmt: skip
    assert summary["reasons"] == {"empty_file": 1, "timeout": 1}
    assert summary["failure_ratio"] == 2 / 4
    assert summary["unannotated"] == 4


def test_a_run_in_which_nothing_matches_is_warned_of_and_has_no_ratio(tmp_path: Path) -> None:
    config = ready(tmp_path, "--splits", "val")
    merged(config, [row("a_000001_000011", "missing")])
    finish([], config, {"zumba": 0}, Unannotated(1), NOTHING, 0, [])
    summary = summary_of(Path(config.output.root))
    assert summary["failure_ratio"] == 0
    assert any("matched by name" in warning for warning in summary["warnings"])


@pytest.mark.parametrize(
    ("flags", "labelled", "is_warned"),
    [((), True, True), ((), False, False), (("--layout=flat",), True, False)],
)
def test_a_folder_without_a_label_is_warned_of_beside_folders_of_classes(
    tmp_path: Path, flags: tuple[str, ...], labelled: bool, is_warned: bool
) -> None:
    config = ready(tmp_path, *flags)
    status = "copied" if labelled else "missing"
    merged(config, [row("a_000001_000011", status, "train")], "train")
    merged(config, [row("b_000001_000011", split="test", label=None, label_id=-1)], "test")
    finish([], config, {"zumba": 0}, Unannotated(0), NOTHING, 0, [])
    warnings = summary_of(Path(config.output.root))["warnings"]
    assert any("in folder unlabelled" in warning for warning in warnings) == is_warned


def test_no_annotated_clip_at_all_is_no_failure(tmp_path: Path) -> None:
    config = ready(tmp_path)
    for split in config.splits:
        merged(config, [], split)
    finish([], config, {}, Unannotated(0), NOTHING, 0, [])
    assert summary_of(Path(config.output.root))["total"]["annotated"] == 0


def test_a_split_that_another_run_finishes_meanwhile_is_in_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ready(tmp_path, "--splits", "val")
    merged(config, [row("a_000001_000011")])
    reads = []

    def read(output: Output, split: Split) -> SplitResults:
        if not reads:
            merged(config, [row("b_000001_000011", split="train")], "train")
        reads.append(split)
        return read_split(output, split)

    monkeypatch.setattr(write_summary, "read_split", read)
    finish([], config, {"zumba": 0}, Unannotated(0), NOTHING, 0, [])
    assert reads == ["val", "train", "val"]
    assert list(summary_of(Path(config.output.root))["splits"]) == ["train", "val"]


def test_a_fingerprint_does_not_depend_on_the_split_that_holds_a_clip_first(tmp_path: Path) -> None:
    summaries = []
    for name, splits in (("one", ("train", "val")), ("two", ("val", "train"))):
        config = ready(tmp_path / name)
        for clip_id, split in zip(("a_000001_000011", "b_000001_000011"), splits, strict=True):
            merged(config, [row(clip_id, split=split)], split)
        merged(config, [], "test")
        finish([], config, {"zumba": 1}, Unannotated(0), NOTHING, 0, [])
        summaries.append(summary_of(Path(config.output.root)))
    assert summaries[0]["fingerprint"] == summaries[1]["fingerprint"]
    assert summaries[0]["membership_fingerprint"] == summaries[1]["membership_fingerprint"]


@pytest.mark.parametrize(
    ("change", "whole", "members"),
    [
        ({"sha256": "other"}, True, False),
        ({"label_id": 2}, True, True),
        ({"status": "failed", "path": None}, True, True),
        ({"seconds": 9.0}, False, False),
        ({"status": "copied"}, False, False),
    ],
)
def test_what_changes_a_fingerprint(
    tmp_path: Path, change: dict, whole: bool, members: bool
) -> None:
    summaries = []
    for name, changes in (("one", {}), ("two", change)):
        config = ready(tmp_path / name, "--splits=val")
        columns = {"sha256": "a", "path": "videos/a.mp4", "label_id": 1} | changes
        status = columns.pop("status", "resized")
        merged(config, [row("a_000001_000011", status, **columns)])
        finish([], config, {"zumba": 1}, Unannotated(0), NOTHING, 0, [])
        summaries.append(summary_of(Path(config.output.root)))
    one, two = summaries
    assert (one["fingerprint"] != two["fingerprint"]) == whole
    assert (one["membership_fingerprint"] != two["membership_fingerprint"]) == members


# On Beam


def test_rows_become_files_and_the_state_goes_with_the_last_step(tmp_path: Path) -> None:
    config = ready(tmp_path)
    rows = [
        row(f"{letter}_000001_000011", status, split)
        for letter, status, split in (
            ("z", "resized", "val"), ("a", "resized", "val"), ("-", "missing", "train"),
            ("_", "resized", "train"), ("0", "failed", "train"),
        )
    ]  # fmt: skip
    with on_beam() as pipeline:
        merged_splits = (
            (pipeline | beam.Create(rows).with_output_types(Row),)
            | WriteShards(
                config,
                pvalue.AsSingleton(pipeline | "Size" >> beam.Create([5])),
                pvalue.AsSingleton(pipeline | "Read" >> beam.Create([[]])),
            )
            | MergeSplits(config)
        )
        names = merged_splits | beam.Map(lambda merged: merged.split)
        assert_that(names, equal_to(["train", "val", "test"]))
        _ = merged_splits | WriteSummary(
            config,
            pvalue.AsSingleton(pipeline | "Labels" >> beam.Create([{"zumba": 1}])),
            pvalue.AsSingleton(pipeline | "Strangers" >> beam.Create([Unannotated(3)])),
            pvalue.AsSingleton(pipeline | "Others" >> beam.Create([NOTHING])),
            pvalue.AsSingleton(pipeline | "Retries" >> beam.Create([2])),
            pvalue.AsSingleton(pipeline | "Archives" >> beam.Create([[]])),
            pvalue.AsList(pipeline | "Notes" >> beam.Create(["something was damaged"])),
        )
    output = Path(config.output.root)
    assert set(snapshot(output)) == {
        "train.csv", "val.csv", "test.csv", "label2id.json", "missing.csv", "failed.csv",
        "damaged.csv", "report.html", "summary.json",
        "manifest/train.parquet", "manifest/val.parquet", "manifest/test.parquet",
    }  # fmt: skip
    assert not (output / "_state").exists()
    assert lines(output / "val.csv") == [
        f"/data/videos/val/zumba/{letter}_000001_000011.mp4 1" for letter in "az"
    ]
    assert lines(output / "test.csv") == []
    assert json.loads((output / "label2id.json").read_bytes()) == {"zumba": 1}
    assert (summary_of(output)["unannotated"], summary_of(output)["retries"]) == (3, 2)
