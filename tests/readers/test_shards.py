"""WebDataset shards in the loaders of Hugging Face and PyTorch, and in the example."""

import subprocess
from pathlib import Path

from tests.kinetics import ROOT, manifest
from tests.readers.outputs import PYTHON, ask


def listed(output: Path, split: str) -> list[list]:
    """Key, label id and SHA-256 of every clip, as the manifest has them."""
    return sorted(
        [row["clip_id"], row["label_id"], row["sha256"]] for row in manifest(output, split)
    )


def test_datasets_reads_every_split_from_the_folder(labelled: Path, tmp_path: Path) -> None:
    said = ask("datasets, shards", {"folder": f"{labelled}/webdataset", "cache": str(tmp_path)})
    for theirs, ours in {"train": "train", "test": "test"}.items():
        assert sorted(sample[:3] for sample in said[theirs]) == listed(labelled, ours)
        assert all(sha256 == stated for *_, sha256, stated in said[theirs])


def test_pytorch_reads_every_clip_once_through_several_workers(labelled: Path) -> None:
    said = ask("PyTorch, shards", {"shards": f"{labelled}/webdataset/train-{{000000..000000}}.tar"})
    assert sorted(said) == listed(labelled, "train")


def test_the_example_trains_a_step(labelled: Path) -> None:
    ended = subprocess.run(
        [PYTHON, ROOT / "examples" / "train_on_shards.py",
         f"{labelled}/webdataset/train-{{000000..000000}}.tar"],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "a step on (4, 3, 8, 112, 112)" in ended.stdout
