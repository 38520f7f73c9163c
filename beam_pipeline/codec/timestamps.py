"""When a decoded frame is shown."""

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

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

LONGEST_GAP = LONGEST // 4
"""Ticks without a frame after which the next one's time is not believed: damage has made it up.
In MP4 a frame is decoded at most ``LONGEST`` before it is shown, and with x264 that is up to
three frames before."""


def to_ticks(seconds: Fraction, time_base: Fraction) -> int:
    """The tick nearest to a time."""
    return round(seconds / time_base)


@dataclass(frozen=True)
class Segment:
    """A part of a video: ``start <= t < end``, in seconds after the file's start time."""

    start: Fraction
    end: Fraction

    @property
    def duration(self) -> Fraction:
        return self.end - self.start


@dataclass
class FrameClock:
    """Gives each decoded frame its output time and adds up what the frames cover.

    A frame's time is its pts, or its dts where pts are absent or have run backwards more often
    than dts (FFmpeg's best-effort timestamp), less the file's start time. A frame that is not
    later than the one before moves to one tick after it; one without a time, or with one that
    no MP4 could hold, follows the one before. Of a segment, times count from its start, and
    frames outside of it have none.

    ``source`` and ``output`` are seconds a tick; ``start`` is the file's start time, or that of
    a first frame that comes before it, and ``nominal`` the duration of a frame that declares
    none, both in seconds. ``decoded`` is the time of the first frame, in the segment or not;
    ``first``, ``last`` and ``frames`` are of those in it.
    """

    source: Fraction
    output: Fraction
    start: Fraction
    nominal: Fraction
    segment: Segment | None = None
    decoded: int | None = None
    first: int | None = None
    last: int = 0
    frames: int = 0
    _latest: int = 0
    _covered: int = 0
    _declared: int = 0
    _last_pts: int | None = None
    _last_dts: int | None = None
    _faulty_pts: int = 0
    _faulty_dts: int = 0

    @property
    def zero(self) -> Fraction:
        """The file's time, in seconds, that is the output's time 0."""
        return self.start + (self.segment.start if self.segment else 0)

    def next(self, pts: int | None, dts: int | None, duration: int) -> tuple[int, int] | None:
        """Output time and duration of the next frame, in output ticks; None outside the segment.

        The arguments are in source ticks; ``duration`` is 0 where the source does not say.
        """
        ticks = self._latest = self._time_after_the_last(pts, dts)
        room = LONGEST
        if self.segment is not None:
            room = to_ticks(self.segment.duration, self.output) - ticks
        if ticks < 0 or room <= 0:
            return None
        if self.first is None:
            self.first = ticks
        else:
            self._covered += self._declared or ticks - self.last
        self.last = ticks
        self.frames += 1
        self._declared = min(to_ticks(duration * self.source, self.output), room, LONGEST)
        return ticks, self._last_duration()

    def _time_after_the_last(self, pts: int | None, dts: int | None) -> int:
        best = self._best_effort(pts, dts)
        if self.decoded is None:
            ticks = earliest = to_ticks(self.start - self.zero, self.output)
            if best is not None:
                ticks = to_ticks(best * self.source - self.zero, self.output)
            if ticks < earliest:  # no player shows what comes before the start: it was not it
                self.start += (ticks - earliest) * self.output
                ticks = earliest
            self.decoded = ticks
            return ticks
        if best is not None:
            ticks = to_ticks(best * self.source - self.zero, self.output)
            if ticks - self._latest <= LONGEST_GAP:
                return max(ticks, self._latest + 1)
        return self._latest + self._last_duration()

    @property
    def end(self) -> int:
        """When the last frame ends, in output ticks."""
        return self.last + self._last_duration()

    @property
    def covered(self) -> Fraction:
        """Seconds for which there is a picture: every frame's own duration, added up."""
        return (self._covered + self._last_duration()) * self.output

    @property
    def span(self) -> Fraction:
        """Seconds from the first frame's start to the last one's end."""
        return (self.end - (self.first or 0)) * self.output

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


@dataclass
class ConstantRate:
    """Which frame a constant rate shows when: FFmpeg's ``fps`` filter, rounding to near.

    Every frame is shown from the step nearest to its time until the next one is; one that has
    no step to itself is not shown. ``fps`` is in steps a second, ``output`` in seconds a tick;
    ``shown`` counts.
    """

    fps: Fraction
    output: Fraction
    shown: int = 0
    _step: int | None = None

    def next(self, time: int) -> list[tuple[int, int]]:
        """Times and durations, in ticks, for which the frame before this one is shown."""
        step = self._step_at(time)
        before, self._step = self._step, step
        return [] if before is None else self._ticks(before, step)

    def finish(self, end: int) -> list[tuple[int, int]]:
        """Those of the last frame, which ends at ``end``. A clip has one picture at least."""
        if self._step is None:
            return []
        return self._ticks(self._step, max(self._step_at(end), self._step + (not self.shown)))

    def _step_at(self, ticks: int) -> int:
        return math.floor(ticks * self.output * self.fps + Fraction(1, 2))

    def _ticks(self, begin: int, end: int) -> list[tuple[int, int]]:
        self.shown += end - begin
        times = [to_ticks(step / self.fps, self.output) for step in range(begin, end + 1)]
        return [(time, after - time) for time, after in pairwise(times)]
