"""Whether enough of a clip has decoded to be kept."""

from fractions import Fraction

from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.source import Source
from beam_pipeline.codec.timestamps import FrameClock, Segment

WHOLE_SHARE = Fraction(9, 10)
"""A damaged clip is kept when its pictures cover this share of its declared duration."""


def judge(source: Source, clock: FrameClock, facts: Facts) -> str | None:
    """Fill in what decoding has shown; a remark on damage, None for a sound clip.

    Raises:
        BadClip: there is no picture, or too little of the clip.
    """
    source.finish()
    facts.decode_errors = source.decode_errors
    wanted = _wanted(source)
    covers = source.covered if source.covered is not None else clock.covered
    damaged = source.decode_errors > 0 or source.ended_early
    if wanted is not None:
        truncated = damaged and covers < WHOLE_SHARE * wanted
    else:
        truncated = source.ended_early
    covered = f"{float(covers):.2f} s" if clock.frames else "nothing"
    if truncated:
        of = f" of {float(wanted):.2f} s" if wanted else ""
        raise BadClip("truncated", f"{covered} decodes{of}; {source.damage()}")
    if source.segment is not None and clock.decoded is not None and not clock.frames:
        raise BadClip("outside_video", _outside(source, source.segment))
    if not clock.frames:
        raise BadClip("undecodable", f"no picture decodes; {source.damage()}")
    facts.frames = clock.frames
    facts.duration = float(clock.span)
    facts.fps = float(clock.frames / clock.span)
    if damaged:
        return source.damage()
    if source.segment is not None and source.duration is not None:
        there = min(source.duration, source.segment.end) - source.segment.start
        if there < WHOLE_SHARE * source.segment.duration:
            asked = float(source.segment.duration)
            return f"the video ends early: {float(there):.2f} s of {asked:.2f} s"
    return None


def _wanted(source: Source) -> Fraction | None:
    """Seconds of pictures that there should be; None where the source does not say."""
    declared, segment = source.declared_duration, source.segment
    if declared is None or segment is None:
        return declared
    return max(Fraction(0), min(declared, segment.end) - segment.start)


def _outside(source: Source, segment: Segment) -> str:
    lasts = f"lasts {float(source.duration):.2f} s" if source.duration else "ends before"
    return f"the video {lasts}, the clip begins at {float(segment.start):.2f} s"
