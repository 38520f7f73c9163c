"""What a run with ``--shard`` does, and what it leaves to others.

Loose files are divided by clip, archives by archive, see ``sources/find_sources.py``. A part looks
for a clip in its archives only if no other source is known. What fails and may be in an archive of
another part, the run without ``--shard`` makes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

import apache_beam as beam
import numpy as np
from apache_beam import pvalue

from beam_pipeline.elements import ResizeTask
from beam_pipeline.plan.limit_clips import LastWithinLimit
from beam_pipeline.progress import metrics
from beam_pipeline.shard import Shard


class TakePart(beam.PTransform):
    """The tasks of this part, of all ``tasks``; ``ids`` are those of all requested clips.

    Parts are ranges of checksums with equally many clips in each. Every part finds the same ranges,
    because it is asked for the same clips, and what is made already does not matter.
    """

    def __init__(self, shard: Shard, limit: int | None) -> None:
        super().__init__()
        self._shard = shard
        self._limit = limit

    def expand(self, inputs: dict[str, beam.PCollection]) -> beam.PCollection[ResizeTask]:
        ids = inputs["ids"]
        last_id = pvalue.AsSingleton(ids | LastWithinLimit(self._limit))
        begins = (
            ids
            | "Within limit"
            >> beam.Filter(lambda name, last: last is None or name <= last, last_id)
            | "Begins" >> beam.CombineGlobally(BeginsOfParts(self._shard.count))
        )
        return inputs["tasks"] | "Take" >> beam.FlatMap(
            take, self._shard, pvalue.AsSingleton(begins)
        ).with_output_types(ResizeTask)


class BeginsOfParts(beam.CombineFn):
    """Combine ids into the checksums at which the parts begin, except the first."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def create_accumulator(self) -> list[int]:
        return []

    def add_input(self, checksums: list[int], clip_id: str) -> list[int]:
        checksums.append(_checksum_of(clip_id))
        return checksums

    def merge_accumulators(self, accumulators: Iterable[list[int]]) -> list[int]:
        return [checksum for checksums in accumulators for checksum in checksums]

    def extract_output(self, checksums: list[int]) -> list[int]:
        known = np.unique(np.array(checksums, np.uint32))  # a clip may be stated several times
        if not len(known):
            return []
        return [int(known[part * len(known) // self._count]) for part in range(1, self._count)]


def _checksum_of(clip_id: str) -> int:
    return crc32(clip_id.encode())


def take(task: ResizeTask, shard: Shard, begins: Sequence[int]) -> Iterator[ResizeTask]:
    """The task if this part does it; ``begins`` as ``BeginsOfParts`` gives them."""
    if task.archive is not None:
        is_mine = task.archive.is_mine
    else:
        is_mine = bisect_right(begins, _checksum_of(task.clip.clip_id)) + 1 == shard.number
    if is_mine:
        metrics.count_planned()
        yield task
