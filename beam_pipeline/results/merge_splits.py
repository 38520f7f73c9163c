"""Merge the shards of each split into its manifest and lists."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.output import manifest
from beam_pipeline.output.list_formats import TORCHVISION
from beam_pipeline.output.output_folder import MANIFESTS, Output
from beam_pipeline.results.link_classes import check_classes
from beam_pipeline.results.write_lists import listed_clips, write_lists


class MergeSplits(beam.PTransform):
    """Merge shards, (split, (number, path)); returns each merged split once.

    Every requested split gets its files, even if they are empty.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, shards: beam.PCollection[tuple[Split, tuple[int, str]]]
    ) -> beam.PCollection[Split]:
        requested = shards.pipeline | "Requested splits" >> beam.Create(
            [(split, None) for split in self._config.splits]
        )
        collected = (
            {"requested": requested, "shards": shards}
            | "Collect splits" >> beam.CoGroupByKey()
            | "Sort shards" >> beam.MapTuple(_sort_shards)
        )
        checked = collected | "Check splits" >> beam.Map(_check, self._config)
        return collected | "Merge" >> beam.Map(
            _merge, self._config, pvalue.AsList(checked)
        ).with_output_types(Split)


def _sort_shards(split: Split, group: dict[str, Iterable[Any]]) -> tuple[Split, list[str]]:
    return split, [path for _, path in sorted(group["shards"])]


def _check(collected: tuple[Split, list[str]], config: Config) -> None:
    check_split(*collected, config)


def _merge(
    collected: tuple[Split, list[str]],
    config: Config,
    _checked: list[None],  # unread: no file is replaced before all splits are checked
) -> Split:
    merge_split(*collected, config)
    return collected[0]


def check_split(split: Split, paths: Sequence[str], config: Config) -> None:
    """Raise InputError if a trainer would misread a split."""
    if TORCHVISION in config.list_formats:
        check_classes(listed_clips(config.output, paths), split)


def merge_split(split: Split, paths: Sequence[str], config: Config) -> None:
    """Write ``manifest/<split>.parquet`` and the split's lists from its shards, in order.

    Shards are ranges of clip_ids, so merging concatenates them. Files that would not change are
    not written again.
    """
    output = config.output
    name = f"{MANIFESTS}/{split}.parquet"
    if not _is_unchanged(output, name, paths):
        with output.writing(name) as file:
            manifest.write_parquet(file, manifest.read_tables(output, paths))
    if config.annotations:
        write_lists(split, config)


def _is_unchanged(output: Output, name: str, shards: Sequence[str]) -> bool:
    """Whether a manifest already equals the shards, except for which run made a clip."""
    # Each shard is one table of the manifest, so the tables pair up.
    pairs = zip_longest(manifest.read_tables(output, [name]), manifest.read_tables(output, shards))
    try:
        return all(old and new and _comparable(old).equals(_comparable(new)) for old, new in pairs)
    except FileNotFoundError:
        return False  # there is no manifest yet


def _comparable(rows: pa.Table) -> pa.Table:
    exists = pc.is_in(rows.column("status"), value_set=pa.array(LISTED))
    status = pc.if_else(exists, "listed", rows.column("status"))
    return rows.drop_columns(["seconds", "status"]).append_column("status", status)
