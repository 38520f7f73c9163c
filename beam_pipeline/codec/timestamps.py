"""Presentation times and durations of decoded frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

MIN_TIMESCALE, MAX_TIMESCALE = 10_000, 1_000_000
"""Ticks per second. FFmpeg's MP4 writer doubles a timescale until it reaches the minimum. MP4 and
x264 count in 32 bits, so sources that count in nanoseconds are limited to the maximum."""


def output_time_base(source: Fraction) -> Fraction:
    """Seconds per tick of the output: the source's tick, or a whole fraction of it.

    An MP4 tick is a whole fraction of a second, so a tick of 1001/30000 s becomes 1/30000 s.
    """
    timescale = min(source.denominator, MAX_TIMESCALE)
    while timescale < MIN_TIMESCALE:
        timescale *= 2
    return Fraction(1, timescale)


MAX_FRAME_TICKS = 2**31 - 1
"""The longest duration of a frame in MP4, in ticks."""

MAX_GAP_TICKS = MAX_FRAME_TICKS // 4
"""Ticks without a frame. After a longer gap the next frame's time is taken for damage and ignored.
In MP4 a frame is decoded at most ``MAX_FRAME_TICKS`` before it is shown, and with x264 that
is up to three frames ahead."""


def to_ticks(seconds: Fraction, time_base: Fraction) -> int:
    """A time in ticks, rounded to the nearest."""
    return round(seconds / time_base)


@dataclass(frozen=True)
class Segment:
    """A part of a video: ``start <= t < end``, in seconds after the file's start time.

    ``of_whole_video`` if the file is known to be the whole video; otherwise its length decides.
    """

    start: Fraction
    end: Fraction
    of_whole_video: bool = False

    @property
    def duration(self) -> Fraction:
        return self.end - self.start


@dataclass
class FrameClock:
    """Gives each decoded frame its output time, and adds up the time that frames cover.

    A frame's time is its pts less the file's start time. The dts replaces the pts if there is
    none, or if pts have run backwards more often than dts (FFmpeg's best-effort timestamp). A
    frame that is not later than the previous one moves to one tick after it. A frame without a
    time, or with a time that MP4 cannot store, follows the previous one. With a segment, times
    count from its start, and frames outside it have no time.

    ``source_tick`` and ``output_tick`` are seconds per tick. ``start`` is the file's start time
    in seconds, or that of the first frame if it is earlier. ``nominal`` is the duration in
    seconds of a frame that declares none. ``first_decoded`` is the time of the first frame, in
    the segment or not. ``first`` and ``last`` are times of frames in the segment, ``frames``
    counts these. The three times are in output ticks.
    """

    source_tick: Fraction
    output_tick: Fraction
    start: Fraction
    nominal: Fraction
    segment: Segment | None = None
    first_decoded: int | None = None
    first: int | None = None
    last: int = 0
    frames: int = 0
    _latest: int = 0
    _covered: int = 0
    _last_declared: int = 0
    _last_pts: int | None = None
    _last_dts: int | None = None
    _faulty_pts: int = 0
    _faulty_dts: int = 0

    @property
    def origin(self) -> Fraction:
        """The time in the file, in seconds, that is time 0 of the output."""
        return self.start + (self.segment.start if self.segment else 0)

    def next(self, pts: int | None, dts: int | None, duration: int) -> tuple[int, int] | None:
        """Output time and duration of the next frame, in output ticks; None outside the segment.

        The arguments are in source ticks. ``duration`` is 0 if unknown.
        """
        ticks = self._latest = self._next_time(pts, dts)
        max_duration = MAX_FRAME_TICKS
        if self.segment is not None:
            max_duration = to_ticks(self.segment.duration, self.output_tick) - ticks
        if ticks < 0 or max_duration <= 0:
            return None
        if self.first is None:
            self.first = ticks
        else:
            self._covered += self._last_declared or ticks - self.last
        self.last = ticks
        self.frames += 1
        self._last_declared = min(
            to_ticks(duration * self.source_tick, self.output_tick), max_duration, MAX_FRAME_TICKS
        )
        return ticks, self._last_duration()

    def _next_time(self, pts: int | None, dts: int | None) -> int:
        timestamp = self._best_effort_timestamp(pts, dts)
        if self.first_decoded is None:
            ticks = earliest = to_ticks(self.start - self.origin, self.output_tick)
            if timestamp is not None:
                ticks = to_ticks(timestamp * self.source_tick - self.origin, self.output_tick)
            if ticks < earliest:  # players skip what is before the start: it was wrong
                self.start += (ticks - earliest) * self.output_tick
                ticks = earliest
            self.first_decoded = ticks
            return ticks
        if timestamp is not None:
            ticks = to_ticks(timestamp * self.source_tick - self.origin, self.output_tick)
            if ticks - self._latest <= MAX_GAP_TICKS:
                return max(ticks, self._latest + 1)
        return self._latest + min(self._last_duration(), MAX_GAP_TICKS)

    @property
    def end(self) -> int:
        """The end of the last frame, in output ticks."""
        return self.last + self._last_duration()

    @property
    def covered(self) -> Fraction:
        """Seconds for which there is a picture: the sum of all frame durations."""
        return (self._covered + self._last_duration()) * self.output_tick

    @property
    def span(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return (self.end - (self.first or 0)) * self.output_tick

    def _last_duration(self) -> int:
        return self._last_declared or max(1, to_ticks(self.nominal, self.output_tick))

    def _best_effort_timestamp(self, pts: int | None, dts: int | None) -> int | None:
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
    """Which frame to show at each step of a constant rate: FFmpeg's ``fps`` filter, round=near.

    A frame is shown from the step nearest to its time until the step of the next frame. A frame
    with no step of its own is not shown. The first frame is shown from 0 on, as by the ffmpeg
    command at a constant rate. ``fps`` is in steps per second, ``output_tick`` in
    seconds per tick. ``shown`` counts the steps shown so far.
    """

    fps: Fraction
    output_tick: Fraction
    shown: int = 0
    _step: int | None = None

    def next(self, time: int) -> list[tuple[int, int]]:
        """Times and durations, in ticks, at which the previous frame is shown."""
        step = self._step_at(time)
        previous, self._step = self._step, 0 if self._step is None else step
        return [] if previous is None else self._ticks(previous, step)

    def finish(self, end: int) -> list[tuple[int, int]]:
        """The same for the last frame, which ends at ``end``. A clip has at least one picture."""
        if self._step is None:
            return []
        return self._ticks(self._step, max(self._step_at(end), self._step + (not self.shown)))

    def _step_at(self, ticks: int) -> int:
        return math.floor(ticks * self.output_tick * self.fps + Fraction(1, 2))

    def _ticks(self, begin: int, end: int) -> list[tuple[int, int]]:
        self.shown += end - begin
        times = [to_ticks(step / self.fps, self.output_tick) for step in range(begin, end + 1)]
        return [(time, after - time) for time, after in pairwise(times)]


def frame_rate(
    times: Sequence[int], end: int, tick: Fraction, declared: Fraction, tolerance: Fraction
) -> Fraction:
    """Frames per second that the header of a stream should state.

    That is a constant rate if every frame lies where the rate puts it, otherwise the average.

    Args:
        times: of the frames, at least one, in ticks.
        end: of the last frame, in ticks.
        tick: seconds per tick.
        declared: the rate that the source declares.
        tolerance: seconds by which a frame may be early or late.
    """
    average = len(times) / ((end - times[0]) * tick)
    candidates = [declared]
    if len(times) > 1:  # what the last frame lasts is often wrong
        between = Fraction(len(times) - 1) / ((times[-1] - times[0]) * tick)
        candidates.append(between.limit_denominator(1001))  # 0 if frames are half an hour apart
    for rate in filter(None, candidates):
        if all(
            abs((time - times[0]) * tick - number / rate) <= tolerance
            for number, time in enumerate(times)
        ):
            return rate
    return average.limit_denominator(MAX_RATE_DENOMINATOR)


MAX_RATE_DENOMINATOR = 1_000_000
"""An H.264 header has 32 bits for the ticks of a frame, and 32 for those of a second."""
