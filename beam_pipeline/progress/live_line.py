"""The live line: the progress of a run on the terminal."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from beam_pipeline.progress.counts import LOCAL_COUNTS, Counts

LINE_INTERVAL = 30.0
"""Seconds between two lines if there is no terminal."""

REFRESH_INTERVAL = 0.5

CHECKING_LEASES = "all clips are done; checking whether another run is active in this output"


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
    """While the block runs: a progress bar on a terminal, otherwise a plain line at intervals.

    For a remote run, ``update`` refreshes the counts before each line. Its lines are always
    plain, because the messages of its service appear between them.
    """

    def __init__(
        self, counts: Counts = LOCAL_COUNTS, update: Callable[[], None] | None = None
    ) -> None:
        self._counts = counts
        self._update = update
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._console = Console(file=cast("TextIO", _Stderr(sys.stderr)))

    def __enter__(self) -> Self:
        self._counts.clear()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._update_counts()

    def _update_counts(self) -> None:
        if self._update is not None:
            with suppress(Exception):  # the run must not fail because of its progress line
                self._update()

    def _report(self) -> None:
        if self._console.is_terminal and self._update is None:
            self._draw_bar()
        else:
            self._print_lines()

    def _draw_bar(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f} clips/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]} failed"),
        )
        with _Bar(*columns, console=self._console, transient=True) as bar:
            line = bar.add_task("reading annotations, listing videos", total=None, rate=0, failed=0)
            while True:
                stopped = self._stop.wait(REFRESH_INTERVAL)
                counts = self._counts
                description = "resizing" if counts.tasks else None
                bar.update(
                    line,
                    description=CHECKING_LEASES if counts.checking_leases else description,
                    total=counts.tasks or None,
                    completed=counts.done,
                    rate=counts.rate,
                    failed=counts.failed,
                )
                if stopped:
                    return

    def _print_lines(self) -> None:
        counts = self._counts
        while not self._stop.wait(LINE_INTERVAL):
            self._update_counts()
            if counts.checking_leases:
                line = CHECKING_LEASES
            elif not counts.tasks:
                line = "reading annotations, listing videos"
            else:
                rate = counts.rate
                seconds = (counts.tasks - counts.done) / rate if rate else None
                time_left = "time left unknown"
                if seconds is not None:
                    time_left = f"{seconds / 60:.0f} min left"
                line = (
                    f"{counts.done} of {counts.tasks} clips, {rate:.1f} clips/s, {time_left}, "
                    f"{counts.failed} failed"
                )
            if not _stopped:
                print(line, file=sys.stderr, flush=True)
