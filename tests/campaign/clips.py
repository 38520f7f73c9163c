"""Real clips, damaged at random, each resized in a child."""

import atexit
from functools import cache

from beam_pipeline.codec.pool import CodecPool
from tests.faults.fuzzed import check, outcomes
from tests.faults.fuzzing import damaged

BATCH = 20


def fuzzed_clips(seed: int) -> int:
    """A batch of damaged clips: each has an outcome that a row can state, and harms no other."""
    seeds = range(seed * BATCH, (seed + 1) * BATCH)
    ends = outcomes(_pool(), (damaged(number) for number in seeds))
    for number, (outcome, seconds) in zip(seeds, ends, strict=True):
        try:
            check(outcome, seconds)
        except AssertionError as error:
            error.add_note(f"damaged({number}): {outcome}")
            raise
    return BATCH


@cache
def _pool() -> CodecPool:
    pool = CodecPool(2)
    atexit.register(pool.close)
    return pool
