"""``overlap`` counts what two annotation sets share."""

import json
from pathlib import Path

import pytest

from beam_pipeline.commands.annotated_set import NO_LABEL, AnnotatedSet, read_set
from beam_pipeline.commands.overlap import Shared, _print, _two_sets, as_json, compare_sets
from beam_pipeline.errors import InputError, UsageError
from tests.conftest import Ran
from tests.kinetics import SHARED, all_rows, is_listed, run

Stated = tuple[str, str, str | None]


def set_of(*statements: Stated) -> AnnotatedSet:
    found = AnnotatedSet(["x"])
    for clip_id, split, label in statements:
        found.add(clip_id, split, label)
    return found


def clips_of(each: AnnotatedSet) -> dict[str, tuple[str, str | None]]:
    return {clip_id: each.split_and_label(code) for clip_id, code in each.clips.items()}


# A set


@pytest.mark.parametrize(
    ("statements", "split", "label", "contradictory"),
    [
        ([("train", "zumba"), ("train", "zumba")], "train", "zumba", 0),
        ([("val", None), ("train", "zumba")], "val", "zumba", 0),
        ([("val", "zumba"), ("train", None)], "val", "zumba", 0),
        ([("test", "yoga"), ("train", "zumba")], "test", None, 1),
        ([("val", "yoga"), ("val", "zumba"), ("val", "yoga")], "val", None, 1),
        ([("test", None)], "test", None, 0),
    ],
)
def test_a_clip_that_is_stated_again_counts_once(
    statements, split: str, label: str | None, contradictory: int
) -> None:
    found = set_of(*(("a_000001_000011", *each) for each in statements))
    assert clips_of(found) == {"a_000001_000011": (split, label)}
    assert found.contradictory == contradictory


def test_a_video_is_in_all_splits_of_its_clips() -> None:
    found = set_of(
        ("a_b_000001_000011", "train", "yoga"), ("a_b_000021_000031", "test", None),
        ("c_000001_000011", "val", "zumba"),
    )  # fmt: skip
    assert found.splits_by_video() == {"a_b": 0b101, "c": 0b010}
    assert found.clips_by_split() == {"train": 1, "val": 1, "test": 1}


# Two sets


def test_shared_videos_clips_labels_and_conflicts_are_counted() -> None:
    a = set_of(
        ("a_000001_000011", "train", "yoga"), ("a_000050_000060", "val", "yoga"),
        ("b_000001_000011", "val", "zumba"), ("c_000001_000011", "test", None),
        ("d_000001_000011", "train", "archery"),
    )  # fmt: skip
    b = set_of(
        ("a_000001_000011", "test", "hatha yoga"), ("b_000001_000011", "val", "zumba"),
        ("b_000002_000012", "train", "zumba"), ("c_000001_000011", "train", "zumba"),
        ("e_000001_000011", "train", "archery"),
    )  # fmt: skip
    found = compare_sets(a, b)
    assert (found.shared_videos, found.shared_clips) == (3, 3)
    assert found.videos == {
        ("train", "test"): 1, ("val", "test"): 1, ("val", "val"): 1, ("val", "train"): 1,
        ("test", "train"): 1,
    }  # fmt: skip
    assert found.clips == {("train", "test"): 1, ("val", "val"): 1, ("test", "train"): 1}
    assert found.labels == {
        NO_LABEL: Shared(1, 1), "archery": Shared(0, 0), "yoga": Shared(1, 2), "zumba": Shared(1, 1)
    }  # fmt: skip
    # A clip without a label contradicts nothing.
    assert found.conflicts == {("yoga", "hatha yoga"): 1}
    said = as_json(found)
    assert said["clips"]["splits"]["train"] == {"train": 0, "val": 0, "test": 1}
    assert said["conflicts"]["labels"] == [
        {"a": "yoga", "b": "hatha yoga", "clips": 1, "examples": ["a_000001_000011"]}
    ]


@pytest.mark.parametrize(
    ("sets", "a", "b"),
    [([], None, None), (["x"], None, None), (["x", "y", "z"], None, None), ([], ["x"], None),
     (["x", "y"], ["z"], None), (["x"], ["y"], ["z"])],
)  # fmt: skip
def test_two_sets_are_needed(sets, a, b) -> None:
    with pytest.raises(UsageError, match="overlap takes two sets"):
        _two_sets(sets, a, b)


def test_a_set_may_be_several_files() -> None:
    assert _two_sets(["x", "y"], None, None) == (["x"], ["y"])
    assert _two_sets([], ["x", "y"], ["z"]) == (["x", "y"], ["z"])


def test_one_clip_is_told_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    a = set_of(("a_000001_000011", "train", "yoga"))
    b = set_of(("a_000001_000011", "val", "zumba"))
    _print(compare_sets(a, b))
    said = capsys.readouterr().out
    for line in ("1 clip of 1 video\n", "1 YouTube id is in both\n", "1 clip is in both\n",
                 "1 clip has another label in each\n"):  # fmt: skip
        assert line in said


# Files and outputs


def test_an_output_counts_its_listed_clips_and_files_all_of_theirs(ran: Ran) -> None:
    rows = all_rows(ran.output).values()
    output = read_set("A", [str(ran.output)], None)
    assert clips_of(output) == {
        row["clip_id"]: (row["split"], row["label"]) for row in rows if is_listed(row)
    }
    files = read_set("B", [str(ran.kinetics.annotations)], None)
    assert files.clips.keys() == {row["clip_id"] for row in rows}
    assert compare_sets(output, files).shared_clips == len(output.clips)


def test_what_is_no_set_is_said(tmp_path: Path, ran: Ran) -> None:
    gone = tmp_path / "gone.csv"
    with pytest.raises(InputError, match=f"^B {gone}: there is no such file or folder$"):
        read_set("B", [str(gone)], None)
    (tmp_path / "videos.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match=r"^A .*holds videos, no annotations"):
        read_set("A", [str(tmp_path)], None)


def test_the_command_prints_and_ends_with_0(ran: Ran) -> None:
    annotations = str(ran.kinetics.annotations)
    ended = run("overlap", annotations, str(ran.output))
    assert (ended.status, ended.err) == (0, "")
    clips = sum(map(len, ran.kinetics.clip_ids().values()))
    assert f"A  {annotations}: {clips} clips of {clips - 1} videos" in ended.out
    assert "train of A" in ended.out
    ended = run("overlap", "--a", annotations, "--b", str(ran.output), "--json", "--workers=2")
    said = json.loads(ended.out)
    assert said["videos"]["total"] == said["clips"]["total"] == said["b"]["clips"]
    ended = run("overlap", annotations)
    assert (ended.status, ended.out) == (2, "")
    assert "overlap takes two sets" in ended.complaint


def test_the_official_lists_of_two_versions_share_what_is_known_of_them() -> None:
    """Counted over ActivityNet's copies: 13,569 of the videos of Kinetics-400's val."""
    files = [SHARED / "annotations" / f"kinetics-{version}_val.csv" for version in (400, 600)]
    if not all(file.exists() for file in files):
        pytest.skip("no official annotations beside the project")
    found = compare_sets(*(read_set("A", [str(file)], None) for file in files))
    assert (found.shared_videos, found.videos) == (13_569, {("val", "val"): 13_569})
