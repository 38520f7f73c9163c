"""Copy the pictures of a clip that already has the requested size and format."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.geometry import Orientation, output_shape
from beam_pipeline.codec.mp4 import (
    OpenOutput,
    PacketQueue,
    SoundMode,
    add_sound,
    feed_sound,
    open_output,
)
from beam_pipeline.codec.outcome import Facts, join_remarks
from beam_pipeline.codec.scale_pictures import orientation_of
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import new_headers
from beam_pipeline.codec.source import Source
from beam_pipeline.codec.thumbnail import ThumbnailMaker
from beam_pipeline.codec.timestamps import FrameClock, frame_rate, to_ticks
from beam_pipeline.codec.truncation import check_truncation

STEP_TOLERANCE = Fraction(1, 1000)
"""Seconds by which a frame at a constant rate may be early or late: Matroska rounds to
milliseconds."""

RATE_TOLERANCE = Fraction(1, 1000)
"""Share by which the rate in the headers may be off: 29.97 and 30 must not be taken for one."""

H264_PROFILES = {"Baseline", "Constrained Baseline", "Main", "Extended", "High"}


class NotCopyable(Exception):
    """The source's pictures must be encoded, although its headers look right."""


def is_resized_already(source: Source, settings: ClipSettings) -> bool:
    """Whether the headers declare what the resize would write. Decoding has to confirm it."""
    context = source.video.codec_context
    if not (
        context.codec.canonical_name == "h264"
        and context.profile in H264_PROFILES
        and context.pix_fmt == "yuv420p"
    ):
        return False
    if source.crop:
        return False
    width, height, ratio = context.width, context.height, source.video.sample_aspect_ratio
    shape = output_shape(width, height, ratio, False, settings)
    same_ratio = shape.sample_aspect_ratio == (ratio or 1) == (context.sample_aspect_ratio or 1)
    return same_ratio and (shape.width, shape.height) == (width, height)


def copy_pictures(
    source: Source,
    output: OpenOutput,
    settings: ClipSettings,
    facts: Facts,
    mode: SoundMode,
    thumbnail: ThumbnailMaker | None = None,
) -> str | None:
    """Decode all pictures, then copy their packets; the remark of ``check_truncation``.

    ``thumbnail`` is shown every picture.

    Raises:
        BadClip: no picture decodes, or too little of the clip does.
        BrokenSound: the sound has to be left out.
        NotCopyable: a copy would not be what the resize writes.
    """
    clock = source.clock(settings.fps)
    packets, times = _decode_all(source, clock, settings.fps, mode, thumbnail)
    detail = check_truncation(source, clock, facts)
    pictures = [packet for packet in packets if packet.stream.type == "video" and packet.size]
    _fill_in_dts(pictures, to_ticks(clock.nominal, clock.source_tick))
    if facts.decode_errors or not _can_be_muxed(pictures, clock.frames, source):
        raise NotCopyable
    facts.width, facts.height = facts.source_width, facts.source_height

    tolerance = max(STEP_TOLERANCE, clock.source_tick)
    rate = frame_rate(times, clock.end, clock.output_tick, source.rate, tolerance)
    shift = to_ticks(clock.start, source.time_base)
    queue = PacketQueue()
    with open_output(output, clock) as container:
        video = container.add_stream_from_template(source.video, opaque=True)
        restate = _rate_filter(source, video, rate)
        sound = add_sound(container, source, clock.start, mode)
        for packet in packets:
            if packet.stream.type == "audio":
                feed_sound(sound, [packet], queue)
            elif packet.pts is not None and packet.dts is not None:
                packet.pts -= shift
                packet.dts -= shift
                for restated in restate(packet):
                    restated.stream = video
                    queue.extend([restated])
        queue.mux(container)
    return join_remarks(detail, sound.remark if sound else None)


def _decode_all(
    source: Source,
    clock: FrameClock,
    fps: Fraction | None,
    mode: SoundMode,
    thumbnail: ThumbnailMaker | None,
) -> tuple[list[Packet], list[int]]:
    """All packets, and the times of all pictures in ticks of the output.

    Raises:
        NotCopyable: a picture is not what its headers say, or not at the constant rate ``fps``.
    """
    packets, times = [], []
    for packet in source.packets(with_sound=mode != "drop"):
        packets.append(packet)
        if packet.stream.type != "video":
            continue
        for frame in source.frames(packet):
            _confirm_copyable(frame, clock, source)
            if timing := clock.next(frame.pts, frame.dts, frame.duration):
                times.append(timing[0])
                if thumbnail is not None:
                    thumbnail.offer(frame, source.video.sample_aspect_ratio)
            if fps:
                _confirm_rate(clock, fps)
    return packets, times


def _rate_filter(
    source: Source, target: VideoStream, rate: Fraction
) -> Callable[[Packet], list[Packet]]:
    """What makes the headers of a stream state its real rate; nothing where they do already."""
    stated = source.video.codec_context.framerate
    if stated and abs(stated / rate - 1) < RATE_TOLERANCE:
        return lambda packet: [packet]
    ticks = 2 * rate
    bitstream = BitStreamFilterContext(
        f"h264_metadata=tick_rate={ticks.numerator}/{ticks.denominator}", source.video, target
    )

    def restate(packet: Packet) -> list[Packet]:
        time_base = packet.time_base
        restated = bitstream.filter(packet)
        for each in restated:
            each.time_base = time_base
        return restated

    return restate


def _confirm_copyable(frame: VideoFrame, clock: FrameClock, source: Source) -> None:
    context = source.video.codec_context
    on_time = frame.pts is not None and (
        clock.first is None
        or to_ticks(frame.pts * clock.source_tick - clock.start, clock.output_tick) > clock.last
    )
    if not (
        on_time
        and (frame.width, frame.height) == (context.width, context.height)
        and frame.format.name == "yuv420p"
        and orientation_of(frame) == Orientation()
    ):
        raise NotCopyable


def _confirm_rate(clock: FrameClock, fps: Fraction) -> None:
    """Raise NotCopyable unless the last frame is where a constant rate from 0 on puts it."""
    due = (clock.frames - 1) / fps
    if abs(clock.last * clock.output_tick - due) > STEP_TOLERANCE:
        raise NotCopyable


def _fill_in_dts(pictures: list[Packet], step: int) -> None:
    """Give the first packets a dts. Matroska stores none, and FFmpeg leaves these without."""
    first = next((n for n, packet in enumerate(pictures) if packet.dts is not None), 0)
    for number, packet in enumerate(pictures[:first]):
        packet.dts = (pictures[first].dts or 0) - step * (first - number)


def _can_be_muxed(pictures: list[Packet], frames: int, source: Source) -> bool:
    """Whether every packet is one shown picture, in a valid order, and the first a keyframe."""
    headers = source.video.codec_context.extradata
    times = [(p.dts, p.pts) for p in pictures if p.dts is not None and p.pts is not None]
    return (
        len(times) == len(pictures) == frames
        and pictures[0].is_keyframe
        and not any(packet.is_discard for packet in pictures)
        and all(new_headers(packet) in (None, headers) for packet in pictures)
        and all(earlier[0] < later[0] for earlier, later in pairwise(times))
        and all(dts <= pts for dts, pts in times)
    )
