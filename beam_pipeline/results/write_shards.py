"""Write rows to shards: small sorted files, later merged into a split's manifest and lists."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import batch_by_key, unpack
from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, ReadArchive, Row, Split
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import SHARDS as FOLDER
from beam_pipeline.output.output_folder import Output
from beam_pipeline.progress import metrics
from beam_pipeline.results.resolve_rows import (
    add_doubt,
    best_rows,
    explain_missing,
    find_conflicts,
    first_of,
)
from beam_pipeline.results.settle_clips import SettleClips

# A shard is a range of first characters, so shards in sequence are in the order of clip_ids. The
# 64 characters of YouTube ids are about equally frequent. The ranges begin with these.
SHARD_STARTS = "\x00059CFIMPTWZadhlpsw"
SHARDS = len(SHARD_STARTS)
"""The number of shards of a large data set."""

SHARD_ROWS = 10_000
"""A data set gets one more shard for every so many clips, up to ``SHARDS``."""

ShardKey = tuple[Split, int]
_KEY = tuple[str, int]
"""The same for Beam, which has no coder for a ``Split``: every runner compares encoded strings."""


class WriteShards(beam.PTransform):
    """Write rows of any number of stages; returns (split, (number, path)) per non-empty shard.

    A clip with several rows is resolved to one, see ``best_rows``. ``size`` is the maximum number
    of clips, which decides the number of shards. ``read`` is the list of archives that were read.
    """

    def __init__(self, config: Config, size: pvalue.AsSingleton, read: pvalue.AsSingleton) -> None:
        super().__init__()
        self._config = config
        self._size = size
        self._read = read

    def expand(
        self, stages: Sequence[beam.PCollection[Row]]
    ) -> beam.PCollection[tuple[Split, tuple[int, str]]]:
        # Batched before the join, where a single row costs as much as a batch.
        gathered = {
            number: rows | f"Gather rows {number}" >> batch_by_key(_KEY, _shard_key, self._size)
            for number, rows in enumerate(stages)
        }
        # Also a barrier: when a later step is retried, no clip is made again.
        collected = gathered | "Collect shards" >> beam.CoGroupByKey()
        settled = (
            collected
            | "Made twice"
            >> beam.FlatMap(_conflicts, self._read).with_output_types(tuple[Row, ...])
            | SettleClips(self._config, self._read)
        )
        return collected | "Write shards" >> beam.Map(
            _write, self._config, self._read, pvalue.AsList(settled)
        ).with_output_types(tuple[str, tuple[int, str]])


Collected = tuple[ShardKey, dict[int, Iterable[bytes]]]
"""The rows of a shard, in batches, by the number of their stage."""


def _conflicts(collected: Collected, read: Sequence[ReadArchive]) -> Iterator[tuple[Row, ...]]:
    _, stages = collected
    for batches in stages.values() if len(read) > 1 else ():
        yield from find_conflicts(unpack(Row, batches), read)


def _write(
    collected: Collected, config: Config, read: Sequence[ReadArchive], settled: Sequence[Row]
) -> tuple[Split, tuple[int, str]]:
    shard, stages = collected
    by_clip = {row.clip_id: row for row in settled}

    def choose(one: Row, other: Row) -> Row:
        return by_clip.get(one.clip_id) or first_of(one, other, read)

    rows = best_rows((unpack(Row, stages[number]) for number in sorted(stages)), choose)
    metrics.count_rows(rows)
    explained = (add_doubt(explain_missing(row, read), read) for row in rows)
    return write_shard(shard, explained, config.output)


def _shard_key(row: Row, size: int) -> ShardKey:
    return row.split or ALL, shard_of(row.clip_id, min(SHARDS, 1 + size // SHARD_ROWS))


def shard_of(clip_id: str, shards: int = SHARDS) -> int:
    """The number of a clip's shard; it never decreases with the sorted clip_id."""
    return (bisect_right(SHARD_STARTS, clip_id[:1]) - 1) * shards // SHARDS


def write_shard(
    shard: ShardKey, rows: Iterable[Row], output: Output
) -> tuple[Split, tuple[int, str]]:
    """Write the rows of one shard, sorted. Its name depends only on split and number."""
    split, number = shard
    relative = f"{output.state}/{FOLDER}/{split}-{number:02d}-of-{SHARDS:02d}.parquet"
    table = manifest.to_table(sorted(rows, key=lambda row: row.clip_id))
    with output.writing(relative, synced=False) as file:
        manifest.write_parquet(file, [table])
    return split, (number, relative)
