"""A thousand damaged clips and all the lying headers we could think of, each in a child."""

import io
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

import av
import av.error
import av.logging
import pytest

from beam_pipeline.codec.outcome import Outcome, Reason
from beam_pipeline.codec.pool import MEMORY_LIMIT, CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment
from tests.codec.test_pool import children
from tests.faults.fuzzing import damaged, hand_made, whole_videos

CLIPS = 1000
BATCH = 200
DEADLINE = 30.0
QUICK = ClipSettings(short_edge=64, preset="ultrafast")

IMPORTS = 300 * 1024**2
"""Bytes that a child takes before it has a clip: what its limit is counted from."""


@pytest.fixture(scope="module")
def pool() -> Iterator[CodecPool]:
    pool = CodecPool(2)
    yield pool
    pool.close()


def outcomes(
    pool: CodecPool, clips: Iterable[bytes], **asked: object
) -> list[tuple[Outcome, float]]:
    """What becomes of each clip, and the seconds it was worked on."""

    def one(clip: bytes) -> tuple[Outcome, float]:
        began = time.monotonic()
        request = Request(clip, None, **{"settings": QUICK, **asked})
        return pool.run(request, DEADLINE), time.monotonic() - began

    with ThreadPoolExecutor(2) as threads:  # as many as children: nobody waits for one
        return list(threads.map(one, clips))


def check(outcome: Outcome, seconds: float) -> None:
    """Every clip has an end that a row can state, in its time; what was made can be played."""
    assert seconds < DEADLINE + 10
    if outcome.status == "failed":
        assert outcome.reason in get_args(Reason)
        assert outcome.detail
        assert outcome.output is None
        # Not even rubbish may kill a child or hang it.
        assert outcome.reason not in ("crashed", "timeout"), outcome.detail
        return
    assert outcome.status in ("resized", "copied")
    assert outcome.reason is None
    assert outcome.output is not None
    with av.open(io.BytesIO(outcome.output)) as made:
        assert bool(made.streams.audio) == outcome.facts.has_audio
        frames = list(made.decode(video=0))
    assert len(frames) == outcome.facts.frames
    if outcome.facts.has_audio:
        assert sound_errors(outcome.output) == []


def sound_errors(clip: bytes) -> list[str]:
    """What the decoder of a clip's sound says, and what it raises; checksums are looked at."""
    av.logging.set_level(av.logging.ERROR)
    with av.logging.Capture(local=False) as log, av.open(io.BytesIO(clip)) as container:
        context = container.streams.audio[0].codec_context
        context.options = {"err_detect": "crccheck"}
        said = []
        for packet in container.demux(audio=0):
            try:
                packet.decode()
            except av.error.FFmpegError as error:
                said.append(str(error))
        return said + [message for _, name, message in log if name == context.name]


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
