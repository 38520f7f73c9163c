"""The power goes: nothing torn has a clip's name, and what a finished run lists is there."""

import pytest

from tests.faults.power_cuts import FILE_SYSTEMS, CannotMountError, check_power_cut

AMID_THE_CLIPS, AFTER_THE_END = 0, 1
"""Seeds that cut the power then."""


@pytest.mark.parametrize(
    ("filesystem", "options", "seed"),
    [
        ("ext4", FILE_SYSTEMS["ext4"][1], AMID_THE_CLIPS),
        ("ext4", FILE_SYSTEMS["ext4"][2], AFTER_THE_END),
        ("xfs", "", AMID_THE_CLIPS),
        ("btrfs", "", AFTER_THE_END),
    ],
)
def test_a_power_cut_tears_no_clip_and_takes_nothing_of_a_finished_run(
    filesystem: str, options: str, seed: int
) -> None:
    try:
        check_power_cut(filesystem, options, seed)
    except CannotMountError as reason:
        pytest.skip(f"cannot mount {filesystem} {options}: {reason}")
