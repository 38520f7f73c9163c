"""What this run has made already, on any worker: work that comes again is not done again."""

import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from beam_pipeline.elements import Row
from beam_pipeline.fetch.reasons import is_answer
from beam_pipeline.output.output_folder import ROWS, Output
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.output.runs import runs_in
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files

LOOK_AGAIN = 30.0
"""Seconds between two looks at the row files. A clip that was made since is made again: in a bucket
each look is a request, and one for every new file, so clips are not asked for one by one."""

ASKED_AGAIN = "asked_again"
"""The file in the state of a run with --fetch_again."""

THREADS = 16
"""Row files that are read at once: in a bucket each is a request."""


class RowsOfRun:
    """The rows in this run's own row files.

    When a worker dies, a runner gives all that it had begun to others. They look here first. Of
    each row only its place is kept, in two hundred bytes: there are as many as clips.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._places: dict[int, tuple[int, int]] = {}  # hash of the path: (file, SHA-256 in short)
        self._files: list[str] = []
        self._read: dict[str, int | None] = {}
        self._looked: float | None = None

    def find(self, path: str, source: str) -> Row | None:
        """The row of the clip at ``path``, if this run has made it from ``source``."""
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked > LOOK_AGAIN:
                self._look()
                self._looked = time.monotonic()
            file, _ = self._places.get(hash(path), _NOWHERE)
            url = self._files[file] if file >= 0 else None
        rows = [row for row in _rows_in(url) if row.path == path] if url else []
        if not rows or rows[-1].source != public_address(source):
            return None
        try:
            there = files.info(self._output.url(path)).size == rows[-1].bytes
        except OSError:
            return None
        return rows[-1] if there else None

    def begin_asking_again(self) -> None:
        """Note in the state that this run asks for what was answered before, see ``answers``.

        Raises:
            OutputError: it cannot be written.
        """
        self._output.write(f"{self._output.state}/{ASKED_AGAIN}", b"")

    def answers(self, again: bool = False) -> list[Row]:
        """The rows of clips that this run has asked a site for, without getting them.

        With ``again`` also those of runs that asked again, and were stopped before their end.
        """
        runs = [self._output.state]
        if again:
            runs += [
                run
                for run in runs_in(self._output)
                if run != self._output.state
                and files.exists(self._output.url(f"{run}/{ASKED_AGAIN}"))
            ]
        found = []
        for run in runs:
            with suppress(OSError):  # none yet
                found += [e.url for e in files.list_folder(self._output.url(f"{run}/{ROWS}"))]
        with ThreadPoolExecutor(THREADS) as threads:
            every = [row for rows in threads.map(_rows_in, found) for row in rows]
        return [row for row in every if is_answer(row.status, row.reason, row.source)]

    def _look(self) -> None:
        """Read the row files that are new, or have grown."""
        folder = self._output.url(f"{self._output.state}/{ROWS}")
        try:
            found = {entry.url: entry.size for entry in files.list_folder(folder)}
        except OSError:  # none yet; a fault costs no more than the work
            return
        changed = [url for url, size in found.items() if self._read.get(url, -1) != size]
        with ThreadPoolExecutor(THREADS) as threads:
            for url, rows in zip(changed, threads.map(_rows_in, changed), strict=True):
                self._files.append(url)
                for row in rows:
                    if row.path:
                        self._add(hash(row.path), zlib.crc32((row.sha256 or "").encode()))
        self._read |= found

    def _add(self, path: int, content: int) -> None:
        """Note that a clip is in the last file; one that was made with other bytes too is nowhere.

        Its file may be of either.
        """
        file, known = self._places.get(path, (len(self._files) - 1, content))
        is_known = file != _NOWHERE[0] and known == content
        self._places[path] = (len(self._files) - 1, content) if is_known else _NOWHERE


_NOWHERE = (-1, 0)


def _rows_in(url: str) -> list[Row]:
    with suppress(OSError):
        return [row for row in parse_rows(files.read(url)) if row is not None]
    return []
