"""How far a run is."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from beam_pipeline.progress.counts import LOCAL, Counts

LINE_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""

REFRESH_EVERY = 0.5

WAITING = "all is made; another run has left its state here: looking whether it is at work"


class LiveLine:
    """While the block runs: a line that moves on a terminal, else a plain one now and then.

    Of a run elsewhere ``look`` brings the counts up to date before each line. Those are plain:
    between them come the messages of its service.
    """

    def __init__(self, counts: Counts = LOCAL, look: Callable[[], None] | None = None) -> None:
        self._counts = counts
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._console = Console(stderr=True)

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
        self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        if self._look is not None:
            with suppress(Exception):  # what it is good for is not worth the run
                self._look()

    def _report(self) -> None:
        if self._console.is_terminal and self._look is None:
            self._move()
        else:
            self._print()

    def _move(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f} clips/s"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]} failed"),
        )
        with Progress(*columns, console=self._console, transient=True) as bar:
            line = bar.add_task("reading annotations, listing videos", total=None, rate=0, failed=0)
            while True:
                last = self._stop.wait(REFRESH_EVERY)
                counts = self._counts
                bar.update(
                    line,
                    description=WAITING if counts.waiting else "resizing" if counts.tasks else None,
                    total=counts.tasks or None,
                    completed=counts.done,
                    rate=counts.rate,
                    failed=counts.failed,
                )
                if last:
                    return

    def _print(self) -> None:
        counts = self._counts
        while not self._stop.wait(LINE_EVERY):
            self._bring_up_to_date()
            if counts.waiting:
                line = WAITING
            elif not counts.tasks:
                line = "reading annotations, listing videos"
            else:
                rate = counts.rate
                seconds = (counts.tasks - counts.done) / rate if rate else None
                minutes = "time left unknown"
                if seconds is not None:
                    minutes = f"{seconds / 60:.0f} min left"
                line = (
                    f"{counts.done} of {counts.tasks} clips, {rate:.1f} clips/s, {minutes}, "
                    f"{counts.failed} failed"
                )
            print(line, file=sys.stderr, flush=True)
