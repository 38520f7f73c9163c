"""A thousand damaged clips and all the lying headers we could think of, each in a child."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from beam_pipeline.codec.pool import MEMORY_LIMIT, CodecPool
from beam_pipeline.codec.timestamps import Segment
from tests.codec.test_pool import children
from tests.faults.fuzzed import QUICK, check, outcomes
from tests.faults.fuzzing import damaged, hand_made, whole_videos

CLIPS = 1000
BATCH = 200

IMPORTS = 300 * 1024**2
"""Bytes that a child takes before it has a clip: what its limit is counted from."""


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    pool = CodecPool(2)
    yield pool
    pool.close()


def peak_memory(pid: int) -> int:
    """Bytes that a process has held at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.parametrize("first", range(0, CLIPS, BATCH))
def test_a_damaged_clip_has_an_outcome_and_harms_nobody(pool: CodecPool, first: int) -> None:
    seeds = range(first, first + BATCH)
    for seed, (outcome, seconds) in zip(
        seeds, outcomes(pool, (damaged(seed) for seed in seeds)), strict=True
    ):
        try:
            check(outcome, seconds)
        except AssertionError as error:
            error.add_note(f"damaged({seed}): {outcome}")
            raise
    assert all(peak_memory(child) < MEMORY_LIMIT + IMPORTS for child in children())


@pytest.mark.parametrize("fps", [None, Fraction(10)])
def test_a_damaged_whole_video_has_an_outcome_and_harms_nobody(
    pool: CodecPool, fps: Fraction | None
) -> None:
    settings = replace(QUICK, fps=fps)
    seeds = range(BATCH)
    videos = (damaged(seed, whole_videos) for seed in seeds)
    ends = outcomes(pool, videos, settings=settings, segment=Segment(Fraction(2), Fraction(3)))
    for seed, (outcome, seconds) in zip(seeds, ends, strict=True):
        try:
            check(outcome, seconds)
        except AssertionError as error:
            error.add_note(f"damaged({seed}, whole_videos): {outcome}")
            raise
    assert sum(outcome.status == "resized" for outcome, _ in ends) > BATCH / 4


@pytest.mark.parametrize("name", hand_made())
def test_a_header_that_lies_has_an_outcome_and_harms_nobody(pool: CodecPool, name: str) -> None:
    ((outcome, seconds),) = outcomes(pool, [hand_made()[name]])
    check(outcome, seconds)
    assert all(peak_memory(child) < MEMORY_LIMIT + IMPORTS for child in children())
