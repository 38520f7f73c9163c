"""How often the site is asked, and when it is asked no more."""

import random
import time
from collections.abc import Callable

from beam_pipeline.fetch.reasons import PASSING, Unavailable

BACK_OFF = (4, 8, 16)
"""After "too many requests" the next try waits so many pauses; after the last one none follows."""

MAX_WAIT = 600.0
"""Seconds that a site may ask to wait before the next try."""

ENDED_EARLY = "fetching ended early:"
"""What the note begins with that says why."""

MAX_IN_A_ROW = 10
"""Videos that fail one after the other, for reasons that are no video's own, before it ends."""


class Pace:
    """The pauses between two requests, and the end of all of them.

    Args:
        pause: the shortest and the longest pause, in seconds. Each pause is a random time between
            them, from the end of the last request on.
        clock, sleep: of the machine; tests have their own.

    Attributes:
        stopped: why nothing is asked for any more, a sentence for the user; None while it goes on.
    """

    def __init__(
        self,
        pause: tuple[float, float],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None
        self._limited = 0
        self._in_a_row = 0
        self.stopped: str | None = None

    def wait(self) -> None:
        """Wait until the next request is due. There is no pause before the first."""
        if self._due is not None and (left := self._due - self._clock()) > 0:
            self._sleep(left)

    def succeeded(self) -> None:
        """Note a video that was fetched, and begin a pause."""
        self._limited = self._in_a_row = 0
        self._rest(random.uniform(*self._pause))

    def failed(self, error: Unavailable, is_known: bool = False) -> bool:
        """Note a failure, and begin a pause; whether the same video is to be asked for again.

        ``is_known`` if an earlier run got the same answer: that is no sign of a fault of today.
        """
        if error.reason not in PASSING:
            self.succeeded()  # it has answered
            return False
        if error.is_block:
            self.stopped = f"YouTube blocks this address: {error.words}"
            return False
        if error.reason == "rate_limited":
            return self._back_off(error)
        self._in_a_row += not is_known
        if self._in_a_row >= MAX_IN_A_ROW:
            self.stopped = f"{MAX_IN_A_ROW} videos in a row could not be fetched: {error.words}"
        self._rest(random.uniform(*self._pause))
        return False

    def _back_off(self, error: Unavailable) -> bool:
        if self._limited == len(BACK_OFF) or (error.retry_after or 0) > MAX_WAIT:
            self.stopped = f"YouTube wants fewer requests: {error.words}"
            return False
        wait = BACK_OFF[self._limited] * random.uniform(*self._pause)
        self._limited += 1
        self._rest(max(wait, error.retry_after or 0))
        return True

    def _rest(self, seconds: float) -> None:
        self._due = self._clock() + seconds
