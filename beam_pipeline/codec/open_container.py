"""Open a file with the formats that are allowed, and pick the streams that ffmpeg would pick."""

from io import RawIOBase
from typing import BinaryIO, cast

import av
import av.error
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from beam_pipeline.codec.declared_size import is_shorter_than_declared
from beam_pipeline.codec.outcome import BadClip

# Containers that hold their own pictures. Formats that name other files or addresses are left
# out on purpose (playlists, concat scripts, DASH, SDP, image sequences).
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,"
    "flv,live_flv,asf,asf_o,ogg,nut,rm,dv,mxf,gif,yuv4mpegpipe,wtv,swf,nsv,h263,vc1,mjpeg"
)
# A container that names another file anyway has no protocol to open it with.
OPEN_OPTIONS = {
    "format_whitelist": CONTAINERS,
    "protocol_whitelist": "none",
    # PyAV asks FFmpeg to make up missing times; the ffmpeg command does not, and guesses better.
    "fflags": "-genpts",
}

# FFmpeg's messages about a file that ends inside a frame or inside the index.
ENDS_EARLY = ("File ended prematurely", "partial file", "moov atom not found", "truncat")

STANDARD_LAYOUTS = {
    1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip
"""FFmpeg's default layout for each number of channels."""


def open_container(file: BinaryIO | RawIOBase, log: list[tuple[int, str, str]]) -> InputContainer:
    """Open a file with the formats that are allowed; FFmpeg's errors so far are in ``log``.

    Raises:
        BadClip: it is not a video.
    """
    try:
        return av.open(file, "r", options=OPEN_OPTIONS, metadata_errors="replace")
    except av.error.MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        log_text = "; ".join(dict.fromkeys(message.strip() for _, _, message in log))
        detail = log_text or getattr(error, "strerror", None) or str(error)
        # The most common bad file is an MP4 whose download stopped before its index.
        cut = any(phrase in log_text for phrase in ENDS_EARLY) or is_shorter_than_declared(file)
        raise BadClip("truncated" if cut else "not_a_video", detail) from error


def pick_video(container: InputContainer) -> VideoStream:
    """The largest stream, preferring a default one: ffmpeg's own choice (ffmpeg_mux_init.c)."""
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        raise BadClip("no_video_stream", "the file has " + _describe(container))
    streams = [s for s in streams if is_decodable(s)]
    if not streams:
        raise BadClip("undecodable", "there is no decoder for its video")
    return max(streams, key=lambda s: _score(s, s.codec_context.width * s.codec_context.height))


def pick_audio(container: InputContainer) -> AudioStream | None:
    """The stream with the most channels, preferring a default one."""
    streams = [s for s in container.streams.audio if is_decodable(s)]
    return max(streams, key=lambda s: _score(s, s.codec_context.channels), default=None)


def use_standard_layout(stream: AudioStream) -> None:
    """Replace an order of channels that is none of FFmpeg's own, as cameras state it.

    Call it before anything else asks for the stream's channels. PyAV shares the list of channels
    of such a layout with FFmpeg, and frees it each time it was looked at: once is right if the
    list is replaced then, twice would end the process.
    """
    context = stream.codec_context
    layout = context.layout
    if layout.nb_channels > 0 and " channels" in layout.name:  # FFmpeg's name for what has none
        context.layout = STANDARD_LAYOUTS.get(layout.nb_channels, f"{layout.nb_channels}c")


def is_decodable(stream: Stream) -> bool:
    """Whether FFmpeg has a decoder for a stream."""
    # PyAV's stubs do not say so, but an unknown codec has no context.
    return cast("CodecContext | None", stream.codec_context) is not None


def _score(stream: Stream, amount: int) -> int:
    # Streams of an MP4 have an index. A stream without entries has no packets.
    has_index = any(len(other.index_entries) for other in stream.container.streams)
    is_empty = has_index and not len(stream.index_entries)
    preferred = Disposition.default in stream.disposition
    return amount + 5_000_000 * preferred - 100_000_000 * is_empty


def _describe(container: InputContainer) -> str:
    kinds = [stream.type for stream in container.streams]
    return ", ".join(sorted(set(kinds))) + " only" if kinds else "no stream"
