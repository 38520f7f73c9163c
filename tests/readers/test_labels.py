"""Readers of whole data sets find every clip, with the right label."""

import json
from pathlib import Path

import pytest

from tests.kinetics import manifest
from tests.readers.outputs import ask

CLASSES = ["air_drumming", "archery", "zumba"]


def samples(output: Path) -> list[list[int]]:
    """Label and frames of every training clip, as the manifest has them."""
    return sorted([row["label_id"], row["frames"]] for row in manifest(output, "train"))


def test_the_classes_are_numbered_by_their_names(labelled: Path) -> None:
    label2id = json.loads((labelled / "label2id.json").read_bytes())
    assert [name.replace(" ", "_") for name in label2id] == CLASSES


def test_videofolder_reads_the_folders_of_a_split(labelled: Path, tmp_path: Path) -> None:
    said = ask("videofolder", {"folder": f"{labelled}/videos/train", "cache": str(tmp_path)})
    assert said["classes"] == CLASSES
    assert sorted(said["samples"]) == samples(labelled)


def test_videofolder_numbers_unlabelled_clips_as_a_class(labelled: Path, tmp_path: Path) -> None:
    """A known limit: over all splits the folder ``unlabelled`` takes an id among the classes."""
    said = ask("videofolder", {"folder": f"{labelled}/videos", "cache": str(tmp_path)})
    assert said["classes"] == ["air_drumming", "archery", "unlabelled", "zumba"]
    assert len(said["samples"]) == len(samples(labelled))


@pytest.mark.parametrize("window", [4, 12])
def test_torchvision_reads_its_list(labelled: Path, window: int) -> None:
    said = ask(
        "torchvision.Kinetics", {"folder": f"{labelled}/lists/torchvision", "window": window}
    )
    assert said["classes"] == CLASSES
    assert sorted(said["samples"]) == [
        [label, window] for label, frames in samples(labelled) for _ in range(frames // window)
    ]


def test_pytorchvideo_reads_its_list(labelled: Path) -> None:
    said = ask(
        "pytorchvideo.Kinetics",
        {"list": f"{labelled}/lists/pytorchvideo/train.csv", "seconds": 0.38},
    )
    assert said["samples"] == [
        [row["label_id"], 10, Path(row["path"]).name] for row in manifest(labelled, "train")
    ]


def test_hugging_face_reads_its_list_with_our_ids(labelled: Path, tmp_path: Path) -> None:
    folder = f"{labelled}/lists/huggingface"
    said = ask("huggingface", {"folder": folder, "cache": str(tmp_path)})
    assert said["classes"] == [list(json.loads((labelled / "label2id.json").read_bytes()))]
    assert said["samples"] == {
        name: [
            [row["label_id"], row["frames"], row["clip_id"]] for row in manifest(labelled, split)
        ]
        for name, split in (("train", "train"), ("test", "test"))
    }


@pytest.mark.parametrize("split", ["train", "test"])
def test_fiftyone_reads_its_list(labelled: Path, split: str) -> None:
    folder = f"{labelled}/lists/fiftyone"
    said = ask("fiftyone", {"folder": folder, "list": f"{split}.csv"})
    assert sorted(said, key=lambda sample: sample["clip_id"]) == [
        {"path": f"{labelled}/{row['path']}", "kind": "video", "clip_id": row["clip_id"],
         "label_id": row["label_id"], "label": row["label"]}
        for row in manifest(labelled, split)
    ]  # fmt: skip
