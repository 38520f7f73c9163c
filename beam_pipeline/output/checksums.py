"""Checksums of the columns of a table, by which a manifest shows that it is as it was written."""

import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc


def checksum_of_text(text: str) -> int:
    """The CRC-32 of a text."""
    return zlib.crc32(text.encode())


def checksums_of(table: pa.Table) -> dict[str, int]:
    """The CRC-32 of each column's values; text, numbers or booleans, with or without nulls."""
    return {name: checksum_of(table.column(name)) for name in table.column_names}


def checksum_of(column: pa.ChunkedArray) -> int:
    """The CRC-32 of a column's values, however they are chunked."""
    checksum = zlib.crc32(f"{column.type} {len(column)}".encode())
    for part in _bytes_of(column):
        checksum = zlib.crc32(part, checksum)
    return checksum


def _bytes_of(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Which values are there, and the values; what a buffer holds in place of a null is not."""
    yield pc.cast(pc.is_valid(column), pa.int8()).to_numpy().tobytes()
    if pa.types.is_string(column.type):
        yield pc.fill_null(pc.binary_length(column), 0).to_numpy().tobytes()
        for chunk in pc.fill_null(column, "").chunks:
            _, offsets, values = chunk.buffers()
            if values is not None:
                ends = memoryview(offsets).cast("i")
                begin, end = ends[chunk.offset], ends[chunk.offset + len(chunk)]
                yield memoryview(values)[begin:end].tobytes()
        return
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    yield pc.fill_null(column, 0).to_numpy().tobytes()
