"""How fast clips are done now: a rate over the last minutes, not since the start."""

from collections import deque

WINDOW = 120.0
"""Seconds that the rate covers. After a pause it is right again once these are over."""

LEAST_CLIPS = 10
"""The rate reaches further back than ``WINDOW`` until it covers so many clips: long videos may
take minutes each."""

RESOLUTION = 1.0
"""Seconds; clips that are done within them are one sample."""


class MovingRate:
    """Clips per second over the last minutes.

    rich's own estimate covers a fixed 30 s, and while nothing is done it stays as it was. Also, it
    exists only where a bar is drawn. Times are those of one monotonic clock.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()  # (time, clips done by then)

    def start(self, time: float, done: int) -> None:
        """Begin to count, with clips that were done before."""
        self._samples = deque([(time, done)])

    @property
    def has_started(self) -> bool:
        """Whether ``start`` was called."""
        return bool(self._samples)

    def add(self, time: float, done: int) -> None:
        """Take note of how many clips are done."""
        last, before = self._samples[-1]
        if done == before:
            return
        if len(self._samples) > 1 and time - last < RESOLUTION:
            self._samples[-1] = (last, done)
        else:
            self._samples.append((time, done))
        while len(self._samples) > 2 and self._may_forget(time, done):
            self._samples.popleft()

    def _may_forget(self, time: float, done: int) -> bool:
        begin, before = self._samples[1]
        return begin <= time - WINDOW and done - before >= LEAST_CLIPS

    def per_second(self, time: float) -> float:
        """The rate now; 0 before the first clip is done."""
        if not self._samples:
            return 0.0
        begin, before = self._samples[0]
        done = self._samples[-1][1] - before
        return done / (time - begin) if done and time > begin else 0.0
