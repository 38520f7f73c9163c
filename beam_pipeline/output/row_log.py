"""What a worker has made so far, so that another run need not make it again."""

import json
import threading
import time
import uuid
import weakref
from contextlib import suppress

from beam_pipeline.elements import Row
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import ROWS, Output

ROWS_A_FILE = 64

FLUSH_EVERY = 30.0
"""Seconds; of a bucket, where each flush is a request. On a disk every row is flushed."""


class RowLog:
    """Rows of finished clips, in small files that each appear whole.

    A file is written again with each row that joins it, and left alone once it is full: that
    works where files cannot be appended to. Several logs may hold rows of the same clip.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._start_file()
        _open.add(self)

    def add(self, row: Row) -> None:
        """Note a row.

        On a disk before its clip appears, so that no clip is without one. In a bucket, where
        rows are written together, after it.
        """
        with self._lock:
            self._lines.append(json.dumps(row._asdict()) + "\n")
            full = len(self._lines) >= ROWS_A_FILE
            late = time.monotonic() - self._flushed > FLUSH_EVERY
            if full or late or self._output.is_local:
                self._flush()
            if full:
                self._start_file()

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            if self._lines:
                self._flush()
                self._start_file()

    def _start_file(self) -> None:
        self._lines: list[str] = []
        self._name = f"{self._output.state}/{ROWS}/{uuid.uuid4().hex}.jsonl"
        self._flushed = time.monotonic()

    def _flush(self) -> None:
        self._output.write(self._name, "".join(self._lines).encode())
        self._flushed = time.monotonic()


_open: "weakref.WeakSet[RowLog]" = weakref.WeakSet()


def flush_all(seconds: float) -> None:
    """Write what this process has noted and not written yet, where that takes no longer."""

    def close_all() -> None:
        for log in tuple(_open):
            with suppress(OutputError):
                log.close()

    saving = threading.Thread(target=close_all, daemon=True)  # a storage fault is not waited for
    saving.start()
    saving.join(seconds)
