"""Open a clip and decode its pictures, also from damaged or hostile files."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from io import RawIOBase
from typing import BinaryIO

import av
import av.error
import av.logging
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.container_crop import NO_CROP, Crop, crops_of
from beam_pipeline.codec.declared_size import is_shorter_than_declared
from beam_pipeline.codec.geometry import check_size
from beam_pipeline.codec.open_container import (
    ENDS_EARLY,
    is_decodable,
    open_container,
    pick_audio,
    pick_video,
    use_standard_layout,
)
from beam_pipeline.codec.outcome import BadClip
from beam_pipeline.codec.packet_clock import PacketClock, may_restart
from beam_pipeline.codec.sound import DECODER_OPTIONS
from beam_pipeline.codec.timestamps import FrameClock, Segment, output_time_base, to_ticks

# A damaged index gives one error after another; in a truncated file nothing but errors is left.
MAX_READ_ERRORS_IN_A_ROW = 100

SEEK_MARGIN = 1
"""Seconds before a segment to look for a keyframe: an index has decoding times, which are earlier
than presentation times."""


class NotSeekable(Exception):
    """The source has to be read from its beginning."""


@dataclass
class Source:
    """An open clip: the streams that the ffmpeg command line would pick, and the errors so far.

    ``decode_errors`` counts failed reads, packets that do not decode and frames marked corrupt.
    ``ended_early`` is True if the file ends inside a frame. ``crop`` is what the container says
    is not to be shown of the pictures. ``no_audio_reason`` says why ``audio``
    is None although the file has sound. With a ``segment`` only what it needs is read, from a
    keyframe before it if ``did_seek``.
    """

    container: InputContainer
    video: VideoStream
    audio: AudioStream | None
    no_audio_reason: str | None
    log: list[tuple[int, str, str]] = field(repr=False)
    crop: Crop = NO_CROP
    segment: Segment | None = None
    did_seek: bool = False
    decode_errors: int = 0
    ended_early: bool = False
    # The presentation times of packets and frames, for a container without frame durations.
    _packet_times: set[int] = field(default_factory=set, repr=False)
    _frame_times: set[int] = field(default_factory=set, repr=False)
    _log_size_at_seek: int | None = field(default=None, repr=False)
    # Whether the last two packets are incomplete: a parser may mark the second to last instead.
    _last_corrupt_flags: deque[bool] = field(default_factory=lambda: deque(maxlen=2), repr=False)

    @property
    def start(self) -> Fraction:
        """The file's start time in seconds: that of its earliest stream."""
        return Fraction(self.container.start_time or 0, av.time_base)

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the video stream."""
        return self.video.time_base or Fraction(1, av.time_base)

    @property
    def declared_duration(self) -> Fraction | None:
        """Seconds that the video stream itself declares, with edits applied; None if it does not.

        MP4 and QuickTime have a field for it. AVI has a number of frames; FFmpeg reduces the
        duration that follows from it to the data that exists. Matroska writers put a tag,
        ``HH:MM:SS.nnnnnnnnn``, that counts from the file's time 0. For other containers FFmpeg
        gives the length of the file, or an estimate.
        """
        video, container = self.video, self.container.format.name
        if container.startswith("mov"):
            return self.stream_duration
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
    def stream_duration(self) -> Fraction | None:
        """Seconds that FFmpeg reports for the video stream: declared or estimated."""
        return self.video.duration * self.time_base if self.video.duration else None

    @property
    def file_duration(self) -> Fraction | None:
        """Seconds that FFmpeg reports for the container, including sound."""
        duration = self.container.duration
        return Fraction(duration, av.time_base) if duration else None

    @property
    def rate(self) -> Fraction:
        """Frames per second, where one number is needed; 30 if the file's are not in 1 to 240."""
        rates = (self.video.average_rate, self.video.guessed_rate)
        return next((rate for rate in rates if rate and 1 <= rate <= 240), Fraction(30))

    @property
    def duration(self) -> Fraction | None:
        """Seconds that the source lasts, by the best declaration available; None if unknown.

        None for a format whose clock may restart: FFmpeg estimates it from the last time stamp.
        """
        if may_restart(self.container):
            return None
        return self.declared_duration or self.stream_duration or self.file_duration

    def measure_duration(self) -> Fraction:
        """Seconds until the end of the last video packet. Reads the file to its end."""
        end = self.start
        for packet in self._read([self.video]):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * self.time_base)
        return end - self.start

    def clock(self, fps: Fraction | None) -> FrameClock:
        """A clock for the video's frames. ``fps`` is the constant rate of the output, or None."""
        output = output_time_base(1 / fps if fps else self.time_base)
        return FrameClock(self.time_base, output, self.start, 1 / self.rate, self.segment)

    def packets(self, with_sound: bool) -> Iterator[Packet]:
        """All readable packets of the picked streams, then an empty packet for each stream.

        With a segment: the sound inside it, and the pictures from where reading begins.
        """
        streams: list[Stream] = [self.video]
        if with_sound and self.audio is not None:
            streams.append(self.audio)
        finished_streams: set[int] = set()
        for packet in self._read(streams):
            if self.segment is None:
                yield packet
                continue
            begin, end = self.start + self.segment.start, self.start + self.segment.end
            # No frame is decoded after it is shown. pts are not in order, so dts are compared.
            decode_time = None if packet.dts is None else packet.dts * packet.time_base
            if decode_time is not None and decode_time >= end:
                finished_streams.add(packet.stream.index)
                if len(finished_streams) == len(streams):
                    break
            elif packet.stream.type == "video" or decode_time is None or decode_time >= begin:
                yield packet
        for stream in streams:
            packet = Packet()
            packet.stream = stream
            yield packet

    def _read(self, streams: list[Stream]) -> Iterator[Packet]:
        """All packets that can be read, at their corrected times."""
        clock = PacketClock(self.container)
        errors_in_a_row = 0
        while errors_in_a_row < MAX_READ_ERRORS_IN_A_ROW:
            try:
                for packet in self.container.demux(*streams):
                    errors_in_a_row = 0
                    if packet.size:
                        clock.correct(packet)
                        yield packet
                break
            except IndexError:
                break  # PyAV raises this if a stream appears in mid-file
            except av.error.FFmpegError:
                self.decode_errors += 1
                errors_in_a_row += 1

    def restrict_to_segment(self, segment: Segment, may_seek: bool) -> None:
        """Read only a segment, from a keyframe before it if ``may_seek``.

        Raises:
            NotSeekable: the file cannot be read from the middle.
        """
        self.segment = segment
        target = segment.start - SEEK_MARGIN
        if not may_seek or target <= 0 or may_restart(self.container):
            return
        try:
            ticks = to_ticks(self.start + target, self.time_base)
            self.container.seek(ticks, stream=self.video, backward=True)
        except av.error.FFmpegError as error:
            raise NotSeekable from error
        self.did_seek = True
        self._log_size_at_seek = len(self.log)

    def frames(self, packet: Packet) -> list[VideoFrame]:
        """The pictures that a video packet completes; none if it is damaged."""
        if packet.size:
            self._last_corrupt_flags.append(packet.is_corrupt)
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
        if self._log_size_at_seek is not None and frames:
            # A decoder that starts in mid-file lacks reference frames until the first picture
            # comes out. Errors before that are not damage.
            self.decode_errors = 0
            del self.log[self._log_size_at_seek :]
            self._log_size_at_seek = None
        return frames

    @property
    def covered(self) -> Fraction | None:
        """Seconds of the segment for which pictures decode, for Matroska; None otherwise.

        Matroska declares at most one duration for all frames, so at a variable rate durations do
        not add up. Here a picture lasts until the time of the next packet, decodable or not.
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
        """Count errors that FFmpeg only logged. Call it once all packets are read."""
        if not self.decode_errors and any(
            name == self.video.codec_context.name for _, name, _ in self.log
        ):
            self.decode_errors = 1  # the decoder concealed it
        # In a transport stream any packet before a gap is marked, not only the last one.
        if any(self._last_corrupt_flags) and self.container.format.name != "mpegts":
            self.ended_early = True
        if any(phrase in message for _, _, message in self.log for phrase in ENDS_EARLY):
            self.ended_early = True

    def describe_damage(self) -> str:
        """The damage, with FFmpeg's first message about it, for the manifest's ``detail``."""
        count = self.decode_errors
        what = f"{count} decode error{'s' * (count != 1)}" if count else "the file ends early"
        return f"{what}: {self.log[0][2].strip()}" if self.log else what


@contextmanager
def open_source(file: BinaryIO | RawIOBase) -> Iterator[Source]:
    """Open a clip from a seekable file.

    Raises:
        BadClip: it is empty, not a video, has no decodable video stream, or is too large.
    """
    if not file.read(1):
        raise BadClip("empty_file", "0 bytes")
    file.seek(0)
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # otherwise a clip's log depends on the previous clip
    with av.logging.Capture(local=False) as log, open_container(file, log) as container:
        for stream in container.streams.audio:
            if is_decodable(stream):
                use_standard_layout(stream)
        video, audio = pick_video(container), pick_audio(container)
        video.codec_context.thread_count = 1
        check_size(video.codec_context.width, video.codec_context.height)
        if audio is not None:
            audio.codec_context.options = dict(DECODER_OPTIONS)
        undecodable = container.streams.audio and not audio
        no_audio_reason = "there is no decoder for it" if undecodable else None
        crop = _crop_of(file, container, video)
        source = Source(container, video, audio, no_audio_reason, log, crop)
        if is_shorter_than_declared(file):
            if container.format.name == "avi":
                source.decode_errors = 1  # AVI has an index: the file need not end inside a frame
            else:
                source.ended_early = True
        yield source


def _crop_of(file: BinaryIO | RawIOBase, container: InputContainer, video: VideoStream) -> Crop:
    crops = crops_of(file, container.format.name)
    number = container.streams.video.index(video)
    crop = crops[number] if number < len(crops) else NO_CROP
    context = video.codec_context
    return crop if crop.fits(context.width, context.height) else NO_CROP
