"""The log of clips that a worker has made, so that another run can reuse them."""

import json
import threading
import time
import uuid
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from beam_pipeline.elements import Row
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import ROWS, Output

ROWS_PER_FILE = 64

FLUSH_INTERVAL = 30.0
"""Seconds, in a bucket, where each flush is a request. On a disk every row is flushed."""

SYNCED = json.dumps("synced")
"""The last line of a row file whose clips have been synced since they appeared."""


class RowFile(NamedTuple):
    """What a row file holds: its rows, and the number of lines that are not as written.

    ``synced``: the clips of all rows were on the disk when the file was written.
    """

    rows: list[Row]
    damaged: int
    synced: bool


def parse_rows(data: bytes) -> RowFile:
    """Read a row file. Only lines whose checksum is right count."""
    rows: list[Row] = []
    damaged, synced = 0, False
    for line in filter(None, data.split(b"\n")):
        content, _, checksum = line.rpartition(b"\t")
        if checksum != _checksum(content):
            damaged += 1
        elif content == SYNCED.encode():
            synced = True
        else:
            try:
                rows.append(Row(**json.loads(content)))
            except (ValueError, TypeError):  # written by another version
                damaged += 1
    return RowFile(rows, damaged, synced)


def row_line(row: Row) -> bytes:
    """The line of a row: JSON, a tab, and the CRC-32 of the JSON."""
    return _line(json.dumps(row._asdict()))


def _line(content: str) -> bytes:
    return b"%s\t%s\n" % (content.encode(), _checksum(content.encode()))


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


@dataclass
class _File:
    """A row file. ``expected`` counts rows whose clip is still to appear."""

    name: str
    lines: list[bytes] = field(default_factory=list)
    expected: int = 0
    ended: bool = False
    flushed: float = field(default_factory=time.monotonic)


class RowLog:
    """Rows of finished clips, in small files that are written atomically.

    A file is rewritten for each added row until it is full: object stores cannot append. Several
    logs may hold rows of the same clip. On a disk, the clips of a full file are synced, all in
    one go, and then the file says so: a power cut takes nothing that it names.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._file = self._new_file()
        self._ready: list[_File] = []  # they have ended, and their clips have appeared
        self._dirty = False  # whether a clip has appeared since the last sync
        _open.add(self)

    @contextmanager
    def recording(self, row: Row) -> Iterator[None]:
        """Add the row of the clip that appears in this block.

        On a disk the row comes first, so that every clip has one. In a bucket, where rows are
        written in batches, it comes after.
        """
        local = self._output.is_local
        if not local:
            yield
        with self._lock:
            file = self._file
            file.lines.append(row_line(row))
            file.ended = len(file.lines) >= ROWS_PER_FILE
            if local or file.ended or time.monotonic() - file.flushed > FLUSH_INTERVAL:
                self._flush(file)
            if file.ended:
                self._file = self._new_file()
            file.expected += local
        if local:
            yield
            with self._lock:
                self._dirty = True
                file.expected -= 1
                ready = self._is_ready(file)
            if ready:
                self._sync(blocking=False)

    def close(self) -> None:
        """Flush all unwritten rows, and sync the clips of this log.

        Raises:
            OutputError: a row or a clip cannot be written.
        """
        with self._lock:
            file, self._file = self._file, self._new_file()
            if file.lines:
                file.ended = True
                self._flush(file)
                self._is_ready(file)
        self._sync(blocking=True)

    def flush(self) -> None:
        """Write all unwritten rows."""
        with self._lock:
            if self._file.lines and not self._output.is_local:
                self._flush(self._file)

    def _new_file(self) -> _File:
        return _File(f"{self._output.state}/{ROWS}/{uuid.uuid4().hex}.jsonl")

    def _flush(self, file: _File) -> None:
        self._output.write(file.name, b"".join(file.lines), synced=False)
        file.flushed = time.monotonic()

    def _is_ready(self, file: _File) -> bool:
        """Whether all clips of a file that has ended have appeared: then they can be synced."""
        ready = self._output.is_local and file.ended and not file.expected
        if ready:
            self._ready.append(file)
        return ready

    def _sync(self, *, blocking: bool) -> None:
        """Sync the clips that have appeared, and then say so in the files that are ready.

        A sync may wait for much that other programs have written. Meanwhile clips are made: not
        ``blocking``, a thread leaves its file to the next sync if another thread is at it.
        """
        if not self._syncing.acquire(blocking=blocking):
            return
        try:
            with self._lock:
                ready, self._ready = self._ready, []
                dirty, self._dirty = self._dirty, False
            if dirty:
                self._output.sync()
            for file in ready:
                file.lines.append(_line(SYNCED))
                self._flush(file)
        finally:
            self._syncing.release()


_open: "weakref.WeakSet[RowLog]" = weakref.WeakSet()


def flush_all(seconds: float) -> None:
    """Flush all row logs of this process, within ``seconds``."""

    def flush_each() -> None:
        for log in tuple(_open):
            with suppress(OutputError):
                log.flush()

    thread = threading.Thread(target=flush_each, daemon=True)  # storage may not respond
    thread.start()
    thread.join(seconds)
