"""Every way people have their Kinetics: lists only, folders alone, other trainers' lists."""

import csv
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import trainers
from tests.kinetics import (
    ABOUT_AN_OUTPUT,
    SHARED,
    Finished,
    Kinetics,
    all_rows,
    check_output,
    clip_id_of,
    lines,
    manifest,
    run,
    snapshot,
    summary,
    table,
)

ANNOTATIONS = SHARED / "annotations"
READERS: dict[str, Callable[[Path], list[trainers.Sample]]] = {
    "slowfast": trainers.slowfast,
    "pytorchvideo": trainers.pytorchvideo,
    "mmaction2": trainers.mmaction2,
    "videomae": trainers.videomae,
}


def list_file(output: Path, name: str, split: str) -> Path:
    return (
        output / f"{split}.csv" if name == "slowfast" else output / "lists" / name / f"{split}.csv"
    )


def files_of(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def make_flat(folder: Path, one_clip: bytes) -> Kinetics:
    """Two classes in two splits, an unlabelled clip, one that is empty and one that is missing."""
    made = Kinetics(folder / "flat")
    made.add("aDrums_000001_000011", "train", "air drumming", one_clip)
    made.add("bZumba_000002_000012", "train", "zumba", one_clip, suffix=".webm")
    made.add("cDrums_000003_000013", "val", "air drumming", one_clip)
    made.add("dZumba_000004_000014", "val", "zumba", one_clip)
    made.add("eEmpty_000005_000015", "val", "zumba", b"")
    made.add("fMissing_000006_000016", "val", "zumba")
    made.add("gTest_000007_000017", "test", None, one_clip)
    return made.write()


@pytest.fixture
def flat(tmp_path: Path, one_clip: bytes) -> Kinetics:
    """A data set that a test may change."""
    return make_flat(tmp_path, one_clip)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """The same for several tests, none of which changes it."""
    return make_flat(tmp_path_factory.mktemp("still"), one_clip)


@pytest.fixture(scope="module")
def resized(still: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run with a list for every trainer; copy it before anything else."""
    output = tmp_path_factory.mktemp("resized") / "output"
    ended = still.prepare(
        output, "--list_format", "pytorchvideo,mmaction2", "videomae", "torchvision",
        "--layout=flat",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    return output


@pytest.fixture(scope="module")
def listed(still: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """The output of a run that lists the videos as they are, and how it ended."""
    output = tmp_path_factory.mktemp("listed") / "output"
    before = snapshot(still.root)
    ended = still.prepare(output, "--resize=false")
    assert snapshot(still.root) == before
    return output, ended


# --resize false


def test_videos_are_listed_as_they_are_where_they_are(
    still: Kinetics, listed: tuple[Path, Finished]
) -> None:
    output, ended = listed
    assert ended.status == 0, ended.err
    assert files_of(output) == {
        "train.csv", "val.csv", "test.csv", "manifest/train.parquet", "manifest/val.parquet",
        "manifest/test.parquet", "label2id.json", "missing.csv", "failed.csv",
        "damaged.csv", "report.html", "summary.json",
    }  # fmt: skip
    assert lines(output / "train.csv") == [
        f"{still.videos}/train/aDrums_000001_000011.mp4 0",
        f"{still.videos}/train/bZumba_000002_000012.webm 1",
    ]
    assert lines(output / "test.csv") == [f"{still.videos}/test/gTest_000007_000017.mp4 -1"]
    rows = all_rows(output)
    row = rows["aDrums_000001_000011"]
    assert row["status"] == "listed"
    assert row["source_bytes"] == len(snapshot(still.videos)["train/aDrums_000001_000011.mp4"][0])
    assert {row[column] for column in (*ABOUT_AN_OUTPUT, "has_audio")} == {None}
    assert rows["eEmpty_000005_000015"]["reason"] == "empty_file"
    assert rows["fMissing_000006_000016"]["reason"] == "no_file"
    said = summary(output)
    assert said["total"]["listed"] == 5
    assert said["fingerprint"] is None
    again = still.prepare(output, "--resize=false")
    assert "nothing was written" in again.out


def test_listed_videos_have_the_same_members_as_resized_ones(
    resized: Path, listed: tuple[Path, Finished]
) -> None:
    members = [summary(output)["membership_fingerprint"] for output in (resized, listed[0])]
    assert members[0] == members[1]


@pytest.mark.parametrize(("prefix", "begins"), [("", "train/"), ("/mnt/k400/", "/mnt/k400/train/")])
def test_listed_paths_can_be_relative_to_the_videos_folder(
    flat: Kinetics, tmp_path: Path, prefix: str, begins: str
) -> None:
    flat.prepare(tmp_path, "--resize=false", f"--path_prefix={prefix}")
    assert lines(tmp_path / "train.csv")[0] == f"{begins}aDrums_000001_000011.mp4 0"


def test_the_better_of_two_files_is_listed(flat: Kinetics, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "eEmpty_000005_000015.mp4").write_bytes(b"something")
    (other / "cDrums_000003_000013.mp4").write_bytes(b"something")
    run(
        "--annotations", str(flat.annotations), "--videos", str(flat.videos), str(other),
        "--output", str(tmp_path / "output"), "--resize=false",
    )  # fmt: skip
    rows = all_rows(tmp_path / "output")
    assert rows["eEmpty_000005_000015"]["source"] == f"{other}/eEmpty_000005_000015.mp4"
    assert rows["cDrums_000003_000013"]["source"].startswith(f"{flat.videos}/val/")


def test_a_path_that_slowfast_would_cut_is_named(tmp_path: Path, one_clip: bytes) -> None:
    kinetics = Kinetics(tmp_path / "spaces")
    path = kinetics.add("aDrums_000001_000011", "val", "air drumming", one_clip, "air drumming")
    kinetics.write()
    ended = kinetics.prepare(tmp_path / "output", "--resize=false")
    assert ended.status == 1
    assert f"SlowFast would misread the path '{path}'" in ended.complaint
    assert "--separator" in ended.complaint
    ended = kinetics.prepare(tmp_path / "output", "--resize=false", "--separator=,")
    assert ended.status == 0
    (sample,) = trainers.slowfast(tmp_path / "output" / "val.csv", ",")
    assert sample == trainers.Sample(str(path), 0)


def test_lists_of_videos_and_of_clips_do_not_mix(
    still: Kinetics, resized: Path, listed: tuple[Path, Finished]
) -> None:
    ended = still.prepare(resized, "--resize=false")
    assert ended.status == 1
    assert "--resize true (now false); type --resize true" in ended.complaint
    ended = still.prepare(listed[0])
    assert "--resize false (now true); type --resize false" in ended.complaint


def test_what_a_listing_names_is_listed_only_if_it_is_there(flat: Kinetics, tmp_path: Path) -> None:
    listing = tmp_path / "videos.txt"
    listing.write_text(
        f"{flat.videos}/train/aDrums_000001_000011.mp4\n"
        f"{flat.videos}/train/fMissing_000006_000016.mp4\n"
        f"{flat.videos}/val/eEmpty_000005_000015.mp4\n"
    )
    inputs = (str(flat.annotations / f"{split}.*") for split in ("train", "val", "test"))
    ended = run(
        "--annotations", *inputs, "--videos", str(listing), "--output", str(tmp_path / "o"),
        "--resize=false",
    )  # fmt: skip
    assert ended.status == 0
    rows = all_rows(tmp_path / "o")
    assert rows["aDrums_000001_000011"]["status"] == "listed"
    assert rows["fMissing_000006_000016"]["status"] == "missing"
    assert rows["eEmpty_000005_000015"]["reason"] == "empty_file"


# Without annotations


def make_folder(top: Path, one_clip: bytes) -> Path:
    """Videos of any name, below each other."""
    for name in ("a b/one.mp4", "a b/deep/er/two.MOV", "three.webm", "same.mp4", "same.mkv"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(one_clip)
    (top / "broken.mp4").write_bytes(b"broken")
    (top / "notes.txt").write_text("not a video")
    return top


@pytest.fixture
def folder(tmp_path: Path, one_clip: bytes) -> Path:
    """A folder that a test may change."""
    return make_folder(tmp_path / "any", one_clip)


@pytest.fixture(scope="module")
def still_folder(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Path:
    """The same for several tests, none of which changes it."""
    return make_folder(tmp_path_factory.mktemp("still") / "any", one_clip)


@pytest.fixture(scope="module")
def resized_folder(still_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run without annotations makes of it."""
    before = snapshot(still_folder)
    output = tmp_path_factory.mktemp("resized_folder") / "output"
    ended = resize_all(output, still_folder)
    assert ended.status == 0, ended.err
    assert snapshot(still_folder) == before
    return output


def resize_all(output: Path, *videos: Path, flags: tuple[str, ...] = (), start=run):
    return start("--videos", *map(str, videos), "--output", str(output), "--short_edge=64", *flags)


MADE = {"a b/one", "a b/deep/er/two", "three", "same"}


def test_every_video_is_resized_where_nothing_is_annotated(
    still_folder: Path, resized_folder: Path
) -> None:
    output = resized_folder
    assert files_of(output) == {
        *(f"videos/{name}.mp4" for name in MADE),
        "manifest/all.parquet", "failed.csv", "damaged.csv", "report.html", "summary.json",
    }  # fmt: skip
    rows = {row["clip_id"]: row for row in manifest(output, "all")}
    assert list(rows) == sorted({*MADE, "broken"})
    for name in MADE:
        row = rows[name]
        assert (row["status"], row["path"]) == ("resized", f"videos/{name}.mp4")
        assert (row["width"], row["height"]) == (86, 64)
        about = ("youtube_id", "split", "label", "label_id", "time_start", "time_end")
        assert {row[column] for column in about} == {None}
    assert rows["same"]["source"] == f"{still_folder}/same.mkv"
    assert rows["broken"]["reason"] == "not_a_video"
    assert [row["clip_id"] for row in table(output / "failed.csv")] == ["broken"]
    said = summary(output)
    assert (said["total"]["found"], said["total"]["resized"], said["total"]["failed"]) == (5, 4, 1)
    assert list(said["splits"]) == ["all"]
    (warning,) = said["warnings"]
    # same.mp4, for there is same.mkv
    assert "1 video was left out because another video has the same output path" in warning


def test_a_second_run_over_a_folder_writes_nothing(
    still_folder: Path, resized_folder: Path
) -> None:
    before = snapshot(resized_folder)
    ended = resize_all(resized_folder, still_folder)
    assert "nothing was written" in ended.out
    assert snapshot(resized_folder) == before


def test_more_videos_join_and_those_that_are_gone_stay(
    folder: Path, tmp_path: Path, one_clip: bytes
) -> None:
    output = tmp_path / "output"
    resize_all(output, folder)
    (folder / "three.webm").unlink()
    (folder / "four.mp4").write_bytes(one_clip)
    assert resize_all(output, folder).status == 0
    rows = {row["clip_id"]: row["status"] for row in manifest(output, "all")}
    assert rows == {**dict.fromkeys(MADE, "reused"), "four": "resized", "broken": "failed"}


def test_of_two_folders_the_first_wins_and_the_second_helps_out(
    folder: Path, tmp_path: Path, one_clip: bytes
) -> None:
    better = tmp_path / "better"
    (better / "a b").mkdir(parents=True)
    (better / "a b" / "one.webm").write_bytes(b"broken too")
    (better / "three.mp4").write_bytes(one_clip)
    output = tmp_path / "output"
    resize_all(output, better, folder)
    sources = {row["clip_id"]: row["source"] for row in manifest(output, "all")}
    assert sources["three"] == f"{better}/three.mp4"
    assert sources["a b/one"] == f"{folder}/a b/one.mp4"


def test_globs_files_and_listings_name_paths_below_their_folders(
    folder: Path, tmp_path: Path, one_clip: bytes
) -> None:
    elsewhere = tmp_path / "elsewhere.mp4"
    elsewhere.write_bytes(one_clip)
    (folder / "listing.txt").write_text(f"three.webm\n{elsewhere}\n")
    output = tmp_path / "output"
    ended = run(
        "--videos", f"{folder}/a*", f"{folder}/listing.txt", f"{folder}/same.mkv",
        "--output", str(output), "--short_edge=64",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    found = {row["clip_id"] for row in manifest(output, "all")}
    assert found == MADE | {str(elsewhere).removesuffix(".mp4").lstrip("/")}


def test_videos_that_would_go_where_another_goes_are_counted(
    folder: Path, tmp_path: Path, one_clip: bytes
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "three.mp4").write_bytes(one_clip)
    output = tmp_path / "output"
    for _ in ("makes", "finds"):  # the same is said of what is there already
        ended = resize_all(output, folder, other)
        (warning,) = summary(output)["warnings"]
        # same.mkv, three.mp4
        assert warning.startswith("2 videos were left out because another video has the same")
        assert warning[:40] in ended.out


def test_a_link_to_a_folder_above_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "a b" / "loop").symlink_to(folder)
    (folder / "a b" / "itself").symlink_to(folder / "a b")
    resize_all(tmp_path / "output", folder)
    assert {row["clip_id"] for row in manifest(tmp_path / "output", "all")} == {*MADE, "broken"}


def test_a_folder_without_a_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = resize_all(tmp_path / "output", tmp_path / "empty")
    assert ended.status == 1
    assert f"no video under {tmp_path}/empty" in ended.complaint


def test_an_output_below_the_videos_is_left_out_of_the_search(folder: Path) -> None:
    output = folder / "resized"
    resize_all(output, folder)
    resize_all(output, folder)
    assert {row["clip_id"] for row in manifest(output, "all")} == {*MADE, "broken"}


def test_a_trial_takes_the_first_of_a_folder(folder: Path, tmp_path: Path) -> None:
    resize_all(tmp_path, folder, flags=("--limit", "2"))
    assert [row["clip_id"] for row in manifest(tmp_path, "all")] == ["a b/deep/er/two", "a b/one"]


def test_a_path_in_a_listing_cannot_lead_out_of_the_output(tmp_path: Path, one_clip: bytes) -> None:
    (tmp_path / "up.mp4").write_bytes(one_clip)
    (tmp_path / "below").mkdir()
    listing = tmp_path / "below" / "listing.txt"
    listing.write_text(f"file://{tmp_path}/below/../up.mp4\n../up.mp4\n")
    output = tmp_path / "output"
    resize_all(output, listing)
    (row,) = manifest(output, "all")
    assert row["status"] == "resized"
    assert files_of(output) == {
        row["path"], "manifest/all.parquet", "failed.csv", "damaged.csv", "report.html",
        "summary.json",
    }  # fmt: skip


def test_a_folder_and_annotated_clips_do_not_mix(still: Kinetics, resized_folder: Path) -> None:
    ended = still.prepare(resized_folder)
    assert ended.status == 1
    assert "leave out --annotations to continue" in ended.complaint


# List formats


def test_each_trainer_reads_its_own_list(resized: Path) -> None:
    for split in ("train", "val", "test"):
        expected = [
            trainers.Sample(f"{resized}/{row['path']}", row["label_id"])
            for row in manifest(resized, split)
            if row["path"]
        ]
        for name, read in READERS.items():
            assert read(list_file(resized, name, split)) == expected
    assert summary(resized)["settings"]["list_format"] == [
        "slowfast", "pytorchvideo", "mmaction2", "videomae", "torchvision",
    ]  # fmt: skip


def test_spaces_in_a_path_are_for_each_trainer_as_it_can_take_them(
    flat: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "my data"
    ended = flat.prepare(
        output, "--separator=,", "--list_format=pytorchvideo", "--list_format=mmaction2,videomae"
    )
    assert ended.status == 0, ended.err
    readers = READERS | {
        "slowfast": lambda file: trainers.slowfast(file, ","),
        "mmaction2": lambda file: trainers.mmaction2(file, delimiter=","),
    }
    for name, read in readers.items():
        for sample in read(list_file(output, name, "train")):
            assert Path(sample.path).is_file()


@pytest.mark.parametrize(
    ("folder", "name", "trainer"),
    [
        ("line\u2028separator", "pytorchvideo", "SlowFast"),  # whose list is always there
        (" begins with a blank", "mmaction2", "mmaction2"),
    ],
)
def test_a_path_that_one_trainer_would_misread_is_named(
    tmp_path: Path, one_clip: bytes, folder: str, name: str, trainer: str
) -> None:
    kinetics = Kinetics(tmp_path / "odd")
    kinetics.add("aDrums_000001_000011", "val", "zumba", one_clip, folder)
    kinetics.videos.joinpath("val", folder).rename(kinetics.videos / folder)
    kinetics.write()
    ended = kinetics.prepare(
        tmp_path / "output", "--resize=false", "--path_prefix=", "--separator=,",
        "--list_format", name,
    )  # fmt: skip
    assert ended.status == 1
    path = f"{folder}/aDrums_000001_000011.mp4"
    assert f"{trainer} would misread the path {path!r}" in ended.complaint


def test_torchvision_finds_a_folder_for_each_class(resized: Path, tmp_path: Path) -> None:
    for split in ("train", "val"):
        samples = trainers.torchvision(resized / "lists" / "torchvision", split)
        assert [(Path(sample.path).stem, sample.label) for sample in samples] == [
            (row["clip_id"], row["label_id"])
            for row in sorted(
                manifest(resized, split), key=lambda row: (row["label"], row["clip_id"])
            )
            if row["path"]
        ]
        assert all(Path(sample.path).is_file() for sample in samples)
    moved = Path(shutil.copytree(resized, tmp_path / "moved", symlinks=True))
    linked = [path.readlink() for path in moved.glob("lists/torchvision/**/*.mp4")]
    assert linked
    assert not any(path.is_absolute() for path in linked)
    assert all(
        Path(sample.path).is_file()
        for sample in trainers.torchvision(moved / "lists" / "torchvision", "val")
    )


def test_links_follow_what_is_there(flat: Kinetics, tmp_path: Path, one_clip: bytes) -> None:
    output = tmp_path / "output"
    flat.prepare(output, "--list_format=torchvision")
    tree = output / "lists" / "torchvision"
    links = {path: path.lstat().st_mtime_ns for path in tree.rglob("*.mp4")}
    assert "nothing was written" in flat.prepare(output, "--list_format=torchvision").out
    assert links == {path: path.lstat().st_mtime_ns for path in tree.rglob("*.mp4")}
    (flat.videos / "val" / "eEmpty_000005_000015.mp4").write_bytes(one_clip)
    flat.prepare(output, "--list_format=torchvision")
    assert (tree / "val" / "zumba" / "eEmpty_000005_000015.mp4").is_file()
    flat.prepare(output, "--list_format=torchvision", "--limit=4", "--shrink")
    assert not (tree / "val" / "zumba" / "eEmpty_000005_000015.mp4").is_symlink()


def test_torchvision_links_to_videos_as_they_are(still: Kinetics, tmp_path: Path) -> None:
    still.prepare(tmp_path, "--resize=false", "--list_format=torchvision")
    samples = trainers.torchvision(tmp_path / "lists" / "torchvision", "train")
    assert [os.path.realpath(sample.path) for sample in samples] == [
        f"{still.videos}/train/aDrums_000001_000011.mp4",
        f"{still.videos}/train/bZumba_000002_000012.webm",
    ]


def test_a_class_that_torchvision_would_number_wrongly_is_named(
    flat: Kinetics, tmp_path: Path
) -> None:
    ended = flat.prepare(
        tmp_path / "output", "--label_map=kinetics400", "--list_format=torchvision"
    )
    assert ended.status == 1
    assert "air_drumming would get id 0 instead of 1" in ended.complaint
    assert not list((tmp_path / "output").glob("*.csv"))


@pytest.mark.parametrize("flags", [("--classes=zumba",), ("--label_map=kinetics400",)])
def test_a_class_that_torchvision_would_number_wrongly_is_named_before_the_first_clip(
    flat: Kinetics, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    ended = flat.prepare(tmp_path / "output", "--list_format=torchvision", *flags)
    assert ended.status == 1
    assert "has no clip in this split" in ended.complaint
    assert not list((tmp_path / "output").rglob("*.mp4"))


def test_no_list_is_replaced_where_torchvision_would_misread_one(
    flat: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    flat.prepare(output, "--splits=train,val")
    before = {name: content for name, (content, _) in snapshot(output).items()}
    (output / "videos/val/air_drumming/cDrums_000003_000013.mp4").unlink()
    (flat.videos / "val" / "cDrums_000003_000013.mp4").write_bytes(b"broken")
    ended = flat.prepare(
        output, "--splits=train,val", "--list_format=torchvision", "--path_prefix=/elsewhere"
    )
    assert ended.status == 1
    assert "of val in order: zumba would get id 0" in ended.complaint
    after = {name: content for name, (content, _) in snapshot(output).items()}
    lists = ("train.csv", "val.csv", "manifest/train.parquet", "manifest/val.parquet")
    assert all(before[name] == after[name] for name in (*lists, "summary.json"))


# Annotations that are not what they seem


def test_annotations_are_not_overwritten_by_the_lists(flat: Kinetics) -> None:
    before = snapshot(flat.annotations)
    for argument in (flat.annotations, flat.annotations / "val.csv"):
        ended = run(
            "--annotations", str(argument), "--videos", str(flat.videos),
            "--output", str(flat.annotations), "--resize=false",
        )  # fmt: skip
        if argument == flat.annotations:
            assert ended.status == 2
            assert f"{argument} is where --annotations are" in ended.complaint
        else:
            assert ended.status == 1
            assert re.search(rf"{flat.annotations}/(val|test)\.csv", ended.complaint)
        assert "type another --output" in ended.complaint
        assert {name: snapshot(flat.annotations)[name] for name in before} == before


def test_a_split_without_labels_is_told(flat: Kinetics, tmp_path: Path) -> None:
    val = flat.annotations / "val.csv"
    val.write_text(val.read_text().replace("label,", "class,", 1))
    ended = flat.prepare(tmp_path / "output", "--resize=false")
    assert "4 of 4 clips of val have no label" in ended.out
    assert "of test" not in ended.out
    val.write_text(val.read_text().replace("class,", "LABEL,", 1))
    ended = flat.prepare(tmp_path / "output", "--resize=false")
    assert "no label" not in ended.out


def test_annotations_of_nothing_are_told(flat: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("label,youtube_id,time_start,time_end\n")
    ended = run(
        "--annotations", str(tmp_path / "val.csv"), "--videos", str(flat.videos),
        "--output", str(tmp_path / "output"), "--resize=false",
    )  # fmt: skip
    assert f"there are no annotations in {tmp_path}/val.csv" in ended.out


# Archives of annotations


def test_annotations_come_in_an_archive(flat: Kinetics, tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "k.tar.gz", "w:gz") as archive:
        archive.add(flat.annotations, "kinetics")
    output = tmp_path / "output"
    ended = run(
        "--annotations", str(tmp_path / "k.tar.gz"), "--videos", str(flat.videos),
        "--output", str(output), "--short_edge=64",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    check_output(output, flat.clip_ids())


# The real annotations


@pytest.mark.skipif(not ANNOTATIONS.exists(), reason="no real annotations beside the project")
@pytest.mark.parametrize(
    ("stated", "labels"),
    [
        ({"val": "kinetics-400_val.csv", "test": "kinetics-400_test.csv"}, "label_map_k400.txt"),
        ({"val": "kinetics-600_val.csv"}, "label_map_k600.txt"),
    ],
)
def test_each_trainer_reads_the_real_annotations(
    tmp_path: Path, stated: dict[str, str], labels: str
) -> None:
    """Of three clips of each class, and of as many without one, there is a file of one byte."""
    published = (ANNOTATIONS / labels).read_text().splitlines()
    ids = {label: number for number, label in enumerate(published)}
    expected: dict[str, list[trainers.Sample]] = {split: [] for split in stated}
    for split, name in stated.items():
        there: Counter[str | None] = Counter()
        with (ANNOTATIONS / name).open(newline="") as file:
            for row in csv.DictReader(file):
                there[row.get("label")] += 1
                if there[row.get("label")] > (3 if "label" in row else 3 * len(ids)):
                    continue
                times = {"start": int(row["time_start"]), "end": int(row["time_end"])}
                label = row.get("label")
                folder = tmp_path / "videos" / split / (label or "").replace(" ", "_")
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{clip_id_of({**row, **times})}.mp4"
                path.write_bytes(b"1")
                expected[split].append(trainers.Sample(str(path), ids[label] if label else -1))
    output = tmp_path / "output"
    ended = run(
        "--annotations", *(str(ANNOTATIONS / name) for name in stated.values()),
        "--videos", str(tmp_path / "videos"), "--output", str(output), "--resize=false",
        "--list_format", *READERS, "torchvision",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    for split, samples in expected.items():
        samples.sort(key=lambda sample: Path(sample.path).stem)
        for name, read in READERS.items():
            assert read(list_file(output, name, split)) == samples
    linked = trainers.torchvision(output / "lists" / "torchvision", "val")
    assert sorted((os.path.realpath(sample.path), sample.label) for sample in linked) == sorted(
        (sample.path, sample.label) for sample in expected["val"]
    )


@pytest.mark.skipif(not ANNOTATIONS.exists(), reason="no real annotations beside the project")
def test_ten_classes_have_the_published_ids(tmp_path: Path, one_clip: bytes) -> None:
    published = (ANNOTATIONS / "label_map_k400.txt").read_text().splitlines()
    kinetics = Kinetics(tmp_path / "ten")
    for number, label in enumerate(published[7::40]):
        kinetics.add(f"clip{number}_000001_000011", "val", label, one_clip)
    kinetics.write().prepare(tmp_path / "output", "--label_map", "kinetics400")
    rows = all_rows(tmp_path / "output").values()
    assert len(rows) == 10
    assert all(published[row["label_id"]] == row["label"] for row in rows)
    assert json.loads((tmp_path / "output" / "label2id.json").read_bytes()) == {
        label: number for number, label in enumerate(published)
    }
