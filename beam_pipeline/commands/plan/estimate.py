"""What a whole run takes, from a sample of its clips: pure functions of numbers."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from beam_pipeline.commands.plan.sampling import Population
from beam_pipeline.work.worker_pool import READ_AHEAD

STANDARD_ERRORS = 2
"""Of a sample's error, on each side of an estimate: about 95 of 100 samples keep to it."""

TIME_ERROR = 0.05
"""Standard error of a time beside that of its sample, as a share of it: so far do two runs differ.
On a machine with nothing else to do, plans of real clips said 0.95 to 1.04 of the seconds and the
processor seconds that the runs then took."""


class Figure(NamedTuple):
    """An estimate with its range, which is None if the sample is too small to tell."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def exactly(cls, value: float) -> "Figure":
        """A figure that is known."""
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, error: float | None) -> "Figure":
        """An estimate with its standard error; None if that is unknown."""
        if error is None:
            return cls(value, None, None)
        half = STANDARD_ERRORS * error
        return cls(value, max(0.0, value - half), value + half)

    def map(self, change: Callable[[float], float]) -> "Figure":
        """The figure of something that grows with this one."""
        low = None if self.low is None else change(self.low)
        return Figure(change(self.value), low, None if self.high is None else change(self.high))

    def as_time(self) -> "Figure":
        """The figure of a time, which differs from run to run."""
        if self.low is None or self.high is None:
            return self
        half = STANDARD_ERRORS * TIME_ERROR * self.value
        low = self.value - math.hypot(self.value - self.low, half)
        return Figure(
            self.value, max(0.0, low), self.value + math.hypot(self.high - self.value, half)
        )


def add(figures: Iterable[Figure]) -> Figure:
    """The sum of figures whose errors have nothing to do with each other."""
    figures = list(figures)
    value = math.fsum(figure.value for figure in figures)
    if any(figure.high is None for figure in figures):
        return Figure.around(value, None)
    halves = [(figure.high or 0.0) - figure.value for figure in figures]
    return Figure.around(value, math.hypot(*halves) / STANDARD_ERRORS)


class Made(NamedTuple):
    """A clip of the sample: bytes of its source, seconds by its annotation, and what it took.

    ``codec_seconds`` is the time in a codec process while all others are busy, ``source_seconds``
    that of reading the source, ``cpu_seconds`` the processor time. ``written`` is in bytes, 0 if
    it ``failed``.
    """

    bytes: int
    seconds: float | None
    codec_seconds: float
    source_seconds: float
    cpu_seconds: float
    written: int
    failed: bool


class Sample(NamedTuple):
    """Clips that were made, and the population that they stand for."""

    population: Population
    made: Sequence[Made]


def total_of(sample: Sample, value: Callable[[Made], float]) -> Figure:
    """A value summed over the population.

    It is taken to go with the number of clips, with the bytes of their sources, or with their
    seconds: whichever leaves the smallest residues in the sample.
    """
    population, made = sample
    if not population.clips:
        return Figure.exactly(0.0)
    values = [value(each) for each in made]
    measures: list[tuple[float, list[float]]] = [(population.clips, [1.0] * len(made))]
    if not population.unknown:
        measures.append((population.bytes, [float(each.bytes) for each in made]))
    if population.seconds is not None:
        measures.append((population.seconds, [each.seconds or 0.0 for each in made]))
    fits = [_by_ratio(values, xs, total) for total, xs in measures if sum(xs) > 0]
    residue, estimate = min(fits)
    count = len(made)
    if count >= population.clips:
        return Figure.exactly(math.fsum(values))
    if count < 2:
        return Figure.around(estimate, None)
    left = 1 - count / population.clips
    return Figure.around(estimate, population.clips * math.sqrt(left * residue / count))


def _by_ratio(values: Sequence[float], xs: Sequence[float], total: float) -> tuple[float, float]:
    """The variance of what a ratio leaves over, and the sum that the ratio gives for all."""
    ratio = math.fsum(values) / math.fsum(xs)
    left = [value - ratio * x for value, x in zip(values, xs, strict=True)]
    return math.fsum(each * each for each in left) / max(len(left) - 1, 1), ratio * total


class Estimate(NamedTuple):
    """What a run takes: wall seconds, processor seconds, bytes, and clips that fail."""

    clips: int
    seconds: Figure
    cpu_seconds: Figure
    bytes_read: Figure
    bytes_written: Figure
    failed: Figure


class Reading(NamedTuple):
    """Archives to be read in one pass: their bytes, and the bytes a second of the sample's."""

    bytes: int
    bytes_per_second: float | None

    @property
    def seconds(self) -> float:
        return self.bytes / self.bytes_per_second if self.bytes_per_second else 0.0


def estimate(
    loose: Sample, packed: Sample, archives: Reading, workers: int, start_seconds: float
) -> Estimate:
    """The estimate for clips from loose files and from archives.

    ``start_seconds`` is what a run takes without any clip.
    """
    samples = [sample for sample in (loose, packed) if sample.made]
    made = [each for sample in samples for each in sample.made]

    def sum_of(value: Callable[[Made], float]) -> Figure:
        return add(total_of(sample, value) for sample in samples)

    codecs = sum_of(lambda each: each.codec_seconds)
    both = sum_of(lambda each: each.codec_seconds + each.source_seconds)
    longest = max((each.codec_seconds for each in made), default=0.0)
    least = max(longest, archives.seconds)
    seconds = largest(
        codecs.map(lambda total: start_seconds + max(total / workers, least)),
        # More threads than processes read ahead; where storage is slow, even they are all waiting.
        both.map(lambda total: start_seconds + max(total / (workers + READ_AHEAD), least)),
    )
    return Estimate(
        sum(sample.population.clips for sample in samples),
        seconds.as_time(),
        sum_of(lambda each: each.cpu_seconds).as_time(),
        add([bytes_of(loose), Figure.exactly(archives.bytes)]),
        sum_of(lambda each: each.written),
        sum_of(lambda each: float(each.failed)),
    )


def largest(one: Figure, other: Figure) -> Figure:
    """The figure of what takes as long as the longer of two."""
    return max(one, other, key=lambda figure: figure.value)


def bytes_of(sample: Sample) -> Figure:
    """The bytes of all sources: known ones, and the sample's mean for others."""
    population, made = sample
    if not population.unknown or not made:
        return Figure.exactly(population.bytes)
    mean = fmean(each.bytes for each in made)
    if len(made) < 2:
        return Figure.around(population.bytes + population.unknown * mean, None)
    variance = math.fsum((each.bytes - mean) ** 2 for each in made) / (len(made) - 1)
    left = max(0.0, 1 - len(made) / population.clips)
    error = population.unknown * math.sqrt(left * variance / len(made))
    return Figure.around(population.bytes + population.unknown * mean, error)


def chosen_clips(wanted: int, read: int, size: int, most: int | None) -> int:
    """How many wanted clips archives of this size hold, if the ``read`` bytes hold ``wanted``.

    Packed archives are smaller than what they hold, so they hold no fewer than were seen. ``most``
    are wanted in all.
    """
    expected = max(wanted, round(wanted * size / read))
    return expected if most is None else min(expected, most)
