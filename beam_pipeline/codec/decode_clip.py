"""Decode a clip that was made, to see what is in it. Nothing is written."""

from io import RawIOBase
from typing import BinaryIO

from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.source import open_source
from beam_pipeline.codec.truncation import check_truncation


def decode_clip(file: BinaryIO | RawIOBase, facts: Facts) -> str | None:
    """Decode every picture of a clip. Returns a remark on damage, None if there is none.

    ``file`` is seekable. What decoding shows is filled into ``facts``: size, number of frames,
    whether there is sound, and as ``duration`` the seconds from the first picture to the last.
    How long that lasts, an MP4 does not say reliably: it stores steps between pictures in the
    order in which they are decoded.

    Raises:
        BadClip: the file holds no clip, or too little of it decodes.
    """
    with open_source(file) as source:
        clock = source.clock(fps=None)
        for packet in source.packets(with_sound=False):
            for frame in source.frames(packet):
                if facts.width is None:
                    facts.width, facts.height = frame.width, frame.height
                clock.next(frame.pts, frame.dts, frame.duration)
        remark = check_truncation(source, clock, facts)
        facts.has_audio = source.audio is not None
        facts.duration = float((clock.last - (clock.first or 0)) * clock.output_tick)
        return remark
