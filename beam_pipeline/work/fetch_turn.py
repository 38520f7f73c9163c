"""One run at a time fetches into an output: two at once would ask for every video twice.

A run that fetches has a mark in its state, which grows as long as it fetches. Another waits until
the mark is gone, or its run is dead.
"""

import random
import threading
import time
from contextlib import suppress

from beam_pipeline.errors import OutputError
from beam_pipeline.output.heartbeat import ALIVE, HEARTBEAT_INTERVAL, LEASE_TIMEOUT
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.run_lock import is_alive
from beam_pipeline.output.runs import runs_in
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.storage import files

MARK = "fetching"

LOOK_INTERVAL = 10.0
"""Seconds between two looks at the marks of others, at most."""


class FetchTurn:
    """The turn of a run to fetch into an output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._name = f"{output.state}/{MARK}"
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Wait until no other run fetches, and keep them waiting from then on.

        Raises:
            OutputError: the output cannot be written.
        """
        try:
            while not self._try_to_take():
                LOCAL_COUNTS.waiting_to_fetch = True
                time.sleep(random.uniform(LOOK_INTERVAL / 2, LOOK_INTERVAL))
        finally:
            LOCAL_COUNTS.waiting_to_fetch = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._grow, args=[self._ended], daemon=True)
        self._thread.start()

    def give_up(self) -> None:
        """Let others fetch. Does nothing if this run has no turn."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join(HEARTBEAT_INTERVAL)  # it may be waiting for unresponsive storage
        self._thread = None
        with suppress(OutputError):  # a mark that stays grows no more
            self._output.remove(self._name)

    def _try_to_take(self) -> bool:
        """Of two runs that mark at once, both may see the other: then neither has the turn."""
        if self._is_another_fetching():
            return False
        self._output.write(self._name, b".", synced=False)
        if self._is_another_fetching():
            self._output.remove(self._name)
            return False
        return True

    def _is_another_fetching(self) -> bool:
        others = [run for run in runs_in(self._output) if run != self._output.state]
        return bool([run for run in others if self._is_fetching(run)])  # each mark is seen

    def _is_fetching(self, run: str) -> bool:
        """Whether a run has a mark, and has made it grow of late.

        The second is for a disk without locks, on which no run is known to be dead.
        """
        try:
            mark = files.read(self._output.url(f"{run}/{MARK}"))
            if self._output.is_local:
                is_dead = not is_alive(self._output, run)
            else:
                is_dead = not files.exists(self._output.url(f"{run}/{ALIVE}"))
        except OSError:  # there is none; a fault costs no more than requests
            return False
        if is_dead:
            return False
        before, since = self._seen.get(run, (None, 0.0))
        if mark != before:
            since = time.monotonic()
            self._seen[run] = mark, since
        return time.monotonic() - since < LEASE_TIMEOUT

    def _grow(self, ended: threading.Event) -> None:
        url = self._output.url(self._name)
        while not ended.wait(HEARTBEAT_INTERVAL):
            with suppress(OSError):  # a missed beat must not fail the run; the state may be gone
                files.write(url, files.read(url) + b".")
