"""The first seeds of every kind of fault that ``make campaign`` makes by the thousand."""

import pytest

from tests.campaign.kinds import KINDS

SEEDS = {"commands": 1, "stages": 4, "clips": 0, "disk": 4, "bucket": 2, "archives": 0}
"""How many; of clips and archives ``test_fuzz.py`` and ``test_archives.py`` try hundreds."""


@pytest.mark.parametrize(
    ("kind", "seed"), [(kind, seed) for kind, seeds in SEEDS.items() for seed in range(seeds)]
)
def test_what_a_seed_brings_does_no_harm(kind: str, seed: int) -> None:
    assert KINDS[kind].check(seed)
