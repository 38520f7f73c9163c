"""What becomes of fuzzed clips, and what must hold of it whatever they are."""

import io
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import av
import av.error
import av.logging

from beam_pipeline.codec.outcome import Outcome, Reason
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings

DEADLINE = 30.0
"""Seconds that a clip may take."""

QUICK = ClipSettings(short_edge=64, preset="ultrafast")


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
