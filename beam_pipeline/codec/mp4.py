"""Write the output MP4: its container and its sound track."""

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
"""Opens the output for reading and writing. A muxer opens it twice."""


@contextmanager
def open_output(output: OpenOutput, clock: FrameClock) -> Iterator[OutputContainer]:
    """An MP4 writer that puts the index at the front and writes neither version nor date."""
    options = {
        "movflags": "+faststart",
        "fflags": "+bitexact",
        # The unit in which MP4 stores a late start. The default is a millisecond.
        "movie_timescale": str(clock.output_tick.denominator),
    }
    with output() as old_output:
        old_output.truncate(0)
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
    """Add a track for the source's sound. ``start``, in seconds, is its time 0."""
    if mode == "drop" or source.audio is None:
        return None
    track_type = CopiedSound if mode == "copy" else EncodedSound
    return track_type(source.audio, start, container)


def mux_sound(container: OutputContainer, sound: SoundTrack | None, packets: list[Packet]) -> None:
    """Copy or encode source packets, and write the result."""
    if sound is None:
        return
    for packet in packets:
        for encoded in sound.feed(packet):
            container.mux(encoded)
