"""A random sample of the clips to make, spread over the sizes of their files, always the same."""

import heapq
import math
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from beam_pipeline.elements import Archive, Clip, ResizeTask

SEED = b"beam_pipeline plan"

BINS_PER_DOUBLING = 4
"""Bins of file sizes while a size doubles; within a bin any file is as good as another."""

_UNKNOWN = math.inf
"""The bin of files whose size no listing tells; after all others."""


class Population(NamedTuple):
    """What a sample is drawn from.

    ``bytes`` are those of the files whose size is known, ``unknown`` the number of the others.
    ``seconds`` are those that annotations state; None if there are none.
    """

    clips: int
    bytes: int
    unknown: int
    seconds: float | None


class _Bin:
    """Clips whose files are about equally large; of these the ones that chance puts first."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[tuple[int, str, ResizeTask]] = []

    def add(self, task: ResizeTask, most: int) -> None:
        self.count += 1
        entry = (-chance(task.clip.clip_id), task.clip.clip_id, task)
        if len(self._first) < most:
            heapq.heappush(self._first, entry)
        elif most:
            heapq.heappushpop(self._first, entry)

    def first(self, count: int) -> list[ResizeTask]:
        return [task for *_, task in sorted(self._first, reverse=True)[:count]]


class Reservoir:
    """All clips to make from loose files, of which ``most`` can be drawn at most.

    What is drawn depends on the clips alone, not on the order in which they come.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bins: dict[float, _Bin] = {}
        self._bytes = self._unknown = 0
        self._seconds: float | None = 0.0

    def add(self, task: ResizeTask) -> None:
        """Add a clip, with the size of its best file."""
        size = task.sources[0][1]
        self._bins.setdefault(_bin_of(size), _Bin()).add(task, self._most)
        self._bytes += size or 0
        self._unknown += size is None
        seconds = seconds_of(task.clip)
        if seconds is None or self._seconds is None:
            self._seconds = None
        else:
            self._seconds += seconds

    @property
    def population(self) -> Population:
        """All clips that were added."""
        count = sum(each.count for each in self._bins.values())
        return Population(count, self._bytes, self._unknown, self._seconds)

    def draw(self, count: int) -> list[ResizeTask]:
        """So many clips at even distances in the order of their sizes; all, if there are fewer."""
        total = self.population.clips
        count = min(count, total, self._most)
        drawn: list[ResizeTask] = []
        begin = 0
        for _, each in sorted(self._bins.items()):
            end = begin + each.count
            drawn += each.first(
                _marks_before(end, count, total) - _marks_before(begin, count, total)
            )
            begin = end
        return drawn


def _marks_before(place: int, count: int, total: int) -> int:
    """How many of ``count`` marks at even distances on ``total`` places are before a place."""
    return (2 * place * count + total) // (2 * total)


def _bin_of(size: int | None) -> float:
    return _UNKNOWN if size is None else math.floor(BINS_PER_DOUBLING * math.log2(size + 1))


def chance(name: str) -> int:
    """A number from 0 to 2^64 that is random, but always the same for a name."""
    return int.from_bytes(blake2b(name.encode(), key=SEED, digest_size=8).digest())


def draw_archives(archives: Iterable[Archive], count: int) -> list[Archive]:
    """So many archives by chance; all, if there are fewer."""
    return heapq.nsmallest(count, archives, key=lambda archive: chance(archive.path))


def seconds_of(clip: Clip) -> float | None:
    """The length of a clip that its annotation states."""
    if clip.time_start is None or clip.time_end is None:
        return None
    return float(clip.time_end - clip.time_start)
