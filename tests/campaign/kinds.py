"""The kinds of faults, and the share of a campaign's time that each gets."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.campaign.bucket_faults import bucket_faults
from tests.campaign.clips import fuzzed_clips
from tests.campaign.commands import killed_commands
from tests.campaign.stages import killed_stages, local_faults
from tests.faults.hostile_archives import check_archive
from tests.faults.power_cuts import FILE_SYSTEMS, check_power_cut


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    ``check`` makes faults by a seed and returns how many; it raises CannotMountError where it
    cannot, and another error if one of them does harm. ``share`` is the part of the time, in
    percent.
    """

    name: str
    what: str
    share: int
    check: Callable[[int], int]


def _archive(seed: int) -> int:
    check_archive(seed)
    return 1


def _power_cut(file_system: str) -> Callable[[int], int]:
    def check(seed: int) -> int:
        options = random.Random(seed).choice(FILE_SYSTEMS[file_system])
        check_power_cut(file_system, options, seed)
        return 1

    return check


KINDS = {
    kind.name: kind
    for kind in (
        Kind("commands", "kills of whole commands: folder, archives, bucket", 34, killed_commands),
        Kind("stages", "kills in process, at a change of the file system", 12, killed_stages),
        Kind("ext4", "power cuts, ext4", 12, _power_cut("ext4")),
        Kind("xfs", "power cuts, XFS", 12, _power_cut("xfs")),
        Kind("btrfs", "power cuts, btrfs", 12, _power_cut("btrfs")),
        Kind("clips", "fuzzed clips", 8, fuzzed_clips),
        Kind("disk", "faults of a disk: EIO, ENOSPC, …", 4, local_faults),
        Kind("bucket", "faults of a bucket: 5xx, resets, cuts, …", 4, bucket_faults),
        Kind("archives", "hostile archives", 2, _archive),
    )
}
