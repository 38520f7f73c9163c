"""The lists that a run writes: in every format, for every split, with val as test."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from beam_pipeline.errors import UsageError
from beam_pipeline.output.huggingface import read_huggingface
from beam_pipeline.results.lists_of_test import notes_on, other_lists_of_test
from tests import trainers
from tests.conftest import small_clip
from tests.kinetics import Kinetics, configured, is_listed, lines, manifest, run, snapshot, summary

FORMATS = "videomae,videomae-pretrain,frames,fiftyone,torchvision,huggingface"


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """Two classes in train and val, and test clips without labels."""
    made = Kinetics(tmp_path_factory.mktemp("kinetics"))
    for number, (split, label) in enumerate(
        [("train", "zumba"), ("train", "air drumming"), ("val", "zumba"), ("val", "air drumming"),
         ("val", "zumba"), ("test", None)]
    ):  # fmt: skip
        made.add(f"clip{number}_000001_000011", split, label, small_clip(frames=3 + number))
    made.add("missing_000001_000011", "val", "zumba")
    return made.write()


@pytest.fixture(scope="module")
def output(kinetics: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lists") / "output"
    ended = kinetics.prepare(output, "--list_format", FORMATS, "--test_from", "val")
    assert ended.status == 0, ended.err
    assert "Lists (train.csv, val.csv, test.csv)" in ended.out
    return output


def listed(output: Path, split: str) -> list[dict]:
    return [row for row in manifest(output, split) if is_listed(row)]


@pytest.mark.parametrize(("name", "split"), [("train", "train"), ("val", "val"), ("test", "val")])
def test_every_trainer_reads_the_clips_of_a_split(output: Path, name: str, split: str) -> None:
    rows = listed(output, split)
    paths, lists = [f"{output}/{row['path']}" for row in rows], output / "lists"
    labels = [trainers.Sample(path, row["label_id"]) for path, row in zip(paths, rows, strict=True)]
    assert trainers.slowfast(output / f"{name}.csv") == labels
    assert trainers.videomae(lists / "videomae" / f"{name}.csv") == labels
    assert trainers.videomae_pretraining(lists / "videomae-pretrain" / f"{name}.csv") == [
        (path, 0, -1) for path in paths
    ]
    assert trainers.raw_frames(lists / "frames" / f"{name}.csv") == [
        (path, row["frames"], row["label_id"]) for path, row in zip(paths, rows, strict=True)
    ]
    samples = trainers.fiftyone(lists / "fiftyone" / f"{name}.csv")
    assert {(each["filepath"], each["ground_truth"], each["clip_id"]) for each in samples} == {
        (path, row["label"], row["clip_id"]) for path, row in zip(paths, rows, strict=True)
    }
    found = trainers.torchvision(lists / "torchvision", name)
    assert sorted((Path(each.path).stem, each.label) for each in found) == [
        (row["clip_id"], row["label_id"]) for row in rows
    ]
    data = (lists / "huggingface" / f"{name}.parquet").read_bytes()
    assert read_huggingface(data) == [
        (path, row["label_id"], row["clip_id"]) for path, row in zip(paths, rows, strict=True)
    ]


def test_hugging_faces_lists_name_all_classes(output: Path) -> None:
    for name in ("train", "val", "test"):
        schema = pq.read_schema(output / "lists" / "huggingface" / f"{name}.parquet")
        assert b'"names": ["air drumming", "zumba"]' in schema.metadata[b"huggingface"]


def test_clips_of_test_keep_their_rows_where_val_is_listed(output: Path) -> None:
    (row,) = listed(output, "test")
    assert (output / row["path"]).exists()
    assert not any(row["clip_id"] in line for line in lines(output / "test.csv"))
    assert summary(output)["settings"]["test_from"] == "val"


def test_verify_knows_from_which_split_a_list_is(output: Path) -> None:
    assert run("verify", "--quick", str(output)).status == 0
    file, link = output / "test.csv", next((output / "lists" / "torchvision" / "test").rglob("*4"))
    text, target = file.read_text(), link.readlink()
    try:
        file.write_text(text[: text.index("\n") + 1])
        link.unlink()
        ended = run("verify", "--quick", str(output))
        assert ended.status == 1
        assert "test.csv: line 2 is missing" in ended.out
        assert f"{link.relative_to(output)}: there is no such link" in ended.out
    finally:
        file.write_text(text)
        link.symlink_to(target)


def test_a_run_without_test_still_lists_val_as_test(kinetics: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "test.csv").write_text("mine\n")
    flags = ("--resize=false", "--splits", "train,val", "--test_from=val")
    ended = kinetics.prepare(output, *flags)
    assert ended.status == 1
    assert "test.csv is no file of this program" in ended.complaint
    (output / "test.csv").unlink()
    assert kinetics.prepare(output, *flags).status == 0
    assert lines(output / "test.csv") == lines(output / "val.csv") != []
    assert list(summary(output)["splits"]) == ["train", "val"]
    before = snapshot(output)
    assert kinetics.prepare(output, *flags).status == 0
    assert snapshot(output) == before
    # What test holds itself, once it is asked for.
    assert kinetics.prepare(output, "--resize=false").status == 0
    assert [line.rpartition(" ")[2] for line in lines(output / "test.csv")] == ["-1"]


def test_a_split_without_clips_has_no_list_for_hugging_face(
    kinetics: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    flags = ("--resize=false", "--list_format=huggingface")
    folder = output / "lists" / "huggingface"
    assert kinetics.prepare(output, *flags).status == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "test.parquet", "train.parquet", "val.parquet"
    ]  # fmt: skip
    test = str(kinetics.annotations / "test.csv")
    ended = kinetics.prepare(
        output, *flags, "--exclude_annotations", test, "--exclude_from", "test"
    )
    assert ended.status == 0, ended.err
    assert sorted(path.name for path in folder.iterdir()) == ["train.parquet", "val.parquet"]
    assert "lists/huggingface/test.parquet" not in summary(output)["lists"]
    assert lines(output / "test.csv") == []
    assert run("verify", "--quick", str(output)).status == 0


def test_a_list_for_hugging_face_that_no_run_has_written_is_left(
    kinetics: Kinetics, tmp_path: Path
) -> None:
    output, test = tmp_path / "output", str(kinetics.annotations / "test.csv")
    assert kinetics.prepare(output, "--resize=false").status == 0
    mine = output / "lists" / "huggingface" / "test.parquet"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    flags = ("--resize=false", "--list_format=huggingface", "--exclude_from=test")
    ended = kinetics.prepare(output, *flags, "--exclude_annotations", test)
    assert ended.status == 0, ended.err
    assert mine.read_bytes() == b"mine"
    assert "lists/huggingface/test.parquet is not what the last finished run had" in ended.out
    assert "it was left as it is" in ended.out


def test_lists_of_test_with_other_clips_than_this_run_says_are_noted(
    kinetics: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    flags = ("--list_format=huggingface,torchvision", "--splits=train,val", "--test_from=val")
    assert kinetics.prepare(output, *flags).status == 0
    assert "lists_of_test" not in summary(output)
    for _ in range(2):  # also if nothing changes
        ended = kinetics.prepare(output, "--splits=test")
        assert ended.status == 0, ended.err
        assert "lists/huggingface/test.parquet holds the clips of val" in ended.out
        assert "run with --list_format torchvision, or remove it" in ended.out
        assert summary(output)["lists_of_test"] == {
            "lists/huggingface/test.parquet": "val", "lists/torchvision/test": "val",
        }  # fmt: skip
        assert run("verify", "--quick", str(output)).status == 0
    ended = kinetics.prepare(output, *flags[:1], "--splits=test")
    assert "holds the clips of val" not in ended.out
    assert "lists_of_test" not in summary(output)


def test_a_list_of_test_that_was_not_asked_for_is_noted_with_the_split() -> None:
    earlier = {"settings": {"test_from": "val"}}
    lists = ["test.csv", "train.csv", "lists/frames/test.csv"]
    config = configured("--splits=train")
    held = other_lists_of_test(earlier, lists, ["train.csv"], config)
    assert held == {"test.csv": "val", "lists/frames/test.csv": "val"}
    notes = list(notes_on(held, config))
    assert notes[0].endswith("run with --list_format frames --splits test, or remove it")
    assert notes[1].endswith("run with --splits test, or remove it")
    # Back again: they hold what is asked for.
    again = {"settings": {"test_from": "test"}, "lists_of_test": held}
    config = configured("--splits=train,val", "--test_from=val")
    assert other_lists_of_test(again, lists, [], config) == {}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--test_from=val", "--splits=train"), "--splits leaves val out; type --splits val,train"),
        (("--test_from=train",), "--test_from: there is no 'train'"),
        (("--list_format=frames", "--resize=false"), "--resize false opens none"),
        (("--list_format=frame",), "type one or more of .*videomae-pretrain,frames,fiftyone"),
    ],
)
def test_what_has_no_list_is_refused(flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configured(*flags)


def test_a_path_with_a_space_is_refused_before_clips_are_made_where_it_would_be_misread(
    kinetics: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "my output"
    ended = kinetics.prepare(output, "--separator=,", "--list_format=videomae-pretrain")
    assert ended.status == 1
    assert "VideoMAEv2's pre-training would misread the path" in ended.complaint
    assert not (output / "videos").exists()
    ended = kinetics.prepare(output, "--separator=,", "--list_format=fiftyone,huggingface")
    assert ended.status == 0, ended.err
