"""Rows to shards: small sorted files that a split's lists are merged from."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import gather, unpack
from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, ReadArchive, Row, Split
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import SHARDS as FOLDER
from beam_pipeline.output.output_folder import Output
from beam_pipeline.progress import metrics
from beam_pipeline.results.resolve_rows import best_rows, explain_missing, resolve_rows

# A row's shard is a range of first characters, so that the shards, one after the other, are in
# the order of clip_ids. YouTube ids begin with any of 64 characters about as often; the ranges
# begin with these.
SHARD_STARTS = "\x00059CFIMPTWZadhlpsw"
SHARDS = len(SHARD_STARTS)
"""Of a large data set."""

SHARD_ROWS = 10_000
"""Clips that are worth one more shard."""

ShardKey = tuple[Split, int]


class WriteShards(beam.PTransform):
    """Rows, from any number of stages, to (split, (number, path)) of every shard with any.

    Of a clip that several stages have rows for, one counts: see ``best_rows``. ``size`` is how
    many clips there may be: few need few shards. ``read`` are the archives that were.
    """

    def __init__(self, config: Config, size: pvalue.AsSingleton, read: pvalue.AsSingleton) -> None:
        super().__init__()
        self._config = config
        self._size = size
        self._read = read

    def expand(
        self, stages: Sequence[beam.PCollection[Row]]
    ) -> beam.PCollection[tuple[Split, tuple[int, str]]]:
        # Gathered before they flow together, which costs as much for a row as for a batch.
        gathered = {
            number: rows | f"Gather rows {number}" >> gather(ShardKey, _shard_key, self._size)
            for number, rows in enumerate(stages)
        }
        return (
            gathered
            # Also the barrier that keeps clips from being made again when what follows is
            # tried again.
            | "Collect shards" >> beam.CoGroupByKey()
            | "Write shards"
            >> beam.Map(_write, self._config, self._read).with_output_types(
                tuple[Split, tuple[int, str]]
            )
        )


def _write(
    collected: tuple[ShardKey, dict[int, Iterable[bytes]]],
    config: Config,
    read: Sequence[ReadArchive],
) -> tuple[Split, tuple[int, str]]:
    shard, stages = collected
    unpacked = [unpack(Row, stages[number]) for number in sorted(stages)]
    rows = best_rows(unpacked, lambda one, other: resolve_rows(one, other, read, config))
    metrics.count_rows(rows)
    return write_shard(shard, (explain_missing(row, read) for row in rows), config.output)


def _shard_key(row: Row, size: int) -> ShardKey:
    return row.split or ALL, shard_of(row.clip_id, min(SHARDS, 1 + size // SHARD_ROWS))


def shard_of(clip_id: str, shards: int = SHARDS) -> int:
    """The number of a clip's shard; a clip_id that sorts later has none that is lower."""
    return (bisect_right(SHARD_STARTS, clip_id[:1]) - 1) * shards // SHARDS


def write_shard(
    shard: ShardKey, rows: Iterable[Row], output: Output
) -> tuple[Split, tuple[int, str]]:
    """Write the rows of one shard, sorted; the name comes from the data only."""
    split, number = shard
    relative = f"{output.state}/{FOLDER}/{split}-{number:02d}-of-{SHARDS:02d}.parquet"
    table = manifest.to_table(sorted(rows, key=lambda row: row.clip_id))
    with output.writing(relative) as file:
        manifest.write_parquet(file, [table])
    return split, (number, relative)
