"""Kinetics-710: the names of its classes, the rules of the merge, its flags."""

import json
import random
from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.annotations.assign_label_ids import assign_label_ids
from beam_pipeline.annotations.merge_releases import (
    MergeReleases,
    Tally,
    add_merged,
    merge_video,
)
from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.annotations.read_releases import RANKS, read_release_file
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, MergedReleases, Row, Split
from beam_pipeline.errors import InputError, UsageError
from beam_pipeline.kinetics.datasets import DATASETS, class_of_archive
from beam_pipeline.kinetics.kinetics710 import (
    NAMES_IN_MAPS,
    RELEASES,
    merged_classes,
    merged_name,
)
from beam_pipeline.kinetics.label_map import read_label_map
from beam_pipeline.output.manifest import to_table, write_parquet
from beam_pipeline.results.tell_merge import merge_notes, merge_summary
from beam_pipeline.sources.name_members import first_searched_rank
from tests.kinetics import (
    SHARED,
    SHORT_EDGE,
    configured,
    on_beam,
)

REAL = SHARED / "annotations"
has_real = pytest.mark.skipif(not REAL.exists(), reason="no real annotations beside the project")

K400, K600, K700 = range(3)
SIZE = ("--short_edge", str(SHORT_EDGE))


# The names


@pytest.mark.parametrize("release", RELEASES)
def test_every_class_of_a_release_is_one_of_the_710(release: str) -> None:
    classes = read_label_map(DATASETS[release].label_map)
    assert merged_classes(release) <= read_label_map("kinetics710").keys()
    assert len(merged_classes(release)) == len(classes)  # no two of a release become one


def test_every_one_of_the_710_is_in_a_release() -> None:
    reached = frozenset[str]().union(*map(merged_classes, RELEASES))
    assert reached == read_label_map("kinetics710").keys()
    assert len(reached) == 710


@has_real
def test_the_names_that_are_one_class_are_those_of_the_published_table() -> None:
    stated = json.loads((REAL / "k710_merges.json").read_text())
    assert len(stated) == 15
    for name, other in stated.items():
        assert merged_name(name) == merged_name(other)
    every = {label for r in RELEASES for label in read_label_map(DATASETS[r].label_map)}
    changed = {label for label in every if merged_name(label) != label}
    assert changed <= {*stated, *stated.values()}


@has_real
@pytest.mark.parametrize(
    ("file", "release"), [("kinetics-400_val.csv", K400), ("kinetics-600_val.csv", K600)]
)
def test_every_label_of_the_real_annotations_is_merged(file: str, release: int) -> None:
    path = str(REAL / file)
    stated = list(read_file(release * RANKS, path))
    merged = list(read_release_file(release * RANKS, path))
    assert [each.label for each in merged] == [merged_name(each.label or "") for each in stated]
    assert {each.label for each in merged} == merged_classes(RELEASES[release])


@pytest.mark.parametrize("name", ["kinetics710", "videomaev2-kinetics710"])
def test_both_published_maps_have_an_id_for_every_class(name: str) -> None:
    every = frozenset[str]().union(*map(merged_classes, RELEASES))
    ids = assign_label_ids(every, name, NAMES_IN_MAPS.get(name, {}))
    assert ids.keys() == every
    assert sorted(ids.values()) == list(range(710))
    published = read_label_map(name)
    assert ids["zumba"] == published["zumba"]
    if name == "videomaev2-kinetics710":
        full_name = "throwing ball (not baseball or American football)"
        assert ids["throwing ball"] == published[full_name]
        assert ids["chopping vegetables"] == published["throwing ball"]


# The rules, on one video


def stated(release: int, times: int, split: Split, label: str | None, line: int = 1) -> Annotation:
    """What a release says about the clip of ten seconds that starts at ``times``."""
    place = (release * RANKS, f"{RELEASES[release]}.csv", line, 0)
    return Annotation("abc", times, times + 10, label, split, place)


def merge(*statements: Annotation) -> tuple[list[tuple[int, str | None, str | None]], Counter[str]]:
    """(start, split, label) of what is left, in any order of what is stated; and the counts."""
    results = []
    for seed in range(4):
        shuffled = random.Random(seed).sample(statements, len(statements))
        tally = Tally()
        merged = merge_video(shuffled, tally)
        results.append(([(a.time_start, a.split, a.label) for a in merged], +tally.counts))
    assert all(result == results[0] for result in results)
    kept, counts = results[0]
    of_releases = sum(count for key, count in counts.items() if "/" in key)
    became = ("clips", "repeated", "other_clips", "in_val_or_test")
    assert of_releases == sum(counts[name] for name in became)
    return kept, counts


def test_a_clip_of_train_that_several_have_is_there_once() -> None:
    kept, counts = merge(*(stated(release, 5, "train", "zumba") for release in range(3)))
    assert kept == [(5, "train", "zumba")]
    assert (counts["clips"], counts["repeated"]) == (1, 2)
    assert counts["kinetics700_2020/train"] == counts["kinetics400/train"] == 1


def test_of_a_video_in_train_the_newest_release_has_its_clip() -> None:
    kept, counts = merge(
        stated(K400, 1, "train", "yoga"), stated(K600, 2, "train", "zumba"),
        stated(K600, 3, "train", "zumba"),
    )  # fmt: skip
    assert kept == [(1, None, None), (2, "train", "zumba"), (3, None, None)]
    assert counts["other_clips"] == 2
    kept, _ = merge(stated(K600, 2, "train", "zumba"), stated(K700, 9, "train", "yoga"))
    assert kept == [(2, None, None), (9, "train", "yoga")]


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("release", [K400, K600, K700])
def test_a_video_of_any_held_out_split_is_out_of_train_by_its_id(
    release: int, split: Split
) -> None:
    others = [stated(each, 50 + each, "train", "zumba") for each in range(3)]
    kept, counts = merge(stated(release, 5, split, "yoga"), *others)
    assert kept == [(5, split, "yoga"), (50, None, None), (51, None, None), (52, None, None)]
    assert (counts["in_val_or_test"], counts["clips"]) == (3, 1)


def test_val_and_test_are_unique_by_clip_not_by_video() -> None:
    kept, counts = merge(
        stated(K400, 1, "val", "yoga"), stated(K600, 1, "val", "yoga"),
        stated(K600, 2, "val", "zumba"), stated(K700, 3, "test", None),
    )  # fmt: skip
    assert kept == [(1, "val", "yoga"), (2, "val", "zumba"), (3, "test", None)]
    assert (counts["clips"], counts["repeated"]) == (3, 1)


def test_a_clip_of_train_that_is_val_elsewhere_is_val() -> None:
    kept, counts = merge(stated(K700, 5, "train", "zumba"), stated(K400, 5, "val", "yoga"))
    assert kept == [(5, "val", "zumba")]
    assert (counts["in_val_or_test"], counts["unequal_labels"]) == (1, 1)


def test_val_goes_before_test_and_a_label_before_none() -> None:
    kept, counts = merge(stated(K600, 5, "test", None), stated(K400, 5, "val", "yoga"))
    assert kept == [(5, "val", "yoga")]
    assert (counts["val_and_test"], counts["unequal_labels"], counts["repeated"]) == (1, 0, 1)


def test_unequal_labels_follow_the_newest_release_and_are_counted() -> None:
    tally = Tally()
    (one,) = merge_video(
        [stated(K400, 5, "val", "yoga"), stated(K600, 5, "val", "zumba")], tally
    )  # fmt: skip
    assert one.label == "zumba"
    assert one.place[1] == "kinetics600.csv"
    assert tally.counts["unequal_labels"] == 1
    assert tally.example == "abc_000005_000015"


def test_what_one_release_says_twice_is_left_to_the_plan() -> None:
    kept, _ = merge(
        stated(K700, 5, "val", "yoga", 1), stated(K700, 5, "val", "zumba", 2),
        stated(K400, 5, "val", "yoga"),
    )  # fmt: skip
    assert kept == [(5, "val", "yoga"), (5, "val", "zumba")]
    kept, _ = merge(stated(K700, 5, "train", "yoga", 1), stated(K700, 5, "val", "yoga", 2))
    assert kept == [(5, "train", "yoga"), (5, "val", "yoga")]
    # An older release that contradicts itself does not matter where a newer one is clear.
    kept, _ = merge(
        stated(K400, 5, "val", "yoga", 1), stated(K400, 5, "val", "zumba", 2),
        stated(K700, 5, "val", "yoga"),
    )  # fmt: skip
    assert kept == [(5, "val", "yoga")]


def test_what_one_release_contradicts_itself_about_is_not_unequal_between_releases() -> None:
    within = (stated(K700, 5, "val", "yoga", 1), stated(K700, 5, "val", "zumba", 2))
    _, counts = merge(*within)
    assert counts["unequal_labels"] == 0
    _, counts = merge(*within, stated(K400, 5, "val", "archery"))
    assert counts["unequal_labels"] == 0  # it has no label
    _, counts = merge(stated(K700, 5, "val", "yoga"), stated(K400, 5, "val", "archery"))
    assert counts["unequal_labels"] == 1


@has_real
def test_the_real_val_sets_are_one_by_clip() -> None:
    """Counted without the merge: equal ids and times in two files, and what is left of labels."""
    of_400 = list(read_release_file(K400 * RANKS, str(REAL / "kinetics-400_val.csv")))
    of_600 = list(read_release_file(K600 * RANKS, str(REAL / "kinetics-600_val.csv")))
    labels = {each.clip_id: each.label for each in of_400}
    in_both = [each for each in of_600 if each.clip_id in labels]
    unequal = [each for each in in_both if labels[each.clip_id] != each.label]
    by_video: dict[str, list[Annotation]] = {}
    for each in (*of_400, *of_600):
        by_video.setdefault(each.youtube_id, []).append(each)
    tally = Tally()
    merged = [each for stated in by_video.values() for each in merge_video(stated, tally)]
    assert {each.split for each in merged} == {"val"}
    assert len({each.clip_id for each in merged}) == len(merged) == 19_906 + 30_000 - len(in_both)
    assert (tally.counts["repeated"], len(in_both)) == (13_566, 13_566)
    assert (tally.counts["unequal_labels"], len(unequal)) == (45, 45)
    newest = {each.clip_id: each.label for each in of_600}
    assert all(newest.get(each.clip_id, each.label) == each.label for each in merged)


# The transform


def many_statements(videos: int) -> list[Annotation]:
    """Statements by a rule: of each video every release has a clip, one in eight in val."""
    return [
        Annotation(
            f"v{video}", 1 + (release == K400) * (video % 2), 20, "zumba",
            "val" if release == K600 and video % 8 == 0 else "train",
            (release * RANKS, RELEASES[release], video, 0),
        )
        for video in range(videos)
        for release in range(3)
    ]  # fmt: skip


def test_the_transform_merges_each_video_and_counts() -> None:
    statements = many_statements(200)
    tally = Tally()
    expected: list[Annotation] = []
    for video in range(200):
        expected += merge_video(statements[3 * video : 3 * video + 3], tally)
    with on_beam() as pipeline:
        kept, merged = pipeline | beam.Create(statements) | MergeReleases()
        assert_that(kept, equal_to(expected), label="kept")
        assert_that(merged, equal_to([tally.result()]), label="counts")
    splits = Counter(annotation.split for annotation in expected)
    assert splits == {"train": 175, "val": 25, None: 100}


def test_counts_add_up_in_any_grouping() -> None:
    one = MergedReleases({"clips": 1}, "b", ("x",))
    other = MergedReleases({"clips": 2, "repeated": 1}, "a", ("y",))
    both = MergedReleases({"clips": 3, "repeated": 1}, "a", ("x", "y"))
    assert add_merged([one, other]) == both
    assert add_merged([add_merged([one]), add_merged([]), other]) == both


def test_the_notes_tell_what_differs_and_what_is_not_there() -> None:
    counts = {
        "kinetics400/train": 3, "kinetics400/val": 2, "kinetics600/val": 1, "clips": 4,
        "repeated": 1, "in_val_or_test": 1, "unequal_labels": 1, "val_and_test": 1,
    }  # fmt: skip
    notes = list(merge_notes(MergedReleases(counts, "abc_1_2", ())))
    assert notes[0].startswith("merged 6 clips of Kinetics-400, Kinetics-600, Kinetics-700 into 4:")
    assert "first abc_1_2" in notes[1]
    assert notes[2] == "clips in val of one release and in test of another are in val: 1"
    assert [note.partition(":")[0] for note in notes[3:]] == [
        "there are no annotations of test of Kinetics-400",
        "there are no annotations of test of Kinetics-600",
        "there are no annotations of val and test of Kinetics-700",
    ]
    assert merge_summary(MergedReleases(counts, None, ()))["stated"]["kinetics400"] == {
        "train": 3, "val": 2, "test": 0,
    }  # fmt: skip


# Manifests as annotations


def write_manifest(file: Path, *rows: Row) -> str:
    with file.open("wb") as opened:
        write_parquet(opened, [to_table(rows)])
    return str(file)


def test_every_row_of_a_manifest_is_an_annotation(tmp_path: Path) -> None:
    """Also of a clip that is not there; the manifest of a conflict knows no label any more."""
    times = {"time_start": 1.0, "time_end": 11.0}
    path = write_manifest(
        tmp_path / "val.parquet",
        Row("a_000001_000011", "a", "val", "tying tie", "resized", **times),
        Row("b_000001_000011", "b", "val", "zumba", "missing", "no_file", **times),
        Row("c_000001_000011", "c", "train", None, "failed", "conflicting_annotations", **times),
    )
    assert list(read_release_file(1, path)) == [
        Annotation("a", 1, 11, "tying necktie", "val", (1, path, 1, 0)),
        Annotation("b", 1, 11, "zumba", "val", (1, path, 2, 0)),
        Annotation("c", 1, 11, None, "train", (1, path, 3, 0)),
    ]


def test_a_manifest_that_names_no_clip_is_an_error_that_says_where(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "val.parquet", Row("a/b", None, None, None, "resized"))
    with pytest.raises(InputError, match=r"val\.parquet line 1: names no clip of YouTube"):
        list(read_release_file(0, path))


# The flags


def test_the_public_addresses_are_those_of_the_three() -> None:
    config = Config.from_flags(dataset="kinetics710", output="/o")
    assert config.annotations == sum((DATASETS[each].annotations for each in RELEASES), ())
    for number, release in enumerate(RELEASES):
        assert config.annotations_of(number) == DATASETS[release].annotations
    of_each = [{*DATASETS[each].videos(("train", "val", "test"))} for each in RELEASES]
    assert {*config.videos} == set().union(*of_each)
    assert config.label_map == "kinetics710"
    assert config.prepared == ()
    # The replacements come first, then newer archives before older ones; none is read for its
    # names alone but the replacements.
    assert config.videos[0].endswith("replacement_for_corrupted_k400.tgz")
    train = [video for video in config.videos[1:] if "/train/" in video]
    assert [video.split("/")[4] for video in train] == ["700_2020", "600", "400"]
    assert first_searched_rank(config.videos, config.split_archives()) == 1
    of_val = Config.from_flags(dataset="kinetics710", output="/o", splits="val")
    assert all("/val/" in video for video in of_val.videos)


@pytest.mark.parametrize("count", [1, 2, 4, 6, 9])
def test_annotations_are_one_for_each_release(count: int) -> None:
    given = [f"/a{number}" for number in range(count)]
    with pytest.raises(UsageError) as caught:
        configured("--dataset=kinetics710", "--annotations", *given)
    message = str(caught.value)
    assert "Kinetics-400, 600 and 700, in this order" in message
    assert f"not {count};" in message
    assert "type --annotations k400/annotations" in message


def test_an_archive_is_not_skipped_for_its_class() -> None:
    """Its clips may have another label here."""
    for release in ("kinetics600", "kinetics700_2020"):
        address = DATASETS[release].archives["train"][0].rpartition("/")[0]
        for name in ("zumba.tar.gz", "k700_train_700.tar.gz"):
            assert class_of_archive("kinetics710", f"{address}/{name}", ["zumba"]) is None
