"""The whole job for Kinetics-710: from three outputs, from annotations, from archives, buckets."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import TypeGuard

import apache_beam as beam
import pytest

from beam_pipeline import pipeline
from beam_pipeline.annotations.read_releases import (
    _data_set_of,
    find_manifests,
    limits_of,
    lost_folders,
)
from beam_pipeline.config import Config
from beam_pipeline.elements import PassedOver
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.kinetics710 import RELEASES, TITLES
from beam_pipeline.kinetics.label_map import read_label_map
from beam_pipeline.results.split_results import SplitResults
from beam_pipeline.results.warnings import warnings_about
from beam_pipeline.sources.list_tree import search_folder
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.kinetics import (
    SHORT_EDGE,
    Finished,
    Kinetics,
    all_rows,
    lines,
    manifest,
    run,
    snapshot,
    summary,
)
from tests.packing import pack

K400, K600, K700 = range(3)
SIZE = ("--short_edge", str(SHORT_EDGE))

TRAIN, VAL, TEST = "train", "val", "test"
CLIPS: dict[str, list[tuple[str, str, str | None]]] = {
    "kinetics400": [
        ("aOld_000001_000011", TRAIN, "tying tie"),
        ("bAll_000001_000011", TRAIN, "yoga"),
        ("cOther_000001_000011", TRAIN, "zumba"),
        ("dHeld_000001_000011", TRAIN, "zumba"),
        ("eVal_000001_000011", VAL, "sniffing"),
        ("fBoth_000001_000011", VAL, "zumba"),
        ("gUnequal_000001_000011", VAL, "yoga"),
    ],
    "kinetics600": [
        ("bAll_000001_000011", TRAIN, "yoga"),
        ("dHeld_000040_000050", VAL, "zumba"),
        ("fBoth_000001_000011", TEST, None),
        ("gUnequal_000001_000011", VAL, "zumba"),
        ("hBall_000001_000011", TRAIN, "throwing ball (not baseball or American football)"),
        ("iTest_000001_000011", TEST, None),
        ("lChop_000001_000011", VAL, "chopping vegetables"),
    ],
    "kinetics700_2020": [
        ("bAll_000001_000011", TRAIN, "zumba"),
        ("cOther_000070_000080", TRAIN, "yoga"),
        ("eVal_000090_000100", TRAIN, "zumba"),
        ("jVal_000001_000011", VAL, "yoga"),
        ("kTest_000001_000011", TEST, None),
    ],
}
EXPECTED = {
    "aOld_000001_000011": (TRAIN, "tying necktie"),
    "bAll_000001_000011": (TRAIN, "zumba"),
    "cOther_000070_000080": (TRAIN, "yoga"),
    "hBall_000001_000011": (TRAIN, "throwing ball"),
    "dHeld_000040_000050": (VAL, "zumba"),
    "eVal_000001_000011": (VAL, "smelling feet"),
    "fBoth_000001_000011": (VAL, "zumba"),
    "gUnequal_000001_000011": (VAL, "zumba"),
    "jVal_000001_000011": (VAL, "yoga"),
    "lChop_000001_000011": (VAL, "chopping vegetables"),
    "iTest_000001_000011": (TEST, None),
    "kTest_000001_000011": (TEST, None),
}
MERGED = {
    "stated": {
        "kinetics400": {"train": 4, "val": 3, "test": 0},
        "kinetics600": {"train": 2, "val": 3, "test": 2},
        "kinetics700_2020": {"train": 3, "val": 1, "test": 1},
    },
    "clips": 12,
    "repeated": 4,
    "other_clips": 1,
    "in_val_or_test": 2,
    "unequal_labels": 2,
    "val_and_test": 1,
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kinetics]:
    one = small_clip(frames=3)
    made = {}
    for release, clips in CLIPS.items():
        made[release] = Kinetics(tmp_path_factory.mktemp(release))
        for clip_id, split, label in clips:
            made[release].add(clip_id, split, label, one)
        made[release].write()
    return made


@pytest.fixture(scope="module")
def outputs(releases: dict[str, Kinetics], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Finished outputs of the three releases."""
    root = tmp_path_factory.mktemp("outputs")
    for release, kinetics in releases.items():
        ended = kinetics.prepare(root / release, "--label_map", DATASETS[release].label_map)
        assert ended.status == 0, ended.err
    return [root / release for release in releases]


def merge_outputs(
    outputs: list[Path], output: Path, *flags: str, command: tuple[str, ...] = ()
) -> Finished:
    return run(
        *command, "--dataset=kinetics710", "--resize=false", "--videos", *map(str, outputs),
        "--output", str(output), *flags,
    )  # fmt: skip


def check_rows(output: Path, *, label_map: str = "kinetics710") -> None:
    rows = all_rows(output)
    assert {clip_id: (row["split"], row["label"]) for clip_id, row in rows.items()} == EXPECTED
    ids = json.loads((output / "label2id.json").read_bytes())
    assert len(ids) == 710
    if label_map in ("kinetics710",):
        assert ids == read_label_map(label_map)
    for row in rows.values():
        assert row["label_id"] == (-1 if row["label"] is None else ids[row["label"]])
    assert summary(output)["merged"] == MERGED


def test_three_outputs_become_one_without_a_clip_made_again(
    outputs: list[Path], tmp_path: Path
) -> None:
    before = [snapshot(each) for each in outputs]
    output = tmp_path / "o710"
    ended = merge_outputs(outputs, output)
    assert (ended.status, ended.err) == (0, "")
    check_rows(output)
    assert [snapshot(each) for each in outputs] == before
    assert not (output / "videos").exists()
    for split in ("train", "val", "test"):
        rows = manifest(output, split)
        assert {row["status"] for row in rows} == {"listed"}
        assert {row["sha256"] for row in rows} == {row["frames"] for row in rows} == {None}
        assert lines(output / f"{split}.csv") == [
            f"{row['source']} {row['label_id']}" for row in rows
        ]
        assert all(Path(row["source"]).is_file() for row in rows)
    # Of a clip in several the first argument has the file; its label is that of the newest.
    row = all_rows(output)["bAll_000001_000011"]
    assert row["source"] == f"{outputs[K400]}/videos/train/yoga/bAll_000001_000011.mp4"
    said = summary(output)
    assert said["total"]["annotated"] == said["total"]["listed"] == 12
    assert said["settings"]["dataset"] == "kinetics710"
    assert said["inputs"]["annotations"] == sorted(
        f"{each}/manifest/{path.name}" for each in outputs for path in (each / "manifest").iterdir()
        if manifest(each, path.stem)
    )  # fmt: skip
    notes = "\n".join(said["warnings"])
    assert "merged 19 clips of Kinetics-400, Kinetics-600, Kinetics-700 into 12:" in notes
    assert "have that of the newest one: 2, first bAll_000001_000011" in notes
    assert "in val of one release and in test of another are in val: 1" in notes
    assert "note: merged 19 clips" in ended.out
    # Again: nothing changes.
    whole = snapshot(output)
    assert merge_outputs(outputs, output).status == 0
    assert snapshot(output) == whole


def test_the_annotations_themselves_give_the_same(
    releases: dict[str, Kinetics], outputs: list[Path], tmp_path: Path
) -> None:
    given = [str(each.annotations) for each in releases.values()]
    ended = merge_outputs(outputs, tmp_path / "o", "--annotations", *given)
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o")
    assert merge_outputs(outputs, tmp_path / "again").status == 0
    first, again = summary(tmp_path / "o"), summary(tmp_path / "again")
    for key in ("membership_fingerprint", "merged", "splits", "clips_by_class", "warnings"):
        assert first[key] == again[key]


def test_clips_are_made_in_the_folders_of_the_merged_classes(
    releases: dict[str, Kinetics], tmp_path: Path
) -> None:
    flags = ["--dataset=kinetics710", "--output", str(tmp_path / "o"), *SIZE]
    flags += ["--annotations", *(str(each.annotations) for each in releases.values())]
    flags += ["--videos", *(str(each.videos) for each in releases.values())]
    assert run(*flags, "--splits=val").status == 0
    assert {row["split"] for row in all_rows(tmp_path / "o").values()} == {"val"}
    of_val = snapshot(tmp_path / "o" / "videos")
    ended = run(*flags)
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o")
    rows = all_rows(tmp_path / "o")
    assert rows["aOld_000001_000011"]["path"] == (
        "videos/train/tying_necktie/aOld_000001_000011.mp4"
    )
    assert of_val.items() <= snapshot(tmp_path / "o" / "videos").items()  # none was made again
    assert summary(tmp_path / "o")["total"]["annotated"] == 12
    made = {path.stem for path in (tmp_path / "o" / "videos").rglob("*.mp4")}
    assert made == EXPECTED.keys()


def test_shards_are_packed_from_three_outputs_without_encoding(
    outputs: list[Path], tmp_path: Path
) -> None:
    ended = run(
        "--dataset=kinetics710", "--videos", *map(str, outputs), "--output", str(tmp_path / "o"),
        *SIZE, "--list_format=webdataset",
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o")
    assert {row["status"] for row in all_rows(tmp_path / "o").values()} == {"copied"}
    packed = summary(tmp_path / "o")["webdataset"]
    splits = Counter(split for split, _ in EXPECTED.values())
    assert {split: about["samples"] for split, about in packed.items()} == splits


def test_classes_splits_and_limit_are_those_of_the_merged_set(
    outputs: list[Path], tmp_path: Path
) -> None:
    flags = ("--classes", "zumba,smelling feet", "--splits=train,val", "--limit=3")
    ended = merge_outputs(outputs, tmp_path / "o", *flags)
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(tmp_path / "o")
    assert {clip_id: row["label"] for clip_id, row in rows.items()} == {
        "bAll_000001_000011": "zumba",
        "dHeld_000040_000050": "zumba",
        "eVal_000001_000011": "smelling feet",
    }
    assert summary(tmp_path / "o")["merged"] == MERGED
    ended = merge_outputs(outputs, tmp_path / "other", "--classes", "sniffing")
    assert ended.status == 1
    assert '--classes "sniffing": there is no such class' in ended.complaint


def test_the_ids_of_videomaev2(outputs: list[Path], tmp_path: Path) -> None:
    name = "videomaev2-kinetics710"
    ended = merge_outputs(outputs, tmp_path / "o", "--label_map", name)
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o", label_map=name)
    published = read_label_map(name)
    rows = all_rows(tmp_path / "o")
    assert rows["aOld_000001_000011"]["label_id"] == published["tying necktie"]
    assert rows["lChop_000001_000011"]["label_id"] == published["throwing ball"]


def test_the_same_from_a_bucket_to_a_bucket(outputs: list[Path], tmp_path: Path) -> None:
    with Buckets() as buckets:
        for each in outputs:
            buckets.put(each, each.name)
        roots = [f"gs://{BUCKET}/{each.name}" for each in outputs]
        ended = run(
            "--dataset=kinetics710", "--resize=false", "--videos", *roots,
            "--output", f"gs://{BUCKET}/o710", *buckets.flags,
        )  # fmt: skip
        assert (ended.status, ended.err) == (0, "")
        found = buckets.files("o710")
    said = json.loads(found["summary.json"])
    assert said["merged"] == MERGED
    listed = found["train.csv"].decode().splitlines()
    assert listed[0].startswith(f"{roots[K400]}/videos/train/tying_tie/aOld_000001_000011.mp4 ")
    assert len(listed) == 4


# What is no output, or not the right one


def test_releases_in_the_wrong_order_are_an_error(
    releases: dict[str, Kinetics], outputs: list[Path], tmp_path: Path
) -> None:
    given = [str(each.annotations) for each in releases.values()][::-1]
    ended = merge_outputs(outputs, tmp_path / "o", "--annotations", *given)
    assert ended.status == 1
    assert 'Kinetics-700 has no class "tying tie"' in ended.complaint
    assert "in the order Kinetics-400, Kinetics-600, Kinetics-700" in ended.complaint


def test_an_output_whose_settings_name_another_release_is_an_error(tmp_path: Path) -> None:
    """Also where no class tells: both have these."""
    one = Kinetics(tmp_path / "kinetics")
    one.add("a_000001_000011", TRAIN, "zumba", small_clip(frames=3))
    one.write()
    outputs = [tmp_path / release for release in RELEASES]
    for release, output in zip(RELEASES, outputs, strict=True):
        assert one.prepare(output, "--label_map", DATASETS[release].label_map).status == 0
    ended = merge_outputs([outputs[K600], outputs[K400], outputs[K700]], tmp_path / "o")
    assert ended.status == 1
    assert "/kinetics600 was made of Kinetics-600, and stands in the place of Kinetics-400" in (
        ended.complaint
    )
    assert "such as --videos k400-256 k600-256 k700-256" in ended.complaint
    assert merge_outputs(outputs, tmp_path / "o").status == 0


@pytest.mark.parametrize(
    ("dataset", "label_map", "named"),
    [
        ("kinetics700_2020", None, "kinetics700_2020"),
        ("kinetics400", "kinetics710", "kinetics400"),
        (None, "videomaev2-kinetics600", "kinetics600"),
        (None, "/my/map.txt", None),
        (None, None, None),
    ],
)
def test_the_settings_of_an_output_may_name_its_data_set(
    dataset: str | None, label_map: str | None, named: str | None
) -> None:
    assert _data_set_of(dataset, label_map) == named


def test_what_an_output_excludes_is_excluded_in_the_merged_set(
    releases: dict[str, Kinetics], outputs: list[Path], tmp_path: Path
) -> None:
    """By YouTube id, in its split; an excluded clip of val still keeps its video out of train."""
    benchmark = tmp_path / "benchmark.csv"
    ids = ["aOld", "cOther", "dHeld", "jVal"]
    benchmark.write_text(
        "youtube_id,time_start,time_end,split\n" + "".join(f"{each},1,11,test\n" for each in ids)
    )
    excluding = {}
    for number in (K400, K700):
        release, output = RELEASES[number], tmp_path / RELEASES[number]
        flags = ("--exclude_annotations", str(benchmark), "--exclude_from", "train,val")
        flags += ("--label_map", DATASETS[release].label_map)
        ended = releases[release].prepare(output, *flags)
        assert ended.status == 0, ended.err
        excluding[number] = output
    assert merge_outputs(outputs, tmp_path / "o").status == 0
    ended = merge_outputs([excluding[K400], outputs[K600], excluding[K700]], tmp_path / "o")
    assert (ended.status, ended.err) == (0, "")
    assert "train: 2 listed before, now left out by an output; files stay" in ended.out
    rows = all_rows(tmp_path / "o")
    assert rows.keys() == EXPECTED.keys()
    excluded = {clip_id for clip_id, row in rows.items() if row["status"] == "excluded"}
    # dHeld is excluded in train of Kinetics-400 alone, and in val here.
    assert excluded == {"aOld_000001_000011", "cOther_000070_000080", "jVal_000001_000011"}
    assert rows["aOld_000001_000011"]["detail"] == (
        f"its YouTube id is excluded in {excluding[K400]}/manifest/train.parquet row 1"
    )
    assert summary(tmp_path / "o")["merged"] == MERGED
    listed = "".join("".join(lines(tmp_path / "o" / f"{split}.csv")) for split in (TRAIN, VAL))
    assert not any(each in listed for each in ("aOld", "cOther", "jVal"))


def test_an_output_that_is_not_finished_is_an_error(outputs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(outputs[K600], tmp_path / "unfinished")
    (tmp_path / "unfinished" / "summary.json").unlink()
    ended = merge_outputs([outputs[K400], tmp_path / "unfinished", outputs[K700]], tmp_path / "o")
    assert ended.status == 1
    assert f"{tmp_path}/unfinished is an output that is not finished" in ended.complaint


def test_an_output_without_annotations_names_no_class(tmp_path: Path) -> None:
    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest" / "all.parquet").write_bytes(b"")
    (tmp_path / "summary.json").write_text('{"settings": {}, "splits": {}}')
    with pytest.raises(InputError, match="was made without annotations"):
        find_manifests(str(tmp_path))


def test_other_folders_and_files_are_no_outputs(outputs: list[Path], tmp_path: Path) -> None:
    assert find_manifests(str(tmp_path)) is None
    assert find_manifests(str(tmp_path / "*.csv")) is None
    assert find_manifests(str(outputs[K400] / "train.csv")) is None
    assert find_manifests("https://example.org/k400") is None
    found = find_manifests(str(outputs[K400]))
    assert found == [f"{outputs[K400]}/manifest/{split}.parquet" for split in (TRAIN, VAL, TEST)]


def test_a_damaged_manifest_is_one_line(outputs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(outputs[K600], tmp_path / "damaged")
    (tmp_path / "damaged" / "manifest" / "val.parquet").write_bytes(b"damage")
    ended = merge_outputs([outputs[K400], tmp_path / "damaged", outputs[K700]], tmp_path / "o")
    assert ended.status == 1
    assert "damaged/manifest/val.parquet was damaged" in ended.complaint
    assert "the command that made this output writes it anew" in ended.complaint


def test_an_output_of_some_clips_is_noted(
    releases: dict[str, Kinetics], outputs: list[Path], tmp_path: Path
) -> None:
    flags = ("--label_map", "kinetics700", "--limit=2", "--splits=train")
    assert releases["kinetics700_2020"].prepare(tmp_path / "some", *flags).status == 0
    given = [*outputs[:2], tmp_path / "some"]
    planned = merge_outputs(given, tmp_path / "o", "--json", command=("plan",))
    ended = merge_outputs(given, tmp_path / "o", "--path_prefix=/mnt/all")
    assert (ended.status, ended.err) == (0, "")
    *warnings, on_prefix = sorted(
        summary(tmp_path / "o")["warnings"], key=lambda each: "--path_prefix" in each
    )
    assert on_prefix.startswith("with --path_prefix '/mnt/all' the lists do not say")
    assert any(f"{tmp_path}/some was made with --limit" in warning for warning in warnings)
    assert any("no annotations of val and test of Kinetics-700" in each for each in warnings)
    assert json.loads(planned.out)["notes"] == warnings


def test_the_note_on_clips_without_a_label_names_no_csv_where_there_is_none() -> None:
    results = [SplitResults("train", Counter({("listed", None): 10}), unlabelled=1)]
    config = Config.from_flags(
        dataset="kinetics710", resize="false", videos=["/k400", "/k600", "/k700"], output="/o"
    )
    passed_over = {"folders": 0, "suffixes": {}}
    (note,) = (
        each for each in warnings_about(results, config, {}, 0, passed_over, None)
        if "has no label, and is listed with -1" in each
    )  # fmt: skip
    assert "CSV" not in note
    assert note.endswith("its failed.csv names the clips with conflicting annotations")


def test_every_flag_that_leaves_clips_out_is_noted(tmp_path: Path) -> None:
    settings = {"classes": ["zumba"], "limit": None, "limit_per_class": 5}
    (tmp_path / "summary.json").write_text(json.dumps({"settings": settings}))
    (note,) = limits_of(str(tmp_path))
    assert f"{tmp_path} was made with --classes and --limit_per_class: clips" in note


@pytest.mark.parametrize(
    ("flags", "noted"),
    [
        ({"path_prefix": "/mnt/all"}, True),
        ({"path_prefix": ""}, True),
        ({}, False),
        ({"path_prefix": "/mnt/all", "resize": "true"}, False),
        ({"path_prefix": "/mnt/all", "videos": ["/k400"]}, False),
    ],
)
def test_a_prefix_that_hides_which_output_holds_a_file_is_noted(
    flags: dict[str, str | list[str]], noted: bool
) -> None:
    given = {"resize": "false", "videos": ["/k400", "/k600", "/k700"], **flags}
    config = Config.from_flags(dataset="kinetics710", output="/o", **given)
    notes = list(lost_folders(config))
    assert len(notes) == noted
    assert all("do not say in which --videos argument a file is" in note for note in notes)


def is_passed_over(found: object) -> TypeGuard[PassedOver]:
    return isinstance(found, PassedOver)


def test_shards_and_lists_beside_the_clips_are_not_searched(tmp_path: Path) -> None:
    """They hold the same clips; without it a shard would end a run that makes none."""
    made = tmp_path / "output"
    (made / "videos" / "val" / "zumba").mkdir(parents=True)
    for folder in ("manifest", "webdataset", "lists"):
        (made / folder).mkdir()
    (made / "videos" / "val" / "zumba" / "a_000001_000011.mp4").write_bytes(b"1")
    pack(made / "webdataset" / "val-000000.tar", {"a_000001_000011.mp4": b"1"})
    top = (0, str(made), str(made))

    def found() -> list[str]:
        everything = search_folder(top, "/elsewhere")
        return sorted(Path(each.path).name for each in everything if not is_passed_over(each))

    assert found() == ["a_000001_000011.mp4", "val-000000.tar"]
    (made / "summary.json").write_text("{}")
    assert found() == ["a_000001_000011.mp4"]


# Conflicts and names


def write_csv(folder: Path, rows: list[tuple[str, str, str | None]]) -> Path:
    folder.mkdir(parents=True)
    text = "youtube_id,time_start,time_end,split,label\n"
    for clip_id, split, label in rows:
        youtube_id, start, end = clip_id.rsplit("_", 2)
        text += f"{youtube_id},{int(start)},{int(end)},{split},{label or ''}\n"
    (folder / "all.csv").write_text(text)
    return folder


def test_a_conflict_within_a_release_is_a_conflict_between_two_is_not(tmp_path: Path) -> None:
    one = small_clip(frames=3)
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("aIn", "bBetween"):
        (videos / f"{name}_000001_000011.mp4").write_bytes(one)
    within = [("aIn_000001_000011", TRAIN, "yoga"), ("aIn_000001_000011", TRAIN, "zumba")]
    a400 = write_csv(tmp_path / "a400", [("bBetween_000001_000011", TRAIN, "yoga")])
    a600 = write_csv(tmp_path / "a600", [("bBetween_000001_000011", TRAIN, "zumba")])
    a700 = write_csv(tmp_path / "a700", within)
    ended = run(
        "--dataset=kinetics710", "--resize=false", "--annotations", str(a400), str(a600), str(a700),
        "--videos", str(videos), "--output", str(tmp_path / "o"),
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(tmp_path / "o")
    assert rows["bBetween_000001_000011"]["label"] == "zumba"
    conflict = rows["aIn_000001_000011"]
    assert (conflict["status"], conflict["reason"]) == ("failed", "conflicting_annotations")
    assert f"yoga in {a700}/all.csv line 2; zumba in {a700}/all.csv line 3" in conflict["detail"]


def test_a_bare_id_is_ambiguous_if_a_clip_was_left_out_that_it_may_be(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "abc.mp4").write_bytes(small_clip(frames=3))
    (videos / "one.mp4").write_bytes(small_clip(frames=3))
    a400 = write_csv(tmp_path / "a400", [("abc_000001_000011", TRAIN, "yoga")])
    a600 = write_csv(tmp_path / "a600", [("one_000001_000011", TRAIN, "zumba")])
    a700 = write_csv(tmp_path / "a700", [("abc_000050_000060", TRAIN, "yoga")])
    ended = run(
        "--dataset=kinetics710", "--resize=false", "--annotations", str(a400), str(a600), str(a700),
        "--videos", str(videos), "--output", str(tmp_path / "o"),
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(tmp_path / "o")
    assert rows.keys() == {"abc_000050_000060", "one_000001_000011"}
    assert rows["abc_000050_000060"]["reason"] == "ambiguous"
    assert rows["one_000001_000011"]["status"] == "listed"
    assert summary(tmp_path / "o")["unannotated"] == 0


# From the public addresses, here of a copy

FOLDERS = {
    "kinetics400": ("400", "k400", "csv"),
    "kinetics600": ("600", "k600", "txt"),
    "kinetics700_2020": ("700_2020", "k700_2020", "csv"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three releases as CVDF has them, an archive a split."""
    root = tmp_path_factory.mktemp("site")
    one = small_clip(frames=3)
    for release, clips in CLIPS.items():
        folder, short, suffix = FOLDERS[release]
        at = root / "kinetics" / folder
        (at / "annotations").mkdir(parents=True)
        for split in (TRAIN, VAL, TEST):
            of_split = [clip for clip in clips if clip[1] == split]
            (at / split).mkdir()
            listed = f"https://s3.amazonaws.com/kinetics/{folder}/{split}/part_0.tar.gz\n"
            (at / split / f"{short}_{split}_path.txt").write_text(listed)
            pack(at / split / "part_0.tar.gz", {f"{clip_id}.mp4": one for clip_id, *_ in of_split})
            if suffix == "txt" and split != TEST:
                text = f"{split}:\n" + "".join(
                    f"\n{split}/{label}:\n{clip_id}.mp4\n" for clip_id, _, label in of_split
                )
                (at / "annotations" / f"{split}.txt").write_text(text)
            else:
                rows = write_csv(at / "csv" / split, of_split) / "all.csv"
                rows.rename(at / "annotations" / f"{split}.csv")
    pack(root / "kinetics/400/replacement_for_corrupted_k400.tgz", {"x_000001_000011.mp4": one})
    return root


def test_one_command_is_the_whole_job(site: Path, tmp_path: Path) -> None:
    ended = run(
        "--dataset=kinetics710", "--dataset_mirror", str(site), "--output", str(tmp_path / "o"),
        *SIZE,
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o")
    rows = all_rows(tmp_path / "o")
    assert {row["status"] for row in rows.values()} == {"resized"}
    # A clip that several archives hold is from that of the newest release.
    newest = f"{site}/kinetics/700_2020/train/part_0.tar.gz/"
    assert rows["bAll_000001_000011"]["source"] == f"{newest}bAll_000001_000011.mp4"


def test_folders_that_are_no_outputs_go_with_the_public_annotations(
    site: Path, releases: dict[str, Kinetics], outputs: list[Path], tmp_path: Path
) -> None:
    ended = run(
        "--dataset=kinetics710", "--dataset_mirror", str(site), "--resize=false",
        "--videos", str(releases["kinetics400"].videos), str(outputs[K600]), str(outputs[K700]),
        "--output", str(tmp_path / "o"),
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    check_rows(tmp_path / "o")
    read = summary(tmp_path / "o")["inputs"]["annotations"]
    assert [path for path in read if path.startswith(f"{site}/")] == [
        f"{site}/kinetics/400/annotations/train.csv", f"{site}/kinetics/400/annotations/val.csv",
    ]  # fmt: skip


def test_only_this_data_set_merges() -> None:
    """The steps of the merge are in no other graph."""

    def steps(dataset: str) -> set[str]:
        job = beam.Pipeline()
        pipeline.build(job, Config.from_flags(dataset=dataset, output="/o"))
        transforms = job.to_runner_api().components.transforms.values()
        return {name for each in transforms for name in each.unique_name.split("/")}

    assert "Merge releases" in steps("kinetics710")
    assert "Merge releases" not in steps("kinetics400")
    assert TITLES.keys() == set(RELEASES)
