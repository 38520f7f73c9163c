"""Decide whether enough of a clip decodes to keep it."""

from fractions import Fraction

from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.packet_clock import may_restart
from beam_pipeline.codec.source import Source
from beam_pipeline.codec.timestamps import FrameClock, Segment

MIN_DECODED_SHARE = Fraction(9, 10)
"""A damaged clip is kept if its pictures cover this share of its declared duration."""


def check_truncation(source: Source, clock: FrameClock, facts: Facts) -> str | None:
    """Fill in the facts that decoding gives. Returns a remark on damage, None if there is none.

    Call it once all packets are decoded.

    Raises:
        BadClip: no picture decodes (``undecodable``), too little of the clip does
            (``truncated``), or the video ends before the clip begins (``outside_video``).
    """
    source.finish()
    facts.decode_errors = source.decode_errors
    expected = _expected_duration(source)
    covered = source.covered if source.covered is not None else clock.covered
    damaged = source.decode_errors > 0 or source.ended_early
    if expected is not None:
        truncated = damaged and covered < MIN_DECODED_SHARE * expected
    else:
        truncated = source.ended_early
    decoded = f"{float(covered):.2f} s" if clock.frames else "nothing"
    if truncated:
        total = f" of {float(expected):.2f} s" if expected else ""
        raise BadClip("truncated", f"{decoded} decodes{total}; {source.describe_damage()}")
    if source.segment is not None and clock.first_decoded is not None and not clock.frames:
        raise BadClip("outside_video", _outside_detail(source, source.segment))
    if not clock.frames:
        raise BadClip("undecodable", f"no picture decodes; {source.describe_damage()}")
    facts.frames = clock.frames
    facts.duration = float(clock.span)
    facts.fps = float(clock.frames / clock.span)
    facts.start = float((clock.first or 0) * clock.output_tick)
    if facts.source_duration is None and source.segment is None and may_restart(source.container):
        facts.source_duration = facts.start + facts.duration
    if damaged:
        return source.describe_damage()
    if source.segment is not None and source.duration is not None:
        available = min(source.duration, source.segment.end) - source.segment.start
        if available < MIN_DECODED_SHARE * source.segment.duration:
            requested = float(source.segment.duration)
            return f"the video ends early: {float(available):.2f} s of {requested:.2f} s"
    return None


def _expected_duration(source: Source) -> Fraction | None:
    """Seconds of pictures that the clip should have; None if the source does not declare them."""
    declared, segment = source.declared_duration, source.segment
    if declared is None or segment is None:
        return declared
    return max(Fraction(0), min(declared, segment.end) - segment.start)


def _outside_detail(source: Source, segment: Segment) -> str:
    length = f"lasts {float(source.duration):.2f} s" if source.duration else "ends before"
    return f"the video {length}, the clip begins at {float(segment.start):.2f} s"
