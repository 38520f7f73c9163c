"""Decode a clip that was made, to see what is in it. Nothing is written."""

from io import RawIOBase
from typing import BinaryIO

from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.source import open_source
from beam_pipeline.codec.truncation import check_truncation


def decode_clip(file: BinaryIO | RawIOBase, facts: Facts) -> str | None:
    """Decode every picture of a clip. Returns a remark on damage, None if there is none.

    ``file`` is seekable. What decoding shows is filled into ``facts``: size, frames, duration, and
    whether there is sound. Bytes and checksum are not, for they are those of the file.

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
        facts.has_audio = source.audio is not None
        return check_truncation(source, clock, facts)
