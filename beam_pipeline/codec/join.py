"""Join pictures and sound that come in two files, without decoding either."""

import heapq
from collections.abc import Iterator
from io import RawIOBase
from typing import BinaryIO

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from beam_pipeline.codec.mp4 import OpenOutput, decode_time
from beam_pipeline.codec.open_container import (
    open_container,
    pick_audio,
    pick_video,
    use_standard_layout,
)
from beam_pipeline.codec.outcome import BadClip

IN_MP4 = ("h264", "hevc", "vp9", "av1", "mpeg4", "aac", "mp3", "opus", "flac", "ac3", "eac3")
"""What goes into an MP4, which keeps times exactly. Anything else goes into Matroska."""


def join(pictures: BinaryIO | RawIOBase, sound: BinaryIO | RawIOBase, output: OpenOutput) -> None:
    """Write the pictures of one file and the sound of another into one, as they are.

    Raises:
        BadClip: one of them cannot be read, or lacks its stream.
    """
    with open_container(pictures, []) as seen, open_container(sound, []) as heard:
        for stream in heard.streams.audio:
            use_standard_layout(stream)
        video, audio = pick_video(seen), pick_audio(heard)
        if audio is None:
            raise BadClip("not_a_video", "there is no sound in the file that should have it")
        names = {stream.codec_context.codec.canonical_name for stream in (video, audio)}
        container = "mp4" if names <= {*IN_MP4} else "matroska"
        with output() as file:
            file.truncate(0)
            with av.open(file, "w", format=container) as joined:
                targets = {
                    stream: joined.add_stream_from_template(stream, opaque=True)
                    for stream in (video, audio)
                }
                by_time = heapq.merge(
                    _packets(seen, video), _packets(heard, audio), key=decode_time
                )
                for packet in by_time:
                    packet.stream = targets[packet.stream]
                    joined.mux(packet)


def _packets(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    """The packets of a stream, without those that have no time.

    Raises:
        BadClip: the file breaks off.
    """
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                if packet.dts is None:
                    packet.dts = packet.pts
                yield packet
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise BadClip("truncated", f"its {stream.type} cannot be read: {error}") from error
