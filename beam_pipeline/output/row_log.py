"""The log of clips that a worker has made, so that another run can reuse them."""

import json
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from beam_pipeline.elements import LISTED, Row
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import ROWS, Output
from beam_pipeline.storage import files

ROWS_PER_FILE = 64

FLUSH_INTERVAL = 30.0
"""Seconds, in a bucket, where each flush is a request. On a disk every row is flushed."""


def row_line(row: Row) -> bytes:
    """The line of a row in a row file: JSON, a tab, and the CRC-32 of the JSON."""
    return checked_line(json.dumps(row._asdict()).encode())


def checked_line(content: bytes) -> bytes:
    """A line of a file of the state: JSON, a tab, and the CRC-32 of the JSON."""
    return b"%s\t%s\n" % (content, _checksum(content))


def parse_rows(data: bytes) -> Iterator[Row | None]:
    """The rows in a row file; None for a line that is not as it was written."""
    for content in parse_lines(data):
        try:
            yield None if content is None else Row(**json.loads(content))
        except (ValueError, TypeError):  # written by another version
            yield None


def parse_lines(data: bytes) -> Iterator[bytes | None]:
    """The JSON in the lines of a file of the state; None for a line that is not as it was."""
    for line in filter(None, data.split(b"\n")):
        content, _, checksum = line.rpartition(b"\t")
        yield content if checksum == _checksum(content) else None


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


class RowLog:
    """Rows of finished clips, in small files that are written atomically.

    A file is rewritten for each added row until it is full: object stores cannot append. Only
    then is it synced, so that a power cut takes no more rows than a file holds. Several logs may
    hold rows of the same clip.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._start_file()
        close_at_stop(self)

    def add(self, row: Row) -> None:
        """Add a row.

        On a disk, call this before the clip appears, so that every clip has a row. In a bucket,
        where rows are written in batches, call it after.
        """
        with self._lock:
            self._lines.append(row_line(row))
            full = len(self._lines) >= ROWS_PER_FILE
            due = time.monotonic() - self._flushed > FLUSH_INTERVAL
            if full or due or self._output.is_local:
                self._flush(synced=full)
            if full:
                self._start_file()

    def flush(self) -> None:
        """Write the rows that a bucket lacks: where losing them costs more than a request."""
        with self._lock:
            if self._lines and not self._output.is_local:
                self._flush()

    def close(self, *, synced: bool = False) -> None:
        """Flush all unwritten rows; ``synced`` on a disk, so that they survive a power cut."""
        with self._lock:
            if self._lines:
                self._flush(synced=synced)
                self._start_file()

    def _start_file(self) -> None:
        self._lines: list[bytes] = []
        self._name = f"{self._output.state}/{ROWS}/{uuid.uuid4().hex}.jsonl"
        self._flushed = time.monotonic()

    def _flush(self, *, synced: bool = False) -> None:
        self._output.write(self._name, b"".join(self._lines), synced=synced)
        self._flushed = time.monotonic()


class LoggedRows:
    """Counts the clips that all workers of a run have logged as made, also on other machines.

    A clip that was made twice counts twice. What was logged of clips that were not made, by a part
    or of a site, does not count.

    Attributes:
        rows: how many there are.
        bytes_in: of the sources of their clips.
        bytes_out: of the clips.
        damaged: how many of the clips were made from a damaged source.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._counted: dict[str, tuple[int | None, tuple[int, int, int, int]]] = {}
        self.rows = self.bytes_in = self.bytes_out = self.damaged = 0

    def update(self) -> None:
        """Count again, reading only files that have grown.

        Raises:
            OSError: they cannot be listed or read.
        """
        for entry in files.find(self._output.url(f"{self._output.state}/{ROWS}")):
            size, _ = self._counted.get(entry.url, (None, None))
            if entry.size != size:
                # Another worker may have finished the run, or the file may have grown once more.
                with suppress(FileNotFoundError):
                    counts = _count(files.read(entry.url))
                    self._counted[entry.url] = (entry.size, counts)
        every = [counts for _, counts in self._counted.values()]
        totals = map(sum, zip(*every, (0, 0, 0, 0), strict=True))
        self.rows, self.bytes_in, self.bytes_out, self.damaged = totals


def _count(data: bytes) -> tuple[int, int, int, int]:
    """The number of rows, the bytes of their sources and clips, and the number of damaged ones."""
    rows = [row for row in parse_rows(data) if row is not None and row.status in LISTED]
    return (
        len(rows),
        sum(row.source_bytes or 0 for row in rows),
        sum(row.bytes or 0 for row in rows),
        sum(row.is_damaged for row in rows),
    )


class _Log(Protocol):
    def close(self) -> None: ...


_open: "weakref.WeakSet[_Log]" = weakref.WeakSet()


def close_at_stop(log: _Log) -> None:
    """Have ``flush_all`` close a log, if it still exists then."""
    _open.add(log)


def flush_all(seconds: float) -> None:
    """Flush all row logs of this process, and what else is written beside them, in ``seconds``."""

    def close_all() -> None:
        for log in tuple(_open):
            with suppress(OutputError):
                log.close()

    thread = threading.Thread(target=close_all, daemon=True)  # storage may not respond
    thread.start()
    thread.join(seconds)
