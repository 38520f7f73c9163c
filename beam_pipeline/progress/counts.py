"""How many clips a run has to make, and how many are done."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from beam_pipeline.elements import LISTED, Row, Split, Status
from beam_pipeline.progress.rate import MovingRate


class Counts:
    """Counts of clips: planned (``tasks``), and done (``succeeded``, ``failed``, ``unavailable``).

    ``unavailable`` are those that a site was asked for and that cannot be had.

    ``damaged`` of the succeeded were made from a damaged source. ``bytes_in`` is the size of the
    files that were read for them, ``bytes_out`` that of the clips. ``made`` has the succeeded by
    split and status; it stays empty in a remote run. ``clock`` gives seconds.

    A clip that fails from one archive may be made from another. It counts once, as what became of
    it last; the bytes of both were read.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.RLock()  # a signal's handler asks for the rate, anywhere
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        self.tasks = self.done = self.succeeded = self.failed = self.damaged = 0
        self.unavailable = 0
        self.bytes_in = self.bytes_out = 0
        self.made = Counter[tuple[Split | None, Status]]()
        self._failed: set[str] = set()  # clips that may yet be made, by id
        self.checking_leases = False  # waiting for a heartbeat of another run
        self.waiting_to_fetch = False  # until another run has fetched
        self._begun = self._clock()
        self._rate = MovingRate()

    def plan(self, clip_id: str | None = None) -> None:
        """Count one more clip to make; not one with an id that has failed, and was counted then."""
        with self._lock:
            if clip_id in self._failed:
                return
            self.tasks += 1
            if not self._rate.has_started:
                self._rate.start(self._clock(), self.done)

    def finish(self, row: Row, bytes_in: int | None = None) -> None:
        """Count one more clip that is done, whether it succeeded or failed.

        ``bytes_in`` were read for it, by default all of its source.
        """
        with self._lock:
            if row.clip_id in self._failed:
                self._failed.remove(row.clip_id)
                self.done -= 1
                self.failed -= 1
            if row.status == "failed":
                self._failed.add(row.clip_id)
            self.done += 1
            self.succeeded += row.status in LISTED
            self.made[row.split, row.status] += row.status in LISTED
            self.failed += row.status == "failed"
            self.unavailable += row.status == "missing"
            self.damaged += row.is_damaged
            self.bytes_in += (row.source_bytes or 0) if bytes_in is None else bytes_in
            self.bytes_out += row.bytes or 0
            self._note_done()

    def set(
        self,
        tasks: int,
        succeeded: int,
        failed: int,
        bytes_in: int = 0,
        bytes_out: int = 0,
        damaged: int = 0,
        unavailable: int = 0,
    ) -> None:
        """Set the counts to those of a remote run."""
        with self._lock:
            self.tasks, self.done = tasks, succeeded + failed + unavailable
            self.succeeded, self.failed, self.damaged = succeeded, failed, damaged
            self.unavailable = unavailable
            self.bytes_in, self.bytes_out = bytes_in, bytes_out
            if tasks:
                self._note_done()

    def _note_done(self) -> None:
        if self._rate.has_started:
            self._rate.add(self._clock(), self.done)
        else:
            self._rate.start(self._clock(), self.done)

    @property
    def elapsed(self) -> float:
        """Seconds since the counts were cleared."""
        return self._clock() - self._begun

    @property
    def rate(self) -> float:
        """Clips per second over the last minutes, see ``MovingRate``."""
        with self._lock:
            return self._rate.per_second(self._clock())


LOCAL_COUNTS = Counts()
"""The counts of the stages that run in this process. On remote workers nothing reads them."""
