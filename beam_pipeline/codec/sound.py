"""The sound of a clip: copied if every reader decodes it from MP4, otherwise encoded as AAC."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av.error
import av.filter
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet, PktSideDataT

from beam_pipeline.codec.timestamps import to_ticks

COPYABLE_CODECS = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")
"""What FFmpeg 4.2 and later decode from MP4, and so do the readers that bring an FFmpeg of their
own. No PCM: FFmpeg writes ``ipcm``, which FFmpeg before 6 and decord do not know."""

MAX_GAP_SECONDS = 60
"""A frame whose time jumps by more follows the one before: filling that with silence would be
wrong."""

AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
AAC_BIT_RATE = 64_000
"""Bits per second and channel."""

DECODER_OPTIONS = {"err_detect": "crccheck"}
"""FFmpeg leaves checksums alone otherwise, and FLAC, MP3 and AC-3 have no other sign of damage."""

Log = Sequence[tuple[int, str, str]]
"""FFmpeg's errors so far: level, name of what reports it, message."""

NEW_HEADERS: PktSideDataT = "new_extradata"


class BrokenSound(Exception):
    """Nothing of the sound decodes; the clip is written without it."""


class SoundNotCopyable(Exception):
    """The sound has to be encoded; says why."""


def may_copy_sound(stream: AudioStream) -> bool:
    """Whether every reader decodes sound of that codec from MP4."""
    return stream.codec_context.codec.canonical_name in COPYABLE_CODECS


class SoundTrack:
    """The sound of one output: source packets in, packets to mux out.

    Every packet is decoded, even if it is copied, so that broken sound is found before training.
    A decoder may raise an error, or conceal it and only log it to ``log``. ``remark`` says
    afterwards what of the sound does not decode; None if all does.
    """

    def __init__(self, source: AudioStream, start: Fraction, log: Log, target: AudioStream) -> None:
        self._source = source
        self._log = log
        self._start = start
        self._target = target
        self._packets = 0
        self._good_packets = 0
        self._concealed = 0  # of the good ones those with an error in the log
        self._is_empty = True
        self.remark: str | None = None

    def feed(self, packet: Packet) -> Iterator[Packet]:
        """The output packets for one source packet. An empty packet ends the sound.

        Raises:
            BrokenSound: nothing of it decodes.
            SoundNotCopyable: it is to be copied, and must not be.
        """
        frames = self._decode(packet)
        for output_packet in self._convert(packet, frames) if packet.size else self._finish(frames):
            self._is_empty = False
            yield output_packet
        if packet.size:
            return
        if not self._good_packets:
            raise BrokenSound(f"none of its {self._packets} packets decodes")
        if self._is_empty:
            raise BrokenSound("its packets decode to nothing")
        if bad := self._packets - self._good_packets + self._concealed:
            self.remark = f"{bad} of {self._packets} sound packets do not decode"

    def _decode(self, packet: Packet) -> list[AudioFrame]:
        self._packets += bool(packet.size)
        logged = len(self._log)
        try:
            frames = self._source.decode(packet)
        except av.error.MemoryError:
            raise
        except (av.error.FFmpegError, ValueError):
            return []
        if packet.size:
            decoder = self._source.codec_context.name
            self._good_packets += 1
            self._concealed += any(name == decoder for _, name, _ in self._log[logged:])
        return frames

    def _convert(self, packet: Packet, frames: list[AudioFrame]) -> Iterator[Packet]:
        raise NotImplementedError

    def _finish(self, frames: list[AudioFrame]) -> Iterator[Packet]:
        raise NotImplementedError


class CopiedSound(SoundTrack):
    """The source's packets, with times that count from the start of the file or segment."""

    def __init__(
        self, source: AudioStream, start: Fraction, log: Log, container: OutputContainer
    ) -> None:
        target = container.add_stream_from_template(source, opaque=True)
        super().__init__(source, start, log, target)
        self._headers = source.codec_context.extradata
        self._last: int | None = None

    def _convert(self, packet: Packet, frames: list[AudioFrame]) -> Iterator[Packet]:
        if new_headers(packet) not in (None, self._headers):
            # An MP4 track has one header.
            raise SoundNotCopyable("its headers change in mid-stream")
        if self._good_packets < self._packets or self._concealed:
            raise SoundNotCopyable("not all of its packets decode")
        shift = to_ticks(self._start, packet.time_base)
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = 0 if self._last is None else self._last + max(1, packet.duration or 0)
        else:
            dts -= shift
        if self._last is not None:
            dts = max(dts, self._last + 1)
        self._last = packet.dts = packet.pts = dts
        packet.stream = self._target
        yield packet

    def _finish(self, frames: list[AudioFrame]) -> Iterator[Packet]:
        return iter(())


class EncodedSound(SoundTrack):
    """The decoded sound as AAC. Gaps become silence, so that it stays in sync with the picture."""

    def __init__(
        self, source: AudioStream, start: Fraction, log: Log, container: OutputContainer
    ) -> None:
        source_rate = source.codec_context.sample_rate or AAC_RATES[0]
        rate = min(AAC_RATES, key=lambda rate: abs(rate - source_rate))
        layout = "mono" if source.codec_context.channels == 1 else "stereo"
        target = container.add_stream("aac", rate=rate, layout=layout)
        target.codec_context.bit_rate = AAC_BIT_RATE * target.codec_context.channels
        target.codec_context.thread_count = 1
        target.codec_context.time_base = Fraction(1, rate)
        super().__init__(source, start, log, target)
        self._rate, self._layout = rate, layout
        self._end: float | None = None
        self._graph: av.filter.Graph | None = None
        self._built_for: tuple[object, ...] = ()

    def _convert(self, packet: Packet, frames: list[AudioFrame]) -> Iterator[Packet]:
        for frame in frames:
            frame_format = (frame.sample_rate, frame.format.name, frame.layout.name)
            if self._graph is None or frame_format != self._built_for:
                if self._graph is not None:  # the source changes its rate or channels
                    self._graph.push(None)
                    yield from self._encode_ready(self._graph)
                self._graph, self._built_for = self._build(frame), frame_format
            if frame.pts is not None and frame.time_base:
                frame.pts -= to_ticks(self._start, frame.time_base)
            self._close_gap(frame)
            self._graph.push(frame)
            yield from self._encode_ready(self._graph)

    def _finish(self, frames: list[AudioFrame]) -> Iterator[Packet]:
        if self._graph is None:
            return
        self._graph.push(None)
        yield from self._encode_ready(self._graph)
        yield from self._target.encode(None)

    def _close_gap(self, frame: AudioFrame) -> None:
        """Let a frame follow the one before if it has no time, or one that cannot be right."""
        expected = self._end
        if expected is not None and (
            frame.time is None or abs(frame.time - expected) > MAX_GAP_SECONDS
        ):
            frame.pts = round(expected / frame.time_base) if frame.time_base else None
        time = frame.time if frame.time is not None else 0.0
        self._end = time + frame.samples / frame.sample_rate

    def _encode_ready(self, graph: av.filter.Graph) -> Iterator[Packet]:
        while True:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(frame, AudioFrame):
                yield from self._target.encode(frame)

    def _build(self, frame: AudioFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 1
        chain = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=self._source.time_base,
            ),
            # async fills gaps and trims overlaps.
            graph.add("aresample", f"{self._rate}:async=1000"),
            graph.add(
                "aformat",
                f"sample_fmts=fltp:sample_rates={self._rate}:channel_layouts={self._layout}",
            ),
            graph.add("asetnsamples", "n=1024:p=0"),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*chain).configure(auto_buffer=False)
        return graph


def new_headers(packet: Packet) -> bytes | None:
    """The codec headers that a packet brings for itself and those after it; None if none."""
    if not packet.has_sidedata(NEW_HEADERS):
        return None
    return bytes(packet.get_sidedata(NEW_HEADERS))
