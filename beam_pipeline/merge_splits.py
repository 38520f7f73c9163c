"""Shards to what a split ends up with: one list and one manifest."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline import manifest, storage
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.output import MANIFESTS, Output


class MergeSplits(beam.PTransform):
    """All shards, (split, (number, path)), to the splits that are merged, each once.

    Every split asked for gets its files, empty if need be.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, shards: beam.PCollection[tuple[Split, tuple[int, str]]]
    ) -> beam.PCollection[Split]:
        asked = shards.pipeline | "Asked splits" >> beam.Create(
            [(split, None) for split in self._config.splits]
        )
        return (
            {"asked": asked, "shards": shards}
            | "Collect splits" >> beam.CoGroupByKey()
            | "Merge" >> beam.Map(_merge, self._config).with_output_types(Split)
        )


def _merge(collected: tuple[Split, dict[str, Iterable[Any]]], config: Config) -> Split:
    split, group = collected
    merge_split(split, group["shards"], config)
    return split


def merge_split(split: Split, shards: Iterable[tuple[int, str]], config: Config) -> None:
    """Write ``<split>.csv`` and ``manifest/<split>.parquet`` from shards in any order.

    Shards are ranges of clip_ids, so that merging is putting one behind the other. Where
    nothing has changed since the last run, the files are left as they are.
    """
    output = config.output
    paths = [path for _, path in sorted(shards)]
    name = f"{MANIFESTS}/{split}.parquet"
    if not _is_unchanged(output, name, paths):
        with output.writing(name) as file:
            manifest.write_parquet(file, _tables(output, paths))
    lines = (line for table in _tables(output, [name]) for line in list_lines(table, config))
    output.write_if_new(f"{split}.csv", "".join(lines).encode())


def list_lines(rows: pa.Table, config: Config) -> Iterator[str]:
    """``path label`` lines of the clips that exist, as SlowFast reads them.

    SlowFast splits each line at its PATH_LABEL_SEPARATOR and understands no quotes.
    """
    columns = (rows.column(name).to_pylist() for name in ("status", "path", "label_id"))
    for status, path, label_id in zip(*columns, strict=True):
        if status in LISTED:
            yield f"{config.listed_path(path)}{config.separator}{label_id}\n"


def _is_unchanged(output: Output, name: str, shards: list[str]) -> bool:
    """Whether a manifest says already what the shards say, but for who made it and when."""
    if not storage.exists(output.url(name)):
        return False
    # Each shard is a table of the manifest, so that they pair up.
    pairs = zip_longest(_tables(output, [name]), _tables(output, shards))
    return all(old and new and _lasting(old).equals(_lasting(new)) for old, new in pairs)


def _lasting(rows: pa.Table) -> pa.Table:
    there = pc.is_in(rows.column("status"), value_set=pa.array(LISTED))
    status = pc.if_else(there, "listed", rows.column("status"))
    return rows.drop_columns(["seconds", "status"]).append_column("status", status)


def _tables(output: Output, paths: Iterable[str]) -> Iterator[pa.Table]:
    for path in paths:
        with storage.opened(output.url(path)) as file:
            yield from manifest.read_parquet(file)
