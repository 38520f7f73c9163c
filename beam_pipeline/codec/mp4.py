"""Writing the MP4: one for every clip, whatever goes into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import RawIOBase
from typing import Literal

import av
from av.container import OutputContainer
from av.packet import Packet

from beam_pipeline.codec.sound import CopiedSound, EncodedSound, SoundTrack
from beam_pipeline.codec.source import Source
from beam_pipeline.codec.timestamps import FrameClock

SoundMode = Literal["copy", "encode", "drop"]
OpenOutput = Callable[[], RawIOBase]
"""Opens the output for reading and writing; a muxer opens it twice."""


@contextmanager
def open_output(output: OpenOutput, clock: FrameClock) -> Iterator[OutputContainer]:
    """An MP4 writer whose index ends up at the front and which signs nothing."""
    options = {
        "movflags": "+faststart",
        "fflags": "+bitexact",
        # A late start is stated in this unit; the default is a millisecond.
        "movie_timescale": str(clock.output.denominator),
    }
    with output() as emptied:
        emptied.truncate(0)
    with output() as file:
        container = av.open(
            file,
            "w",
            format="mp4",
            options=options,
            io_open=lambda url, flags, options: output(),
        )
        with container:
            yield container


def add_sound(
    container: OutputContainer, source: Source, start: Fraction, mode: SoundMode
) -> SoundTrack | None:
    """Add a track for the source's sound, its times counted from ``start`` (seconds)."""
    if mode == "drop" or source.audio is None:
        return None
    make = CopiedSound if mode == "copy" else EncodedSound
    return make(source.audio, start, container)


def mux_sound(container: OutputContainer, sound: SoundTrack | None, heard: list[Packet]) -> None:
    """Write what the track makes of sound that was read."""
    if sound is None:
        return
    for packet in heard:
        for made in sound.take(packet):
            container.mux(made)
