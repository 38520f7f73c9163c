"""What this run has made already, on any worker: work that comes again is not done again."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from beam_pipeline.elements import Row
from beam_pipeline.output.output_folder import ROWS, Output
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files

LOOK_AGAIN = 30.0
"""Seconds between two looks at the row files. A clip that was made since is made again: in a bucket
each look is a request, and one for every new file, so clips are not asked for one by one."""

THREADS = 16
"""Row files that are read at once: in a bucket each is a request."""


class RowsOfRun:
    """The rows in this run's own row files.

    When a worker dies, a runner gives all that it had begun to others. They look here first.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._disputed: set[str] = set()  # paths of clips that were made from several sources
        self._read: dict[str, int | None] = {}
        self._looked: float | None = None

    def find(self, path: str, source: str) -> Row | None:
        """The row of the clip at ``path``, if this run has made it from ``source``."""
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked > LOOK_AGAIN:
                self._look()
                self._looked = time.monotonic()
            row = None if path in self._disputed else self._rows.get(path)
        if row is None or row.source != public_address(source):
            return None
        try:
            there = files.info(self._output.url(path)).size == row.bytes
        except OSError:
            return None
        return row if there else None

    def _look(self) -> None:
        """Read the row files that are new, or have grown."""
        folder = self._output.url(f"{self._output.state}/{ROWS}")
        try:
            found = {entry.url: entry.size for entry in files.list_folder(folder)}
        except OSError:  # none yet; a fault costs no more than the work
            return
        changed = [url for url, size in found.items() if self._read.get(url, -1) != size]
        with ThreadPoolExecutor(THREADS) as threads:
            for rows in threads.map(_rows_in, changed):
                for row in rows:
                    if row.path:
                        if row.contradicts(self._rows.setdefault(row.path, row)):
                            self._disputed.add(row.path)
                        self._rows[row.path] = row
        self._read |= found


def _rows_in(url: str) -> list[Row]:
    with suppress(OSError):
        return [row for row in parse_rows(files.read(url)) if row is not None]
    return []
