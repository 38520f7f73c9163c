"""Which samples go into which WebDataset shard, from the manifests; is there room for them?"""

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.batches import pack
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, SPLITS, Split
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import SUMMARY, WEBDATASET, Output, manifest_of
from beam_pipeline.output.webdataset import (
    SHARD_NAME,
    SIZES,
    Sample,
    cut,
    index_name,
    place_of,
    shards_in,
)
from beam_pipeline.storage import files, urls

ROOM_PER_SAMPLE = 4096
"""Bytes that a sample takes beside its clip: three headers, two small files, and padding."""

AT_ONCE = 100_000
"""Samples in memory at once. For each so many, the manifest of their split is read once more."""


class Shard(NamedTuple):
    """A shard to pack; ``samples`` is a batch of ``Sample``, see ``batches.py``."""

    split: Split
    number: int
    samples: bytes


def plan_shards(config: Config) -> Iterator[Shard]:
    """The shards of the requested splits, whose manifests are written.

    Raises:
        InputError: a file of others is where an index would be written.
        OutputError: the disk has no room for them.
    """
    _refuse_indexes_of_others(config)
    check_room(config)
    for split in config.packed_splits():
        for number, samples in enumerate(shards_of(config.output, split, config.seed)):
            yield Shard(split, number, pack([tuple(sample) for sample in samples]))


def _refuse_indexes_of_others(config: Config) -> None:
    """Raise InputError if an index would be written where the file of somebody else is."""
    for relative in (*map(index_name, config.packed_splits()), SIZES):
        if not is_recorded(relative, config.output) and is_of_others(relative, config.output):
            raise InputError(
                f"{config.output.url(relative)} is no file of this program, and this run would "
                "write another in its place; move it away, then run the same command again"
            )


def is_recorded(relative: str, output: Output) -> bool:
    """Whether the last finished run has written an index."""
    return relative in ((output.read_json_if_whole(SUMMARY) or {}).get("lists") or {})


def is_of_others(relative: str, output: Output) -> bool:
    """Whether there is a file in the place of an index that no run can have written.

    Raises:
        OutputError: it cannot be read.
    """
    url = output.url(relative)
    try:
        data = files.read(url)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise read_error(url, error) from error
    try:
        content = json.loads(data)
        if relative == SIZES:
            named = all(SHARD_NAME.fullmatch(name) for name in dict(content))
            return not named or not any(_is_ours(index_name(split), output) for split in SPLITS)
        shards_in(content)
        return not isinstance(content["seed"], int)
    except (ValueError, LookupError, TypeError):
        return True


def _is_ours(relative: str, output: Output) -> bool:
    """Whether there is an index of a split, and a run may have written it."""
    return files.exists(output.url(relative)) and not is_of_others(relative, output)


def shards_of(output: Output, split: Split, seed: int) -> Iterator[list[Sample]]:
    """The samples of each shard of a split, in order."""
    return cut(samples_of(output, split, seed))


def samples_of(output: Output, split: Split, seed: int) -> Iterator[Sample]:
    """The clips in a split's manifest that exist, in the order that the seed gives.

    Of all clips together only the order is in memory.
    """
    ranks = _ranks(output, split, seed)
    for begin in range(0, len(ranks), AT_ONCE):
        some = _with_ranks(output, split, ranks, range(begin, begin + AT_ONCE))
        yield from (Sample(*values) for values in manifest.values_of(some))


def _ranks(output: Output, split: Split, seed: int) -> npt.NDArray[np.int64]:
    """At which place in the shuffled order each clip comes, in the order of the manifest."""
    places = [
        np.array([place_of(clip_id.as_py(), seed) for clip_id in table.column("clip_id")], "S32")
        for table in _listed(output, split, ["clip_id"])
    ]
    order = np.argsort(np.concatenate(places or [np.empty(0, "S32")]))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks


def _with_ranks(
    output: Output, split: Split, ranks: npt.NDArray[np.int64], wanted: range
) -> pa.Table:
    """The clips with these ranks, in their order."""
    tables, found, begin = [], [], 0
    for table in _listed(output, split, Sample._fields):
        here = ranks[begin : begin + len(table)]
        begin += len(table)
        chosen = np.flatnonzero((here >= wanted.start) & (here < wanted.stop))
        tables.append(table.take(pa.array(chosen)))
        found.append(here[chosen])
    return pa.concat_tables(tables).take(pa.array(np.argsort(np.concatenate(found))))


def _listed(output: Output, split: Split, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Columns of the existing clips of a split, a table of its manifest at a time."""
    for table in manifest.read_tables(output, [manifest_of(split)], [*columns, "status"]):
        yield manifest.with_status(table, LISTED).select(columns)


def check_room(config: Config) -> None:
    """Check that the disk has room for the shards, beside those that are there.

    In a bucket there is always room.

    Raises:
        OutputError: there is not.
    """
    output = config.output
    if not output.is_local:
        return
    needed = 0
    for split in config.packed_splits():
        for table in _listed(output, split, ["bytes"]):
            needed += (pc.sum(table.column("bytes")).as_py() or 0) + ROOM_PER_SAMPLE * len(table)
    needed -= sum(shards_there(output, config.packed_splits()).values())
    free = shutil.disk_usage(urls.local_path(output.root)).free
    if needed > free:
        raise OutputError(
            f"{output.root} has {free / 1e9:,.1f} GB free, and its webdataset shards need "
            f"{needed / 1e9:,.1f} GB more, for they hold every clip again; make room, or leave out "
            f"--list_format {WEBDATASET}; then run the same command again: all clips are kept"
        )


def shards_there(output: Output, splits: Collection[str]) -> dict[str, int]:
    """The size in bytes of each file in the folder of shards that has the name of one, by name."""
    url = output.url(WEBDATASET)
    try:
        entries = files.list_folder(url)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise read_error(url, error) from error
    names = {entry.url.rpartition("/")[2]: entry.size or 0 for entry in entries}
    matches = {name: SHARD_NAME.fullmatch(name) for name in names}
    return {name: names[name] for name, match in matches.items() if match and match[1] in splits}
