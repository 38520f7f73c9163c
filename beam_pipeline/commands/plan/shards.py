"""What WebDataset shards add to a plan: they hold every listed clip once more."""

import tarfile
from typing import NamedTuple

from beam_pipeline.commands.plan.estimate import Estimate, Figure
from beam_pipeline.commands.plan.outcome import UNCERTAIN, Outcome
from beam_pipeline.commands.plan.planned_clips import MAKE, PlannedClips
from beam_pipeline.config import Config
from beam_pipeline.output.webdataset import Packed
from beam_pipeline.results.pack_webdataset import read_indexes
from beam_pipeline.results.plan_webdataset import ROOM_PER_SAMPLE, shards_there

BESIDE_CLIP = 11 * tarfile.BLOCKSIZE // 2
"""Bytes of a sample beside its clip: three headers, two small files of a block each, and half a
block of padding."""

PACKED_PER_SECOND = 250e6
"""Bytes of shards that are written in a second. docs/shards.md measured 736 MB/s on one core, with
the clips in memory. A disk reads and writes them besides, so this is a third."""


class Packing(NamedTuple):
    """What is known of the shards that are to be packed.

    ``samples`` and ``bytes`` are those of clips that are made already, ``replaced`` the bytes of
    the shards that are there and do not stay.
    """

    samples: int
    bytes: int
    replaced: int


class Shards(NamedTuple):
    """The bytes of the shards that a run packs, of those they replace, and of its whole room."""

    bytes: Figure
    replaced: int
    room: Figure


def packing_of(
    planned: PlannedClips, outcome: Outcome, found: Estimate, config: Config
) -> Packing | None:
    """What is known of the shards; None if the run packs none. ``found`` is without them.

    Raises:
        OutputError: the shards that are there cannot be seen.
    """
    if not config.packs or config.shard is not None:  # a part packs nothing
        return None
    there = shards_there(config.output, config.splits)
    indexes = read_indexes(config.output)
    is_new = round(found.clips - found.failed.value) > 0
    samples = size = replaced = 0
    for split in config.splits:
        sizes = {name: size for name, size in there.items() if name.startswith(f"{split}-")}
        counts = outcome.splits[split]
        changes = is_new and any(counts[name] for name in (MAKE, *UNCERTAIN))
        index = indexes.get(split)
        if changes or not _stay(index, counts["reused"], sizes, config.seed):
            samples += counts["reused"]
            size += planned.reused_bytes[split]
            replaced += sum(sizes.values())
    return Packing(samples, size, replaced)


def _stay(
    index: tuple[int, list[Packed]] | None, clips: int, sizes: dict[str, int], seed: int
) -> bool:
    """Whether the shards of a split, of these ``sizes``, are those of so many clips in this order.

    One more clip moves the ends of all shards that follow it, so any change counts as one of all.
    """
    if index is None:
        return not clips
    indexed, shards = index
    return (
        indexed == seed
        and sum(shard.samples for shard in shards) == clips
        and {shard.name: shard.bytes for shard in shards} == sizes
    )


def with_shards(found: Estimate, packing: Packing) -> tuple[Estimate, Shards]:
    """The estimate of a run that packs its clips as well, and that of the shards alone."""
    samples = packing.samples + found.clips - found.failed.value
    known = packing.bytes + samples * BESIDE_CLIP
    of_shards = found.bytes_written.map(lambda clips: clips + known)
    written = found.bytes_written.map(lambda clips: 2 * clips + known)
    # As the run looks for room before it packs.
    more = samples * (ROOM_PER_SAMPLE - BESIDE_CLIP) - packing.replaced
    seconds = of_shards.value / PACKED_PER_SECOND
    changed = found._replace(
        seconds=found.seconds.map(lambda clips: clips + seconds),
        cpu_seconds=found.cpu_seconds.map(lambda clips: clips + seconds),
        bytes_written=written,
    )
    room = written.map(lambda size: max(0.0, size + more))
    return changed, Shards(of_shards, packing.replaced, room)
