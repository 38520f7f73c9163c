"""Rows of earlier runs, from row files and manifests."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import read_rows
from beam_pipeline.elements import Row
from beam_pipeline.errors import OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.row_log import ROWS_PER_FILE, RowLog
from tests.kinetics import configured

MADE = Row("abc_000001_000011", "abc", "val", "zumba", "resized", path="videos/a.mp4", bytes=3)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    config = configured("--output", str(tmp_path / "output"))
    assert list(prepare_output(config)) == []
    return config.output


def row_files(output: Output) -> list[Path]:
    return sorted(Path(output.url(output.state), "rows").iterdir())


def test_rows_are_there_as_soon_as_they_are_added(output: Output) -> None:
    log = RowLog(output)
    for number in range(ROWS_PER_FILE + 1):
        log.add(MADE._replace(bytes=number))
        read = [row for file in row_files(output) for row in read_rows(str(file))]
        assert sorted(row.bytes for row in read) == list(range(number + 1))
    assert len(row_files(output)) == 2


@pytest.mark.parametrize(
    "line", ["", '{"clip_id": "abc_0000', "12", json.dumps(MADE._asdict() | {"mood": "good"})]
)
def test_a_line_that_is_cut_or_of_another_version_costs_no_other(tmp_path: Path, line: str) -> None:
    file = tmp_path / "rows.jsonl"
    whole = json.dumps(MADE._asdict())
    file.write_text(f"{whole}\n{line}\n{whole}\n")
    assert list(read_rows(str(file))) == [MADE, MADE]


def test_a_manifest_gives_its_rows_whatever_the_order_of_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    rows = manifest.to_table([MADE, MADE._replace(status="missing")])
    pq.write_table(rows.select(manifest.COLUMNS[::-1]), file)
    assert list(read_rows(str(file))) == [MADE]


def test_a_table_without_clips_is_no_manifest(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    pq.write_table(manifest.to_table([MADE]).drop_columns(["clip_id"]), file)
    with pytest.raises(OutputError, match=f"{file} is damaged: .*clip_id.*--overwrite"):
        list(read_rows(str(file)))
