"""A bound on what sources take in memory and on disk."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Bytes that may be held at once, by all threads of a process. Whoever wants more waits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Hold so many bytes in the block; alone, if they are more than the limit."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + count <= self._limit)
            self._held += count
        try:
            yield
        finally:
            with self._changed:
                self._held -= count
                self._changed.notify_all()
