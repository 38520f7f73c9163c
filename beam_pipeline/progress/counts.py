"""How many clips a run has to make, and how many are done."""

import threading
import time

from beam_pipeline.elements import LISTED, Row


class Counts:
    """Counts of clips: planned (``tasks``), and done (``succeeded`` or ``failed``).

    ``bytes_in`` is the size of the files that were read for them, ``bytes_out`` that of the clips.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.tasks = self.done = self.succeeded = self.failed = 0
        self.bytes_in = self.bytes_out = 0
        self.checking_leases = False  # waiting for a heartbeat of another run
        self._started = 0.0
        self._done_at_start = 0  # by a remote run, when its counts were first read

    def plan(self) -> None:
        """Count one more clip to make."""
        with self._lock:
            self.tasks += 1
            self._started = self._started or time.monotonic()

    def finish(self, row: Row) -> None:
        """Count one more clip that is done, whether it succeeded or failed."""
        with self._lock:
            self.done += 1
            self.succeeded += row.status in LISTED
            self.failed += row.status == "failed"
            self.bytes_in += row.source_bytes or 0
            self.bytes_out += row.bytes or 0

    def set(
        self, tasks: int, succeeded: int, failed: int, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        """Set the counts to those of a remote run."""
        with self._lock:
            self.tasks, self.done = tasks, succeeded + failed
            self.succeeded, self.failed = succeeded, failed
            self.bytes_in, self.bytes_out = bytes_in, bytes_out
            if tasks and not self._started:
                self._started, self._done_at_start = time.monotonic(), self.done

    @property
    def rate(self) -> float:
        """Clips per second since the first was planned, or since the first ``set`` with tasks."""
        done = self.done - self._done_at_start
        return done / (time.monotonic() - self._started) if done else 0.0


LOCAL_COUNTS = Counts()
"""The counts of the stages that run in this process. On remote workers nothing reads them."""
