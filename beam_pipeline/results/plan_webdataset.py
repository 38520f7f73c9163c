"""Which samples go into which WebDataset shard, from the manifests; is there room for them?"""

import shutil
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.batches import pack
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Split
from beam_pipeline.errors import OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, WEBDATASET, Output, read_error
from beam_pipeline.output.webdataset import MAX_SAMPLES, SHARD_NAME, Sample, cut, place_of
from beam_pipeline.storage import files, urls

ROOM_PER_SAMPLE = 4096
"""Bytes that a sample takes beside its clip: three headers, two small files, and padding."""


class Shard(NamedTuple):
    """A shard to pack; ``samples`` is a batch of ``Sample``, see ``batches.py``."""

    split: Split
    number: int
    samples: bytes


def plan_shards(config: Config) -> Iterator[Shard]:
    """The shards of the requested splits, whose manifests are written.

    Raises:
        OutputError: the disk has no room for them.
    """
    check_room(config)
    for split in config.splits:
        for number, samples in enumerate(shards_of(config.output, split, config.seed)):
            yield Shard(split, number, pack([tuple(sample) for sample in samples]))


def shards_of(output: Output, split: Split, seed: int) -> Iterator[list[Sample]]:
    """The samples of each shard of a split, in order."""
    return cut(samples_of(output, split, seed))


def samples_of(output: Output, split: Split, seed: int) -> Iterator[Sample]:
    """The clips in a split's manifest that exist, in the order that the seed gives."""
    table = _listed(output, split, Sample._fields)
    clip_ids = table.column("clip_id").to_pylist()
    places = [place_of(clip_id, seed) for clip_id in clip_ids]
    order = sorted(range(len(places)), key=places.__getitem__)
    for begin in range(0, len(order), MAX_SAMPLES):
        some = table.take(pa.array(order[begin : begin + MAX_SAMPLES], pa.int64()))
        yield from (Sample(*values) for values in manifest.values_of(some))


def _listed(output: Output, split: Split, columns: Sequence[str]) -> pa.Table:
    """Columns of the existing clips of a split."""
    paths = [f"{MANIFESTS}/{split}.parquet"]
    tables = [
        manifest.with_status(table, LISTED).select(columns)
        for table in manifest.read_tables(output, paths, [*columns, "status"])
    ]
    schema = pa.schema([manifest.SCHEMA.field(name) for name in columns])
    return pa.concat_tables(tables or [schema.empty_table()])


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
    for split in config.splits:
        table = _listed(output, split, ["bytes"])
        needed += (pc.sum(table.column("bytes")).as_py() or 0) + ROOM_PER_SAMPLE * len(table)
    needed -= sum(shards_there(output, config.splits).values())
    free = shutil.disk_usage(urls.local_path(output.root)).free
    if needed > free:
        raise OutputError(
            f"{output.root} has {free / 1e9:,.1f} GB free, and its webdataset shards need "
            f"{needed / 1e9:,.1f} GB more, for they hold every clip again; make room, or leave out "
            f"--list_format {WEBDATASET}; then run the same command again: all clips are kept"
        )


def shards_there(output: Output, splits: Sequence[str]) -> dict[str, int]:
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
