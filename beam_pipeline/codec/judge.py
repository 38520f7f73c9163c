"""Whether enough of a clip has decoded to be kept."""

from fractions import Fraction

from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.source import Source
from beam_pipeline.codec.timestamps import FrameClock

WHOLE_SHARE = Fraction(9, 10)
"""A damaged clip is kept when its pictures cover this share of its declared duration."""


def judge(source: Source, clock: FrameClock, facts: Facts) -> str | None:
    """Fill in what decoding has shown; a remark on damage, None for a sound clip.

    Raises:
        BadClip: there is no picture, or too little of the clip.
    """
    source.finish()
    facts.decode_errors = source.decode_errors
    declared = source.declared_duration
    damaged = source.decode_errors > 0 or source.ended_early
    if declared is not None:
        truncated = damaged and clock.covered < WHOLE_SHARE * declared
    else:
        truncated = source.ended_early
    covered = f"{float(clock.covered):.2f} s" if clock.frames else "nothing"
    if truncated:
        of = f" of {float(declared):.2f} s" if declared else ""
        raise BadClip("truncated", f"{covered} decodes{of}; {source.damage()}")
    if not clock.frames:
        raise BadClip("undecodable", f"no picture decodes; {source.damage()}")
    facts.frames = clock.frames
    facts.duration = float(clock.span)
    facts.fps = float(clock.frames / clock.span)
    return source.damage() if damaged else None
