"""Opening a clip and decoding its pictures, whatever the file holds."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from io import RawIOBase
from typing import BinaryIO, cast

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.container import is_cut_short
from beam_pipeline.codec.geometry import MAX_SIDE
from beam_pipeline.codec.outcome import BadClip
from beam_pipeline.codec.timestamps import FrameClock, Segment, output_time_base, to_ticks

# Containers that hold their pictures themselves. What is left out on purpose are the formats
# that name other files or addresses (playlists, concat scripts, DASH, SDP, image sequences).
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,"
    "flv,live_flv,asf,asf_o,ogg,nut,rm,dv,mxf,gif,yuv4mpegpipe,wtv,swf,nsv,h263,vc1,mjpeg"
)
# A container that names another file all the same finds no protocol to open it with.
OPEN_OPTIONS = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}

# A damaged index yields one error after another; a file cut short has none but those left.
MAX_READ_ERRORS_IN_A_ROW = 100

# What FFmpeg says of a file that ends where a frame, or the index, should go on.
ENDS_EARLY = ("File ended prematurely", "partial file", "moov atom not found", "truncat")


SEEK_MARGIN = 1
"""Seconds before a segment to look for a keyframe: an index counts in decoding times, which are
earlier than those of showing."""


class NotSeekable(Exception):
    """The source must be read from its beginning."""


@dataclass
class Source:
    """An opened clip: the streams that the ffmpeg command line would pick, and what went wrong.

    ``decode_errors`` counts reads that failed, packets that did not decode and frames marked
    corrupt; ``ended_early`` says that the file stops inside a frame. ``mute`` says why there is
    no ``audio`` although the file has some. Of a ``segment``, only what is needed for it is
    read, from a keyframe before it if ``has_sought``.
    """

    container: InputContainer
    video: VideoStream
    audio: AudioStream | None
    mute: str | None
    log: list[tuple[int, str, str]] = field(repr=False)
    segment: Segment | None = None
    has_sought: bool = False
    decode_errors: int = 0
    ended_early: bool = False
    # When packets and frames are shown, of a container that knows no frame's own duration.
    _packet_times: set[int] = field(default_factory=set, repr=False)
    _frame_times: set[int] = field(default_factory=set, repr=False)
    _said_before: int | None = field(default=None, repr=False)
    # Whether the last packets are incomplete: a parser may mark the last but one instead.
    _marks: deque[bool] = field(default_factory=lambda: deque(maxlen=2), repr=False)

    @property
    def start(self) -> Fraction:
        """The file's start time in seconds: the earliest of its streams."""
        return Fraction(self.container.start_time or 0, av.time_base)

    @property
    def time_base(self) -> Fraction:
        """Seconds a tick of the video stream."""
        return self.video.time_base or Fraction(1, av.time_base)

    @property
    def declared_duration(self) -> Fraction | None:
        """Seconds that the video stream itself says it lasts, edits applied; None if it does not.

        MP4 and QuickTime have a field for it. AVI's is counted in frames, and FFmpeg corrects
        the duration it makes of that to what is there. Matroska's writers put it in a tag,
        ``HH:MM:SS.nnnnnnnnn``, that counts from the file's zero. What FFmpeg gives for other
        containers is the file's length, or an estimate.
        """
        video, container = self.video, self.container.format.name
        if container.startswith("mov"):
            return self.stated_duration
        if container == "avi":
            return video.frames / video.average_rate if video.average_rate else None
        if not container.startswith("matroska"):
            return None
        try:
            hours, minutes, seconds = video.metadata.get("DURATION", "").split(":")
            end = (int(hours) * 60 + int(minutes)) * 60 + Fraction(seconds)
        except ValueError:
            return None
        return max(Fraction(0), end - (video.start_time or 0) * self.time_base) or None

    @property
    def stated_duration(self) -> Fraction | None:
        """Seconds that FFmpeg gives as the video stream's duration, however it came by them."""
        return self.video.duration * self.time_base if self.video.duration else None

    @property
    def file_duration(self) -> Fraction | None:
        """Seconds that the container says the file lasts, sound included."""
        duration = self.container.duration
        return Fraction(duration, av.time_base) if duration else None

    @property
    def rate(self) -> Fraction:
        """Frames a second, for what needs one number; a file may claim anything."""
        rates = (self.video.average_rate, self.video.guessed_rate)
        return next((rate for rate in rates if rate and 1 <= rate <= 240), Fraction(30))

    @property
    def duration(self) -> Fraction | None:
        """Seconds that the source says it lasts, whoever says it; None if nobody does."""
        return self.declared_duration or self.stated_duration or self.file_duration

    def measured_duration(self) -> Fraction:
        """Seconds until the last of the video's packets; after this there is nothing to read."""
        end = self.start
        for packet in self._read([self.video]):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * self.time_base)
        return end - self.start

    def clock(self, fps: Fraction | None) -> FrameClock:
        """A clock for the video's frames, which come out at a constant rate if one is given."""
        output = output_time_base(1 / fps if fps else self.time_base)
        return FrameClock(self.time_base, output, self.start, 1 / self.rate, self.segment)

    def packets(self, with_sound: bool) -> Iterator[Packet]:
        """Every packet of the picked streams that can be read, then an empty one for each.

        Of a segment, the sound that is in it, and the pictures from where reading begins.
        """
        streams: list[Stream] = [self.video]
        if with_sound and self.audio is not None:
            streams.append(self.audio)
        over: set[int] = set()
        for packet in self._read(streams):
            if self.segment is None:
                yield packet
                continue
            begin, end = self.start + self.segment.start, self.start + self.segment.end
            # What is shown is never decoded later; pts alone may run back and forth.
            decoded = None if packet.dts is None else packet.dts * packet.time_base
            if decoded is not None and decoded >= end:
                over.add(packet.stream.index)
                if len(over) == len(streams):
                    break
            elif packet.stream.type == "video" or decoded is None or decoded >= begin:
                yield packet
        for stream in streams:
            packet = Packet()
            packet.stream = stream
            yield packet

    def _read(self, streams: list[Stream]) -> Iterator[Packet]:
        """Every packet that can be read."""
        errors_in_a_row = 0
        while errors_in_a_row < MAX_READ_ERRORS_IN_A_ROW:
            try:
                for packet in self.container.demux(*streams):
                    errors_in_a_row = 0
                    if packet.size:
                        yield packet
                break
            except IndexError:
                break  # PyAV's own end, where a stream has appeared on the way
            except av.error.FFmpegError:
                self.decode_errors += 1
                errors_in_a_row += 1

    def take_segment(self, segment: Segment, may_seek: bool) -> None:
        """Read no more than a segment; from a keyframe before it, where that is allowed.

        Raises:
            NotSeekable: the file cannot be read from its middle.
        """
        self.segment = segment
        target = segment.start - SEEK_MARGIN
        if not may_seek or target <= 0:
            return
        try:
            ticks = to_ticks(self.start + target, self.time_base)
            self.container.seek(ticks, stream=self.video, backward=True)
        except av.error.FFmpegError as error:
            raise NotSeekable from error
        self.has_sought = True
        self._said_before = len(self.log)

    def frames(self, packet: Packet) -> list[VideoFrame]:
        """The pictures that a video packet completes; none where it is damaged."""
        if packet.size:
            self._marks.append(packet.is_corrupt)
            if packet.pts is not None:
                self._packet_times.add(packet.pts)
        try:
            frames = self.video.decode(packet)
        except av.error.MemoryError:
            raise
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self.decode_errors += 1
            return []
        self._frame_times.update(frame.pts for frame in frames if frame.pts is not None)
        self.decode_errors += max(packet.is_corrupt, sum(frame.is_corrupt for frame in frames))
        if self._said_before is not None and frames:
            # Until the first picture comes, a decoder that starts in the middle lacks what it
            # refers to: that is no damage.
            self.decode_errors = 0
            del self.log[self._said_before :]
            self._said_before = None
        return frames

    @property
    def covered(self) -> Fraction | None:
        """Seconds of the segment for which pictures decode, where packets tell it better.

        Matroska states one duration for all frames, if any, so that at a variable rate they do
        not add up. There a picture lasts until the next packet is due, decodable or not.
        """
        if not self.container.format.name.startswith("matroska") or not self._packet_times:
            return None
        begin, end = self.start, Fraction(2**62)
        if self.segment is not None:
            begin, end = begin + self.segment.start, begin + self.segment.end
        times = sorted(self._packet_times)
        after = [*times[1:], times[-1] + to_ticks(1 / self.rate, self.time_base)]
        return sum(
            (
                max(Fraction(0), min(until * self.time_base, end) - max(at * self.time_base, begin))
                for at, until in zip(times, after, strict=True)
                if at in self._frame_times
            ),
            Fraction(0),
        )

    def finish(self) -> None:
        """Take what FFmpeg only logged into account; call it once all packets are read."""
        if not self.decode_errors and any(
            name == self.video.codec_context.name for _, name, _ in self.log
        ):
            self.decode_errors = 1  # concealed by the decoder, but there
        # In a transport stream any packet before a gap is marked, not the last one alone.
        if any(self._marks) and self.container.format.name != "mpegts":
            self.ended_early = True
        if any(phrase in message for _, _, message in self.log for phrase in ENDS_EARLY):
            self.ended_early = True

    def damage(self) -> str:
        """What is wrong, and what FFmpeg said of it first; for the manifest's ``detail``."""
        count = self.decode_errors
        what = f"{count} decode error{'s' * (count != 1)}" if count else "the file ends early"
        return f"{what}: {self.log[0][2].strip()}" if self.log else what


@contextmanager
def open_source(file: BinaryIO | RawIOBase) -> Iterator[Source]:
    """Open a clip from a seekable file.

    Raises:
        BadClip: it is empty, not a video, has no video stream, or is too large to try.
    """
    if not file.read(1):
        raise BadClip("empty_file", "0 bytes")
    file.seek(0)
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # else a clip's log depends on the clip before it
    with av.logging.Capture(local=False) as log, _open_container(file, log) as container:
        video, audio = _pick_video(container), _pick_audio(container)
        video.codec_context.thread_count = 1
        check_size(video.codec_context.width, video.codec_context.height)
        mute = "there is no decoder for it" if container.streams.audio and not audio else None
        source = Source(container, video, audio, mute, log)
        if is_cut_short(file):
            if container.format.name == "avi":
                source.decode_errors = 1  # not that it ends inside a frame: there is an index
            else:
                source.ended_early = True
        yield source


def check_size(width: int, height: int) -> None:
    """Raise BadClip where a picture has a side that is too long to work on."""
    if max(width, height) > MAX_SIDE:
        raise BadClip("too_large", f"{width}x{height} pixels; at most {MAX_SIDE} a side")


def _open_container(file: BinaryIO | RawIOBase, log: list[tuple[int, str, str]]) -> InputContainer:
    try:
        return av.open(file, "r", options=OPEN_OPTIONS, metadata_errors="replace")
    except av.error.MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        said = "; ".join(dict.fromkeys(message.strip() for _, _, message in log))
        detail = said or getattr(error, "strerror", None) or str(error)
        # An MP4 whose download broke off before its index is the commonest of bad files.
        ends_early = any(phrase in said for phrase in ENDS_EARLY) or is_cut_short(file)
        raise BadClip("truncated" if ends_early else "not_a_video", detail) from error


def _pick_video(container: InputContainer) -> VideoStream:
    """The largest picture, a default stream first: ffmpeg's own choice (ffmpeg_mux_init.c)."""
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        raise BadClip("no_video_stream", "the file holds " + _describe(container))
    streams = [s for s in streams if _is_decodable(s)]
    if not streams:
        raise BadClip("undecodable", "there is no decoder for its video")
    return max(streams, key=lambda s: _score(s, s.codec_context.width * s.codec_context.height))


def _pick_audio(container: InputContainer) -> AudioStream | None:
    """The most channels, a default stream first."""
    streams = [s for s in container.streams.audio if _is_decodable(s)]
    return max(streams, key=lambda s: _score(s, s.codec_context.channels), default=None)


def _is_decodable(stream: Stream) -> bool:
    # PyAV's stubs do not say so, but a codec nobody knows leaves no context.
    return cast("CodecContext | None", stream.codec_context) is not None


def _score(stream: Stream, amount: int) -> int:
    # An MP4's streams have an index; one without entries has no packets.
    indexed = any(len(other.index_entries) for other in stream.container.streams)
    empty = indexed and not len(stream.index_entries)
    preferred = Disposition.default in stream.disposition
    return amount + 5_000_000 * preferred - 100_000_000 * empty


def _describe(container: InputContainer) -> str:
    kinds = [stream.type for stream in container.streams]
    return ", ".join(sorted(set(kinds))) + " only" if kinds else "no stream"
