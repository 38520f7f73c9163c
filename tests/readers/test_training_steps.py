"""The examples of docs/trainers.md in Python: from a finished output to a training step."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import small_clip
from tests.docs.pages import ROOT, Block, blocks
from tests.kinetics import Kinetics
from tests.readers.outputs import PYTHON

EXAMPLES = [block for block in blocks(ROOT / "docs" / "trainers.md") if "loss" in block.text]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, readers_are_there: None) -> Path:
    """A folder with a prepared output named k400-256."""
    folder = tmp_path_factory.mktemp("training")
    kinetics = Kinetics(folder)
    for number in range(4):
        label = ("air drumming", "archery")[number % 2]
        kinetics.add(
            f"aaaaaaaa{number:03}_000001_000011", "train", label,
            small_clip(frames=60, size=(340, 256)),
        )  # fmt: skip
    ended = kinetics.write().prepare(
        folder / "k400-256",
        "--short_edge=256",
        "--list_format=torchvision,pytorchvideo,huggingface,webdataset",
    )
    assert ended.status == 0, ended.err
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda block: f"line {block.line}")
def test_an_example_trains_a_step(example: Block, folder: Path) -> None:
    ended = subprocess.run(
        [PYTHON, "-c", example.text], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("loss ")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


def test_the_example_of_shards_trains_a_step(folder: Path) -> None:
    script, shards = (
        ROOT / "examples" / "train_on_shards.py",
        "k400-256/webdataset/train-000000.tar",
    )
    ended = subprocess.run(
        [PYTHON, script, shards], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 0, ended.stderr
    assert "a step on (4, 3, 8, 112, 112)" in ended.stdout
