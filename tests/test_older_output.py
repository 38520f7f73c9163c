"""Outputs that an older release has made: other bytes do not mix, and columns may lack."""

import json
import zlib
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipeline.codec.settings import ENCODERS
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import read_rows
from beam_pipeline.elements import Row
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output import manifest
from tests.kinetics import configured

MADE = Row("a_000001_000011", "a", "val", "zumba", "resized", path="videos/val/a.mp4", bytes=9)


def older_output(folder: Path, **changed: object) -> Config:
    """The settings of a run in an output that is finished, with some of its settings changed."""
    config = configured("--output", str(folder))
    settings = {**config.identity(), **changed}
    (folder / "summary.json").write_text(
        json.dumps({"settings": {k: v for k, v in settings.items() if v is not None}})
    )
    return config


@pytest.mark.parametrize("revision", [None, 1], ids=["none", "another"])
@pytest.mark.parametrize("av", [{}, {"av": "17.0.0"}], ids=["same av", "other av"])
def test_an_output_with_other_bytes_is_refused(
    tmp_path: Path, revision: int | None, av: dict[str, str]
) -> None:
    config = older_output(tmp_path, revision=revision, **av)
    with pytest.raises(InputError, match=r"another release of this program.*--overwrite"):
        list(prepare_output(config))
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]


def test_a_flag_that_differs_is_named_beside_the_release(tmp_path: Path) -> None:
    config = older_output(tmp_path, revision=1, crf=30)
    with pytest.raises(InputError, match=r"--crf 30 \(now 23\), another release"):
        list(prepare_output(config))


OF_EARLIER_RELEASES = {"preset": "veryfast", "crf": 22, "gop": 32, "x264_params": None}


def test_an_output_of_a_release_without_named_sets_goes_on_with_its_preset(tmp_path: Path) -> None:
    config = older_output(tmp_path, **OF_EARLIER_RELEASES)
    advice = r"type --preset veryfast --crf 22 --gop 32 --tune psnr --coder cavlc to continue"
    with pytest.raises(InputError, match=advice):
        list(prepare_output(config))
    flags = ("--preset=veryfast", "--crf=22", "--gop=32", "--tune=psnr", "--coder=cavlc")
    list(prepare_output(configured("--output", str(tmp_path), *flags)))


def test_the_set_of_an_output_is_named(tmp_path: Path) -> None:
    small = {**asdict(ENCODERS["small"]), "crf": 20}
    older_output(tmp_path, **small)
    with pytest.raises(InputError, match="type --encoder small --crf 20 to continue"):
        list(prepare_output(configured("--output", str(tmp_path))))
    reads = {**asdict(ENCODERS["reads"]), "gop": 16}
    older_output(tmp_path, **reads)
    with pytest.raises(InputError, match="type --encoder reads --gop 16 to continue"):
        list(prepare_output(configured("--output", str(tmp_path))))


def test_a_set_that_this_release_lacks_is_said_so(tmp_path: Path) -> None:
    config = older_output(tmp_path, x264_params="bframes=16")
    with pytest.raises(InputError, match="install the release that made it to continue"):
        list(prepare_output(config))


def without_columns(file: Path, *names: str) -> None:
    with file.open("wb") as opened:
        manifest.write_parquet(opened, [manifest.to_table([MADE])])
    table = pq.read_table(file).drop_columns(list(names))
    pq.write_table(table.replace_schema_metadata(None), file)


def test_a_column_that_a_manifest_lacks_is_null(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    without_columns(file, "start", "sha256")
    (table,) = manifest.read_parquet(str(file))
    assert table.schema == manifest.SCHEMA
    assert [Row(*values) for values in manifest.values_of(table)] == [MADE]


def test_a_manifest_that_states_no_settings_has_no_clips_to_reuse(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    without_columns(file, "start")
    assert list(read_rows(str(file), configured())) == []


def test_a_column_that_a_row_file_lacks_is_null(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    columns = {name: value for name, value in MADE._asdict().items() if name != "start"}
    content = json.dumps(columns)
    file.write_text(f"{content}\t{zlib.crc32(content.encode()):08x}\n")
    assert list(read_rows(str(file), configured())) == [MADE]


def test_a_row_file_without_checksums_has_no_clips_to_reuse(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(MADE._asdict()) + "\n")
    assert [found for found in read_rows(str(file), configured()) if isinstance(found, Row)] == []


def test_a_table_that_is_no_manifest_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    pq.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(OutputError, match="no column clip_id"):
        list(manifest.read_parquet(str(file)))
