"""What a run has made already is not made again when a runner gives out its work once more."""

from pathlib import Path

import pytest

from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.output import rows_of_run
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.work.resize_clips import _Resize
from tests.conftest import small_clip
from tests.kinetics import configured

CLIP = Clip("a_000001_000011", "a", 1, 11, "train", "zumba", 0)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configured("--output", str(tmp_path / "output"), "--short_edge=32", "--workers=1")
    assert list(prepare_output(config)) == []
    return config


def work_on(config: Config, *sources: Path) -> Row:
    """The row that a worker, which has not worked before, gives for the clip."""
    stage = _Resize(config)
    stage.setup()
    stage.start_bundle()
    given = tuple((str(source), None) for source in sources)
    elements = list(stage.process(ResizeTask(CLIP, config.clip_path(CLIP), given)))
    elements += [windowed.value for windowed in stage.finish_bundle() if hasattr(windowed, "value")]
    stage.teardown()
    (row,) = (element for element in elements if isinstance(element, Row))
    return row


def made(config: Config) -> Path:
    return Path(config.output.root) / config.clip_path(CLIP)


def test_a_bundle_that_comes_again_makes_nothing_again(config: Config, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(small_clip(frames=5))
    first = work_on(config, source)
    before = made(config).stat()
    assert work_on(config, source) == first
    assert made(config).stat() == before


def test_what_the_rows_do_not_say_is_made(config: Config, tmp_path: Path) -> None:
    one, other = tmp_path / "a.mp4", tmp_path / "other.mp4"
    one.write_bytes(small_clip(frames=5))
    other.write_bytes(small_clip(frames=7))
    assert work_on(config, one).frames == 5
    assert work_on(config, other).frames == 7  # the clip that is there is of another source
    made(config).write_bytes(b"damaged")
    assert work_on(config, other).frames == 7
    assert len(made(config).read_bytes()) > 7


def test_a_clip_that_was_made_from_two_sources_is_made_again(
    config: Config, tmp_path: Path
) -> None:
    """Its file is of the second, whichever row is read; here both have the same size."""
    one, other = tmp_path / "a.mp4", tmp_path / "other.mp4"
    one.write_bytes(small_clip(frames=5))
    other.write_bytes(small_clip(frames=7))
    first = work_on(config, one)
    log = RowLog(config.output)
    log.add(first._replace(source=str(other), sha256="another"))
    log.close()
    made(config).write_bytes(bytes(first.bytes or 0))
    again = work_on(config, one)
    assert again.sha256 == first.sha256
    assert made(config).read_bytes() != bytes(first.bytes or 0)


def test_a_clip_with_other_bytes_once_is_made_again_for_good(config: Config) -> None:
    row = Row.of(CLIP, "resized", path=config.clip_path(CLIP), bytes=1, source="/a", sha256="1")
    log = RowLog(config.output)
    for sha256 in ("1", "2", "1", "2", "2"):
        log.add(row._replace(sha256=sha256, source=f"/{sha256}"))
    log.close()
    made(config).parent.mkdir(parents=True)
    made(config).write_bytes(b"1")
    rows = rows_of_run.RowsOfRun(config.output)
    assert [rows.find(str(row.path), source) for source in ("/1", "/2")] == [None, None]


def test_row_files_are_read_once_and_when_they_have_grown(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(small_clip(frames=5))
    row = work_on(config, source)
    read: list[str] = []
    rows_in = rows_of_run._rows_in
    monkeypatch.setattr(rows_of_run, "_rows_in", lambda url: read.append(url) or rows_in(url))
    rows = rows_of_run.RowsOfRun(config.output)
    assert rows.find("videos/none.mp4", str(source)) is None
    assert rows.find("videos/none.mp4", str(source)) is None
    assert len(read) == 1
    assert rows.find(str(row.path), str(source)) == row
    assert len(read) == 2  # the place of the row, and the row
