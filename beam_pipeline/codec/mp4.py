"""Write the output MP4: its container, its packets in order, and its sound track."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from io import RawIOBase
from typing import Literal

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

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


class PacketQueue:
    """Packets that wait for the end of the clip, because the header states the average rate."""

    def __init__(self) -> None:
        self._packets: list[Packet] = []

    def extend(self, packets: Iterable[Packet]) -> None:
        """Add packets that have their stream and times."""
        self._packets.extend(packets)

    def set_duration(self, stream: VideoStream, duration: int) -> None:
        """State how long the pictures of a stream are shown, in the ticks of its packets.

        MP4 sums up durations in the order of decoding. There the last packet may be a picture that
        is shown long before others; so it gets what is left.
        """
        packets = [packet for packet in self._packets if packet.stream is stream]
        if packets:
            first, last = min(packets, key=decode_time), max(packets, key=decode_time)
            left = duration - ((last.dts or 0) - (first.dts or 0))
            last.duration = max(last.duration or 0, left)

    def mux(self, container: OutputContainer) -> None:
        """Write everything, in the order in which it is decoded."""
        for packet in sorted(self._packets, key=decode_time):
            container.mux(packet)


def decode_time(packet: Packet) -> Fraction:
    """When a packet is to be decoded, in seconds; 0 if it does not say."""
    return (packet.dts or 0) * packet.time_base


def add_sound(
    container: OutputContainer, source: Source, start: Fraction, mode: SoundMode
) -> SoundTrack | None:
    """Add a track for the source's sound. ``start``, in seconds, is its time 0."""
    if mode == "drop" or source.audio is None:
        return None
    track_type = CopiedSound if mode == "copy" else EncodedSound
    return track_type(source.audio, start, source.log, container)


def feed_sound(sound: SoundTrack | None, packets: list[Packet], queue: PacketQueue) -> None:
    """Copy or encode source packets, and queue the result."""
    if sound is None:
        return
    for packet in packets:
        queue.extend(sound.feed(packet))
