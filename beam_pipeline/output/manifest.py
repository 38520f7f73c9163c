"""The manifest: one row per annotated clip, as Parquet and CSV."""

import csv
import json
import types
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, TextIO, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beam_pipeline.elements import Row
from beam_pipeline.errors import DamagedError
from beam_pipeline.output.checksums import checksum_of, checksum_of_text, checksums_of
from beam_pipeline.output.csv_fields import as_text
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import Output
from beam_pipeline.storage import files

_ARROW_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _arrow_type(hint: Any) -> pa.DataType:
    if get_origin(hint) is types.UnionType:
        hint = get_args(hint)[0]
    return _ARROW_TYPES.get(hint, pa.string())  # ``Literal`` types are text


SCHEMA = pa.schema([(name, _arrow_type(get_type_hints(Row)[name])) for name in Row._fields])
COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [
        pa.array(values, type=field.type) for values, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


SETTINGS, CHECKSUMS = "beam_pipeline.settings", "beam_pipeline.checksums"
"""Keys of what a manifest states of itself, as JSON: with which settings its clips were made, and
the checksums of that text and of each column in each of its tables."""


def write_parquet(
    file: BinaryIO, tables: Iterable[pa.Table], settings: dict[str, Any] | None = None
) -> None:
    """Write tables one after the other, with at most one in memory.

    ``settings`` are those that decide bytes and paths of the clips, None if they are known
    otherwise.
    """
    stated = "" if settings is None else json.dumps(settings)
    checksums: list[Any] = [checksum_of_text(stated)]
    with pq.ParquetWriter(file, SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(len(table), 1))
            checksums.append(checksums_of(table))
        writer.add_key_value_metadata({SETTINGS: stated, CHECKSUMS: json.dumps(checksums)})


def read_parquet(
    url: str, columns: Sequence[str] = COLUMNS, settings: dict[str, Any] | None = None
) -> Iterator[pa.Table]:
    """The tables of a Parquet file, as they were written, one at a time.

    With ``settings`` there are none if the file does not state the same ones.

    Raises:
        DamagedError: the file is not as it was written, or is no manifest. The tables before
            that are as they were.
        OutputError: the file cannot be read.
        FileNotFoundError: there is no such file.
    """
    with _opened(url) as parquet:
        checksums = _checksums_of(parquet)
        if settings is not None and _settings_of(parquet) != settings:
            return
        for group in range(parquet.num_row_groups):
            yield _read_group(parquet, group, columns, checksums[group] if checksums else {})


def read_settings(url: str) -> dict[str, Any] | None:
    """The settings that a manifest states; None if it states none.

    Raises:
        DamagedError, OutputError, FileNotFoundError: as ``read_parquet``.
    """
    with _opened(url) as parquet:
        _checksums_of(parquet)
        return _settings_of(parquet)


@contextmanager
def _opened(url: str) -> Iterator[pq.ParquetFile]:
    try:
        with files.open_file(url) as file:
            yield pq.ParquetFile(file, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (OSError, LookupError, ValueError, TypeError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:  # Arrow's own have none
            raise read_error(url, error) from error
        raise DamagedError(url, error) from error


def _stated(parquet: pq.ParquetFile, key: str) -> str:
    text: bytes = (parquet.metadata.metadata or {}).get(key.encode(), b"")
    return text.decode()


def _settings_of(parquet: pq.ParquetFile) -> dict[str, Any] | None:
    text = _stated(parquet, SETTINGS)
    return json.loads(text) if text else None


REQUIRED_COLUMNS = {"clip_id", "status"}
"""Without these a file is no manifest. A manifest of an older release may lack others."""


def _checksums_of(parquet: pq.ParquetFile) -> list[dict[str, int]]:
    """The checksums of each table; none in a manifest of an older release, which lacks columns."""
    present = set(parquet.schema_arrow.names)
    if missing := REQUIRED_COLUMNS - present:
        raise KeyError(f"it has no column {min(missing)}")
    stated = _stated(parquet, CHECKSUMS)
    if not stated:
        if present >= set(COLUMNS):
            raise ValueError("it states no checksums")
        return []
    of_settings, *checksums = json.loads(stated)
    if of_settings != checksum_of_text(_stated(parquet, SETTINGS)):
        raise ValueError("its settings are not as they were written")
    if len(checksums) != parquet.num_row_groups:
        raise ValueError(f"it has {parquet.num_row_groups} tables instead of {len(checksums)}")
    return checksums


def _read_group(
    parquet: pq.ParquetFile, group: int, columns: Sequence[str], checksums: dict[str, int]
) -> pa.Table:
    """Columns of a row group, in this order; a column that the file lacks is null."""
    present = set(parquet.schema_arrow.names)
    table = parquet.read_row_group(group, columns=[name for name in columns if name in present])
    for name in columns:
        if name in checksums and (
            name not in present or checksum_of(table.column(name)) != checksums[name]
        ):
            raise ValueError(f"the column {name} is not as it was written")
        if name not in present:
            # A column of another release may be asked for, of which the type is not known here.
            kind = SCHEMA.field(name).type if name in COLUMNS else pa.null()
            nulls = pa.nulls(parquet.metadata.row_group(group).num_rows, kind)
            table = table.append_column(pa.field(name, kind), nulls)
    return table.select(list(columns))


def read_tables(
    output: Output, paths: Iterable[str], columns: Sequence[str] = COLUMNS
) -> Iterator[pa.Table]:
    """The tables of several files of an output, one after the other."""
    for path in paths:
        yield from read_parquet(output.url(path), columns)


ROWS_AT_ONCE = 10_000
"""Rows of a table that are Python objects at once: these take ten times the memory."""


def values_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The values of every row, in the order of the table's columns."""
    for batch in table.to_batches(ROWS_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def with_status(table: pa.Table, statuses: Sequence[str]) -> pa.Table:
    """The rows with one of these statuses."""
    return table.filter(pc.is_in(table.column("status"), value_set=pa.array(statuses)))


def in_step(
    streams: Iterable[Iterable[pa.Table]], columns: Sequence[str]
) -> Iterator[list[pa.Table]]:
    """The rows of several streams of tables that are sorted by clip_id, a range of it at a time.

    In each step every stream has a table with these columns, which may be empty, and all rows of
    one clip_id are in the same step. The ranges are in order. Of each stream one table is in
    memory.
    """
    empty = SCHEMA.empty_table().select(list(columns))
    waiting = [filter(len, tables) for tables in streams]
    tables = [next(later, empty) for later in waiting]
    while any(map(len, tables)):
        # What a stream has later comes behind the end of its table.
        end = min(table.column("clip_id")[-1].as_py() for table in tables if len(table))
        now = [pc.sum(pc.less_equal(table.column("clip_id"), end)).as_py() or 0 for table in tables]
        yield [table.slice(0, rows) for table, rows in zip(tables, now, strict=True)]
        rests = [table.slice(rows) for table, rows in zip(tables, now, strict=True)]
        tables = [
            rest if len(rest) else next(later, empty)
            for rest, later in zip(rests, waiting, strict=True)
        ]


LOOKED_FOR = ("clip_id", "split", "label", "status", "reason", "detail", "source")
"""The first columns of CSV files: what a person looks for in them."""

CSV_COLUMNS = (*LOOKED_FOR, *(name for name in COLUMNS if name not in LOOKED_FOR))


def write_csv(file: TextIO, tables: Iterable[pa.Table]) -> None:
    """Write tables as CSV with a header. None becomes an empty field, see also ``as_text``."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        for batch in table.select(CSV_COLUMNS).to_batches(ROWS_AT_ONCE):
            writer.writerows(zip(*map(_csv_fields, batch.columns), strict=True))


def _csv_fields(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if column.type != pa.string() or column.null_count == len(column):
        return values
    return [None if value is None else as_text(value) for value in values]
