"""Rows of earlier runs, from row files and manifests."""

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from apache_beam import pvalue

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import NOTES, read_rows
from beam_pipeline.elements import Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.row_log import ROWS_PER_FILE, LoggedRows, RowLog, row_line
from tests.kinetics import configured

MADE = Row("abc_000001_000011", "abc", "val", "zumba", "resized", path="videos/a.mp4", bytes=3)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    config = configured("--output", str(tmp_path / "output"))
    assert list(prepare_output(config)) == []
    return config.output


def row_files(output: Output) -> list[Path]:
    return sorted(Path(output.url(output.state), "rows").iterdir())


def found_in(file: Path, folder: str = "/o") -> tuple[list[Row], list[str]]:
    """The rows that can be reused from a file of an output, and the notes about it."""
    found = list(read_rows(str(file), configured("--output", folder)))
    notes = [each for each in found if isinstance(each, pvalue.TaggedOutput)]
    assert {note.tag for note in notes} <= {NOTES}
    rows = [each for each in found if isinstance(each, Row) and each.status != "failed"]
    return rows, [note.value for note in notes]


def test_rows_are_there_as_soon_as_they_are_added(output: Output) -> None:
    log = RowLog(output)
    for number in range(ROWS_PER_FILE + 1):
        log.add(MADE._replace(bytes=number))
        read = [row for file in row_files(output) for row in found_in(file, output.root)[0]]
        assert sorted(row.bytes for row in read) == list(range(number + 1))
    assert len(row_files(output)) == 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"clip_id": "abc_0000',
        b"12",
        row_line(MADE).rstrip().replace(b"zumba", b"rumba"),
        row_line(MADE).rstrip()[:-1],
        row_line(MADE).partition(b"\t")[0],
        bytes(100),
    ],
)
def test_a_line_that_is_not_as_written_costs_no_other(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(row_line(MADE) + line + b"\n" + row_line(MADE))
    rows, notes = found_in(file)
    assert rows == [MADE, MADE]
    (note,) = notes
    assert "made again" in note


# Checksums


def write_rows(file: Path) -> None:
    file.write_bytes(b"".join(row_line(MADE._replace(frames=number)) for number in range(8)))


def write_manifest(file: Path) -> None:
    table = manifest.to_table([MADE._replace(frames=number) for number in range(8)])
    with file.open("wb") as opened:
        manifest.write_parquet(opened, [table], configured().identity())


@pytest.mark.parametrize(
    ("name", "write"), [("rows.jsonl", write_rows), ("val.parquet", write_manifest)]
)
def test_no_flipped_bit_changes_a_row(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    file = tmp_path / name
    write(file)
    whole, chance = file.read_bytes(), random.Random(1)
    rows, notes = found_in(file)
    assert (len(rows), notes) == (8, [])
    for _ in range(300):
        flipped = bytearray(whole)
        at = chance.randrange(len(whole))
        flipped[at] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        assert {*found_in(file)[0]} <= {*rows}, at


def test_a_manifest_gives_its_rows_whatever_the_order_of_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    write_manifest(file)
    rows, _ = found_in(file)
    kept = {k: v for k, v in pq.read_metadata(file).metadata.items() if k.startswith(b"beam_")}
    table = pq.read_table(file).select(manifest.COLUMNS[::-1])
    pq.write_table(table.replace_schema_metadata(kept), file)
    assert found_in(file) == (rows, [])


def test_a_table_without_clips_is_no_manifest(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    pq.write_table(manifest.to_table([MADE]).drop_columns(["clip_id"]), file)
    with pytest.raises(DamagedError, match=f"{file} is damaged: .*clip_id"):
        list(manifest.read_parquet(str(file)))
    assert found_in(file) == ([], [])


def test_manifests_of_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_manifest(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_manifest_of_other_settings_has_no_clips_to_reuse(tmp_path: Path) -> None:
    file = tmp_path / "val.parquet"
    write_manifest(file)
    assert list(read_rows(str(file), configured("--crf", "40"))) == []


# Counting the rows of other machines


def test_rows_of_all_workers_are_counted_as_they_come(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        "beam_pipeline.output.row_log.files.read",
        lambda url: (read.append(url), Path(url).read_bytes())[1],
    )
    logged = LoggedRows(output)
    logged.update()
    assert logged.rows == 0
    one, other = RowLog(output), RowLog(output)
    for log in (one, one, other):
        log.add(MADE._replace(source_bytes=5))
    logged.update()
    assert (logged.rows, logged.bytes_in, logged.bytes_out) == (3, 15, 9)
    other.add(MADE._replace(decode_errors=2))
    other.add(MADE._replace(status="failed", path=None))  # as a part does
    logged.update()
    assert (logged.rows, logged.damaged) == (4, 1)
    assert len(read) == 3  # what has not grown is not read again
