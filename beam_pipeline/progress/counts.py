"""How many clips are to be made, and are done."""

import threading
import time

from beam_pipeline.elements import Row


class Counts:
    """Clips that are to be made, and are done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self.tasks = self.done = self.made = self.failed = 0
        self.waiting = False  # for signs of another run
        self._began = 0.0
        self._done_before = 0  # elsewhere, when it was first looked at

    def plan(self) -> None:
        """One more clip is to be made."""
        with self._lock:
            self.tasks += 1
            self._began = self._began or time.monotonic()

    def finish(self, row: Row) -> None:
        """One more clip is done, well or not."""
        with self._lock:
            self.done += 1
            self.made += row.status != "failed"
            self.failed += row.status == "failed"

    def set(self, tasks: int, made: int, failed: int) -> None:
        """Take over what was counted elsewhere."""
        with self._lock:
            self.tasks, self.done, self.made, self.failed = tasks, made + failed, made, failed
            if tasks and not self._began:
                self._began, self._done_before = time.monotonic(), self.done

    @property
    def rate(self) -> float:
        """Clips a second since the first was planned, or seen."""
        done = self.done - self._done_before
        return done / (time.monotonic() - self._began) if done else 0.0


LOCAL = Counts()
"""What the stages that run in this process have seen; elsewhere nobody reads it."""
