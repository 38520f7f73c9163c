"""When a decoded frame is shown."""

from dataclasses import dataclass
from fractions import Fraction

MIN_TIMESCALE, MAX_TIMESCALE = 10_000, 1_000_000
"""Ticks a second. FFmpeg's MP4 writer makes ticks finer until there are as many as the former;
the latter is what MP4 and x264, counting in 32 bits, can bear of sources that count in
nanoseconds."""


def output_time_base(source: Fraction) -> Fraction:
    """Seconds a tick of the output: the source's tick, or a whole part of it.

    MP4 counts in whole parts of a second, so a tick of 1001/30000 s becomes 1/30000 s.
    """
    timescale = min(source.denominator, MAX_TIMESCALE)
    while timescale < MIN_TIMESCALE:
        timescale *= 2
    return Fraction(1, timescale)


LONGEST = 2**31 - 1
"""Ticks that MP4 lets one frame last."""


def to_ticks(seconds: Fraction, time_base: Fraction) -> int:
    """The tick nearest to a time."""
    return round(seconds / time_base)


@dataclass
class FrameClock:
    """Gives each decoded frame its output time and adds up what the frames cover.

    A frame's time is its pts, or its dts where pts are absent or have run backwards more often
    than dts (FFmpeg's best-effort timestamp), less the file's start time. A frame that is not
    later than the one before moves to one tick after it.

    ``source`` and ``output`` are seconds a tick; ``start`` is the file's start time, or that of
    a first frame that comes before it, and ``nominal`` the duration of a frame that declares
    none, both in seconds.
    """

    source: Fraction
    output: Fraction
    start: Fraction
    nominal: Fraction
    first: int | None = None
    last: int = 0
    frames: int = 0
    _covered: int = 0
    _declared: int = 0
    _last_pts: int | None = None
    _last_dts: int | None = None
    _faulty_pts: int = 0
    _faulty_dts: int = 0

    def next(self, pts: int | None, dts: int | None, duration: int) -> tuple[int, int]:
        """Output time and duration of the next frame, in output ticks.

        The arguments are in source ticks; ``duration`` is 0 where the source does not say.
        """
        best = self._best_effort(pts, dts)
        if best is None:
            ticks = 0 if self.first is None else self.last + self._last_duration()
        else:
            ticks = to_ticks(best * self.source - self.start, self.output)
        if self.first is None:
            if ticks < 0:  # no player shows what comes before the start: it was not the start
                self.start += ticks * self.output
                ticks = 0
            self.first = ticks
        else:
            ticks = max(ticks, self.last + 1)
            self._covered += self._declared or ticks - self.last
        self.last = ticks
        self.frames += 1
        self._declared = min(to_ticks(duration * self.source, self.output), LONGEST)
        return ticks, self._last_duration()

    @property
    def covered(self) -> Fraction:
        """Seconds for which there is a picture: every frame's own duration, added up."""
        return (self._covered + self._last_duration()) * self.output

    @property
    def span(self) -> Fraction:
        """Seconds from the first frame's start to the last one's end."""
        return (self.last + self._last_duration() - (self.first or 0)) * self.output

    def _last_duration(self) -> int:
        return self._declared or max(1, to_ticks(self.nominal, self.output))

    def _best_effort(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts):
            return pts
        return dts
