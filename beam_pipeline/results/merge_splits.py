"""Merge the shards of each split into its manifest and lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, NOT_MADE, Clip, Row, Split
from beam_pipeline.errors import DamagedError, InputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output, manifest_of
from beam_pipeline.results.link_classes import check_classes
from beam_pipeline.results.write_lists import Sums, listed_clips, write_lists

SplitShards = tuple[Split, list[str]]
"""A split, and the paths of its shards in order."""

_NO_SHARD = (0, "")
"""Stands beside a requested split. Unread, but of the type of shards: Flink joins only one type."""


class Merged(NamedTuple):
    """A split whose manifest and lists are written.

    ``lists`` are the names of the lists with their SHA-256, None of those that are gone; ``notes``
    are for the user.
    """

    split: Split
    lists: Sums
    notes: list[str]


class MergeSplits(beam.PTransform):
    """Merge shards, (split, (number, path)); returns each merged split once.

    Every requested split gets its files, even if they are empty. ``label_ids`` is the id of every
    class, which Hugging Face's list needs.
    """

    def __init__(self, config: Config, label_ids: pvalue.AsSingleton | None = None) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = () if label_ids is None else (label_ids,)

    def expand(
        self, shards: beam.PCollection[tuple[Split, tuple[int, str]]]
    ) -> beam.PCollection[Merged]:
        requested = shards.pipeline | "Requested splits" >> beam.Create(
            [(split, _NO_SHARD) for split in self._config.splits], reshuffle=False
        )
        collected = (
            {"requested": requested, "shards": shards}
            | "Collect splits" >> beam.CoGroupByKey()
            | "Sort shards" >> beam.MapTuple(_sort_shards)
        )
        every = pvalue.AsList(collected)
        checked = collected | "Check splits" >> beam.Map(_check, self._config, every)
        return collected | "Merge" >> beam.Map(
            _merge, self._config, every, pvalue.AsList(checked), *self._side_inputs
        ).with_output_types(Merged)


def _sort_shards(split: Split, group: dict[str, Iterable[Any]]) -> SplitShards:
    return split, [path for _, path in sorted(group["shards"])]


def _check(collected: SplitShards, config: Config, every: list[SplitShards]) -> None:
    check_split(*collected, config, every)


def _merge(
    collected: SplitShards,
    config: Config,
    every: list[SplitShards],
    _checked: list[None],  # unread: no file is replaced before all splits are checked
    label_ids: Mapping[str, int] | None = None,
) -> Merged:
    return merge_split(*collected, config, every, label_ids)


def check_split(
    split: Split, paths: Sequence[str], config: Config, every: Sequence[SplitShards] = ()
) -> None:
    """Check a split before any file of it is replaced; ``every`` are the shards of all splits.

    Raises:
        InputError: a trainer would misread it, or it would lose clips without ``--shrink``.
    """
    if not config.shrink:
        _refuse_to_shrink(split, paths, config, every)
    if split in config.class_folder_splits():
        check_classes(listed_clips(config.output, paths), split)


def _refuse_to_shrink(
    split: Split, paths: Sequence[str], config: Config, every: Sequence[SplitShards]
) -> None:
    refuse_lost([clip_id for clip_id, _ in _gone(split, paths, config, every)], split, config)


def refuse_lost(clip_ids: Iterable[str], split: Split, config: Config) -> None:
    """Raise InputError if there are clips of a finished output that this run would not list."""
    if gone := sorted(clip_ids):
        raise InputError(
            f"{config.output.root} would get smaller: {len(gone):,} of its {split} clips are no "
            f"longer annotated, or not within --classes, --limit and --limit_per_class, first "
            f"{gone[0]}; type another --output, or --shrink to take them out of lists and manifest "
            "(their files stay)"
        )


def _gone(
    split: Split, paths: Sequence[str], config: Config, every: Sequence[SplitShards]
) -> set[tuple[str, str | None]]:
    """(clip_id, path) of rows in the manifest that have no row in the shards of any split.

    A clip that is missing or failed now, or is in another split, has a row, so it is not gone.
    """
    output, gone = config.output, set()
    if config.annotations:
        now = {clip_id for clip_id, _ in clips_in(output, paths)}
        with suppress(FileNotFoundError, DamagedError):  # it tells nothing of earlier clips
            earlier = clips_in(output, [manifest_of(split)])
            gone = {(clip_id, path) for clip_id, path in earlier if clip_id not in now}
    if gone:
        others = (path for other, shards in every if other != split for path in shards)
        moved = {clip_id for clip_id, _ in clips_in(output, others)}
        gone = {(clip_id, path) for clip_id, path in gone if clip_id not in moved}
    return gone


def _newly_excluded(split: Split, paths: Sequence[str], config: Config) -> int:
    """The number of clips that the manifest lists, and that the shards have as excluded."""
    if split not in config.exclude_from and not config.releases:
        return 0
    excluded = set(_ids_with(("excluded",), config.output, paths))
    with suppress(FileNotFoundError, DamagedError):  # it tells nothing of earlier clips
        earlier = _ids_with(LISTED, config.output, [manifest_of(split)])
        return sum(clip_id in excluded for clip_id in earlier)
    return 0


def _ids_with(statuses: Sequence[str], output: Output, paths: Iterable[str]) -> Iterator[str]:
    """The clip_ids of rows with these statuses in manifests or shards."""
    for table in manifest.read_tables(output, paths, ["clip_id", "status"]):
        for clip_id, _ in manifest.values_of(manifest.with_status(table, statuses)):
            yield clip_id


def clips_in(output: Output, paths: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """(clip_id, path) of the rows in manifests or shards, given by their paths in the output."""
    for table in manifest.read_tables(output, paths, ["clip_id", "path"]):
        yield from manifest.values_of(table)


def merge_split(
    split: Split,
    paths: Sequence[str],
    config: Config,
    every: Sequence[SplitShards] = (),
    label_ids: Mapping[str, int] | None = None,
) -> Merged:
    """Write ``manifest/<split>.parquet`` and the split's lists from its shards, in order.

    Shards are ranges of clip_ids, so merging concatenates them. Files that would not change are
    not written again. A clip that could not be made here, but that another run has made and
    recorded in the manifest meanwhile, keeps that run's row.
    """
    output = config.output
    name = manifest_of(split)
    notes = []
    if left := sum(path is not None for _, path in _gone(split, paths, config, every)):
        clips = "1 clip is" if left == 1 else f"{left:,} clips are"
        whose = "its file stays" if left == 1 else "their files stay"
        notes.append(f"{split}: {clips} in no list any more; {whose}")
    if left := _newly_excluded(split, paths, config):
        notes.append(
            f"{split}: {left:,} listed before, now left out by "
            f"{'--exclude_annotations' if config.exclude_annotations else 'an output'}; files stay"
        )
    made = _made_meanwhile(config, name, paths)
    try:
        unchanged = not made and _is_unchanged(config, name, paths)
    except DamagedError as error:
        unchanged = False
        notes.append(f"{error.what}; it was written anew, and so were clips that only it knew")
    if not unchanged:
        with output.writing(name) as file:
            tables = (_with_rows(table, made) for table in manifest.read_tables(output, paths))
            manifest.write_parquet(file, tables, config.identity())
    lists, about_lists = write_lists(split, config, label_ids) if config.annotations else ({}, [])
    output.sync()
    return Merged(split, lists, notes + about_lists)


def _made_meanwhile(config: Config, name: str, shards: Sequence[str]) -> dict[str, Row]:
    """By clip_id, the rows in a manifest of clips that are there, but were not made by this run.

    They are of a run that ended while this one was at work: its rows were not there when this run
    planned its own.
    """
    output = config.output
    not_made = _paths_of_clips_not_made(config, shards)
    made: dict[str, Row] = {}
    if not_made:
        names = pa.array(not_made, pa.string())
        with suppress(FileNotFoundError, DamagedError):  # there is none, or it is written anew
            for table in manifest.read_parquet(output.url(name), settings=config.identity()):
                listed = manifest.with_status(table, LISTED)
                known = listed.filter(pc.is_in(listed.column("clip_id"), value_set=names))
                rows = (Row(*values) for values in manifest.values_of(known))
                made |= {
                    row.clip_id: row
                    for row in rows
                    if row.path == not_made[row.clip_id] and output.has_file(row.path, row.bytes)
                }
    return made


def _paths_of_clips_not_made(config: Config, shards: Sequence[str]) -> dict[str, str]:
    """By clip_id, where the clips would be that could not be made; not those with conflicts."""
    columns = ("clip_id", "split", "label", "label_id", "reason", "status")
    paths = {}
    for table in manifest.read_tables(config.output, shards, columns):
        for values in manifest.values_of(manifest.with_status(table, NOT_MADE)):
            clip_id, split, label, label_id, reason, _ = values
            if reason != "conflicting_annotations":
                clip = Clip(clip_id, split=split, label=label, label_id=label_id)
                paths[clip_id] = config.clip_path(clip)
    return paths


def _with_rows(table: pa.Table, made: Mapping[str, Row]) -> pa.Table:
    """A table with other rows for some clips."""
    if not made:
        return table
    rows = (Row(*values) for values in manifest.values_of(table))
    return manifest.to_table(
        [
            row if row.clip_id not in made
            else made[row.clip_id]._replace(
                status="reused", split=row.split, label=row.label, label_id=row.label_id,
                seconds=None,
            )
            for row in rows
        ]
    )  # fmt: skip


def _is_unchanged(config: Config, name: str, shards: Sequence[str]) -> bool:
    """Whether a manifest already equals the shards, except for which run made a clip.

    Raises:
        DamagedError: the manifest is not as it was written.
    """
    output = config.output
    # Each shard is one table of the manifest, so the tables pair up.
    earlier = manifest.read_parquet(output.url(name), settings=config.identity())
    pairs = zip_longest(earlier, manifest.read_tables(output, shards))
    try:
        equal = [
            bool(old and new and _comparable(old).equals(_comparable(new))) for old, new in pairs
        ]
    except FileNotFoundError:
        return False  # there is no manifest yet
    return all(equal)  # of all tables, so that damage in any is seen


def _comparable(rows: pa.Table) -> pa.Table:
    exists = pc.is_in(rows.column("status"), value_set=pa.array(LISTED))
    status = pc.if_else(exists, "listed", rows.column("status"))
    return rows.drop_columns(["seconds", "status"]).append_column("status", status)
