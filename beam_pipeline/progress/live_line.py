"""The live line: the progress of a run on the terminal, as lines, or as JSON."""

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from beam_pipeline.progress.counts import LOCAL_COUNTS, Counts
from beam_pipeline.progress.reporting import Reporting
from beam_pipeline.progress.state import (
    CHECKING_LEASES,
    READING,
    WAITING_TO_FETCH,
    State,
    elapsed_text,
    json_of,
    line_of,
    parts_of,
    state_of,
)

LINE_INTERVAL = 60.0
"""Seconds between two lines of a log, or if there is no terminal."""

JSON_INTERVAL = 5.0
REFRESH_INTERVAL = 0.5

ASK_INTERVAL = 15.0
"""Seconds between two questions to a remote service for its counts."""

BAR_WIDTH = 40
LEAST_BAR = 8
"""Columns of the bar, at most and at least; where there are fewer it is left out."""

_logger = logging.getLogger(__name__)

_drawing = threading.RLock()  # reentrant: a signal may interrupt a write of the main thread
_stopped = False


def stop_drawing(seconds: float) -> None:
    """Write nothing to the terminal from now on; for a process that is about to exit.

    Waits up to ``seconds`` for a write that has begun: the terminal may be paused.
    """
    global _stopped
    whole = _drawing.acquire(timeout=seconds)
    _stopped = True
    if whole:
        _drawing.release()


class _Stderr:
    """stderr until ``stop_drawing``: each write appears as a whole, or not at all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _drawing:
            if not _stopped:
                self._stream.write(text)
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""


class _Bar(Progress):
    """A bar that leaves room for the ``^C`` that a terminal shows behind it."""

    def get_renderable(self) -> RenderableType:
        return _Narrower(super().get_renderable(), len("^C"))


class _Narrower:
    """Something drawn with fewer columns than there are."""

    def __init__(self, drawn: RenderableType, columns: int) -> None:
        self._drawn, self._columns = drawn, columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self._columns, 1)
        return console.render(self._drawn, options.update_width(width))


class LiveLine:
    """While the block runs: the progress, as is asked for, and each minute in the log.

    For a remote run, ``update`` refreshes the counts. Its lines are never a bar, because the
    messages of its service appear between them.
    """

    def __init__(
        self,
        counts: Counts = LOCAL_COUNTS,
        update: Callable[[], None] | None = None,
        reporting: Reporting | None = None,
    ) -> None:
        self._counts = counts
        self._update = update
        self._reporting = reporting or Reporting()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._report, daemon=True)]
        if _logger.isEnabledFor(logging.INFO):
            self._threads.append(threading.Thread(target=self._log, daemon=True))
        if update is not None:
            self._threads.append(threading.Thread(target=self._ask, daemon=True))
        self._console = Console(file=cast("TextIO", _Stderr(sys.stderr)))

    def __enter__(self) -> Self:
        self._counts.clear()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._update_counts()

    def _ask(self) -> None:
        while not self._stop.wait(min(ASK_INTERVAL, LINE_INTERVAL / 2)):
            self._update_counts()

    def _update_counts(self) -> None:
        if self._update is not None:
            with suppress(Exception):  # the run must not fail because of its progress line
                self._update()

    def _report(self) -> None:
        shown = self._reporting.shown
        if shown == "json":
            self._print_json()
        elif shown == "auto" and self._console.is_terminal and self._update is None:
            self._draw_bar()
        elif shown == "auto" and not self._reporting.verbose:  # which says it itself
            while not self._stop.wait(LINE_INTERVAL):
                _print(line_of(state_of(self._counts)))

    def _print_json(self) -> None:
        while True:
            _print(json_of(state_of(self._counts)))
            if self._stop.wait(JSON_INTERVAL):
                return

    def _draw_bar(self) -> None:
        text = Column(no_wrap=True, overflow="ellipsis")
        bar_column = BarColumn(BAR_WIDTH)
        columns = (bar_column, TextColumn("{task.description}", table_column=text))
        with _Bar(*columns, console=self._console, transient=True) as bar:
            line = bar.add_task(READING, total=None)
            while True:
                stopped = self._stop.wait(REFRESH_INTERVAL)
                state = state_of(self._counts)
                said = bar_text(state, self._console.width - len("^C"))
                room = self._console.width - len("^C") - len(said) - 1
                bar_column.bar_width = min(room, BAR_WIDTH) if room >= LEAST_BAR else 0
                total = state.planned if state.phase != "reading" else None
                bar.update(line, description=said, total=total, completed=state.done)
                if stopped:
                    return

    def _log(self) -> None:
        """Log each phase as it begins, and the progress each minute."""
        phase, seconds = None, 0.0
        while not self._stop.wait(0 if phase is None else REFRESH_INTERVAL):
            state, seconds = state_of(self._counts), seconds + REFRESH_INTERVAL
            if state.phase != phase:
                _logger.info("phase: %s", state.phase)
                phase = state.phase
            if seconds >= LINE_INTERVAL:
                _logger.info("%s", line_of(state))
                seconds = 0.0


def bar_text(state: State, width: int) -> str:
    """What stands behind the bar: as much as fits, the most important first."""
    if state.phase == "checking leases":
        return CHECKING_LEASES[:width]
    if state.phase == "reading":
        return f"{READING}, {elapsed_text(state)}"[:width]
    if state.phase == "waiting to fetch":
        return WAITING_TO_FETCH[:width]
    text = f"{state.done:,}/{state.planned:,}"
    for part in parts_of(state):
        if len(text) + 2 + len(part) > width:
            break
        text += f"  {part}"
    return text


def _print(line: str) -> None:
    with _drawing:
        if not _stopped:
            print(line, file=sys.stderr, flush=True)
