"""Packet times of files whose clock restarts or jumps, corrected as the ffmpeg command does.

Transport and program streams may be joined of parts that each begin at the same time, or have a
jump where a recorder lost its signal. The rules are those of ffmpeg's ``ts_discontinuity_detect``
(ffmpeg_demux.c), with its thresholds.
"""

from fractions import Fraction

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

JUMP = 10_000_000
"""Microseconds between where a packet is expected and where it is that are a jump of the clock
(ffmpeg's ``-dts_delta_threshold``), in a format that allows one."""

STEP_BACK = 100_000
"""Microseconds that a packet may lie before the one before it, in such a format."""

ERROR = 30 * 3600 * 1_000_000
"""Microseconds that are an error in any other format (ffmpeg's ``-dts_error_threshold``)."""

TS_DISCONT = 0x0200
"""AVFMT_TS_DISCONT: the format allows its clock to restart."""

_MICROSECOND = Fraction(1, 1_000_000)


def may_restart(container: InputContainer) -> bool:
    """Whether the container is of a format whose clock may restart or jump."""
    return bool(int(container.format.flags) & TS_DISCONT)


class PacketClock:
    """Corrects the times of packets, in the order in which they are read.

    Every stream is shifted by the same amount, so that sound and pictures stay together.
    """

    def __init__(self, container: InputContainer) -> None:
        self._may_restart = may_restart(container)
        self._shift = 0  # microseconds
        self._latest: int | None = None  # of any stream
        self._previous: dict[int, int] = {}  # decoding time of each stream's last packet
        self._expected: dict[int, int] = {}  # and of its next one

    def correct(self, packet: Packet) -> None:
        """Set the packet's times right."""
        if self._may_restart:
            self._move(packet, self._shift)
            self._detect_jump(packet)
        else:
            self._drop_errors(packet)
        self._follow(packet)

    def _detect_jump(self, packet: Packet) -> None:
        if packet.dts is None:
            return
        index, time = packet.stream.index, _microseconds(packet.dts, packet)
        expected = self._expected.get(index, self._latest)
        if expected is not None:
            off = time - expected
            is_back = index in self._previous and time + STEP_BACK < self._previous[index]
            if abs(off) > JUMP or is_back:
                self._shift -= off
                self._move(packet, -off)
        self._latest = _microseconds(packet.dts, packet)

    def _drop_errors(self, packet: Packet) -> None:
        expected = self._expected.get(packet.stream.index)
        if expected is None or packet.dts is None:
            return
        if abs(_microseconds(packet.dts, packet) - expected) > ERROR:
            packet.dts = None
        if packet.pts is not None and abs(_microseconds(packet.pts, packet) - expected) > ERROR:
            packet.pts = None

    def _move(self, packet: Packet, microseconds: int) -> None:
        if microseconds:
            ticks = round(microseconds * _MICROSECOND / packet.time_base)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks

    def _follow(self, packet: Packet) -> None:
        """Note when the stream's next packet is due."""
        index = packet.stream.index
        if packet.dts is not None:
            self._previous[index] = _microseconds(packet.dts, packet)
        elif index in self._expected:
            self._previous[index] = self._expected[index]
        else:
            start = packet.pts if packet.pts is not None else 0
            self._previous[index] = _microseconds(start, packet)
        self._expected[index] = self._previous[index] + _duration(packet, packet.stream)


def _microseconds(ticks: int, packet: Packet) -> int:
    return round(ticks * packet.time_base / _MICROSECOND)


def _duration(packet: Packet, stream: Stream) -> int:
    """How long ffmpeg takes a packet to last, in microseconds."""
    if isinstance(stream, AudioStream) and stream.codec_context.sample_rate:
        context = stream.codec_context
        return (context.frame_size or 0) * 1_000_000 // context.sample_rate
    if packet.duration:
        return _microseconds(packet.duration, packet)
    rate = stream.average_rate if isinstance(stream, VideoStream) else None
    return round(1_000_000 / rate) if rate else 0
