"""The package from Python, with nothing but the names that it exports."""

from pathlib import Path

import apache_beam as beam
import pytest

from beam_pipeline import ClipSettings, Config, build, prepare, resize
from tests.kinetics import SHORT_EDGE, Kinetics, manifest, summary


@pytest.fixture
def config(few: Kinetics, tmp_path: Path) -> Config:
    return Config.from_flags(
        annotations=[few.annotations / f"{split}.*" for split in ("train", "val", "test")],
        videos=few.videos,
        output=tmp_path / "output",
        short_edge=SHORT_EDGE,
        splits=["train", "val"],
        upscale=False,
        workers=1,
    )


def test_a_data_set_is_prepared_from_python(config: Config, tmp_path: Path) -> None:
    said = prepare(config)
    assert said == summary(tmp_path / "output")
    assert said["total"]["resized"] == 2
    assert said["settings"]["upscale"] is False


def test_the_job_is_part_of_a_pipeline_of_ones_own(config: Config, tmp_path: Path) -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        build(pipeline, config)
    (row,) = manifest(tmp_path / "output", "train")
    assert row["status"] == "resized"


def test_a_flag_that_is_none_is_left_out() -> None:
    same = Config.from_flags(videos="/v", output="/o", limit=None, fps=None)
    assert (same.limit, same.clip) == (None, ClipSettings())


def test_one_file_is_resized_without_beam(one_clip: bytes, tmp_path: Path) -> None:
    source, output = tmp_path / "source.mp4", tmp_path / "clip.mp4"
    source.write_bytes(one_clip)
    outcome = resize(source, output, ClipSettings(short_edge=64))
    assert outcome.status == "resized"
    assert (outcome.facts.height, outcome.facts.bytes) == (64, output.stat().st_size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "source.mp4"]


def test_a_file_that_holds_no_clip_leaves_nothing(tmp_path: Path) -> None:
    source, output = tmp_path / "source.mp4", tmp_path / "clip.mp4"
    source.touch()
    outcome = resize(source, output)
    assert (outcome.status, outcome.reason) == ("failed", "empty_file")
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]
