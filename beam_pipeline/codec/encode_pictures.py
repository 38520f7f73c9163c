"""The pictures of a clip, decoded, scaled and encoded."""

from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.geometry import output_sample_aspect_ratio, output_size
from beam_pipeline.codec.judge import judge
from beam_pipeline.codec.mp4 import OpenOutput, SoundMode, add_sound, mux_sound, open_output
from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.picture import LIMITED_RANGE, PictureScaler, orientation_of
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import SoundTrack
from beam_pipeline.codec.source import Source, check_size
from beam_pipeline.codec.timestamps import output_time_base


def encode_pictures(
    source: Source, output: OpenOutput, settings: ClipSettings, facts: Facts, mode: SoundMode
) -> str | None:
    """Write a clip with new pictures; a remark on damage, None for a sound clip.

    Raises:
        BadClip: there is no picture, too little of the clip, or too large a one.
        BrokenSound: the sound has to be left out.
    """
    scaler: PictureScaler | None = None
    video: VideoStream | None = None
    sound: SoundTrack | None = None
    heard: list[Packet] = []  # sound waits here until the first picture has set up the output
    clock = source.clock()
    with open_output(output, clock) as container:
        for packet in source.packets(with_sound=mode != "drop"):
            if packet.stream.type == "audio":
                heard.append(packet)
            else:
                for frame in source.frames(packet):
                    scaler = scaler or _scaler(frame, settings, facts)
                    matrix = frame.colorspace  # the scaler may change it
                    picture = scaler.scale(frame)
                    time, duration = clock.next(frame.pts, frame.dts, frame.duration)
                    if video is None:
                        video = _add_encoder(container, source, frame, picture, matrix, settings)
                        sound = add_sound(container, source, clock.start, mode)
                    picture.pts, picture.duration = time, duration
                    picture.time_base = clock.output
                    picture.pict_type = 0  # the source's keyframes are not ours
                    container.mux(video.encode(picture))
            if video is not None:
                mux_sound(container, sound, heard)
                heard.clear()
        detail = judge(source, clock, facts)
        assert video is not None  # judge has raised where there was no frame
        container.mux(video.encode(None))
    return detail


def _scaler(frame: VideoFrame, settings: ClipSettings, facts: Facts) -> PictureScaler:
    """A scaler for the output's size, which the first frame decides."""
    check_size(frame.width, frame.height)
    facts.source_width, facts.source_height = frame.width, frame.height
    orientation = orientation_of(frame)
    upright = (frame.width, frame.height)
    if orientation.quarter_turn:
        upright = (frame.height, frame.width)
    facts.width, facts.height = output_size(*upright, settings.short_edge)
    check_size(facts.width, facts.height)
    return PictureScaler(facts.width, facts.height, orientation)


def _add_encoder(
    container: OutputContainer,
    source: Source,
    frame: VideoFrame,
    picture: VideoFrame,
    source_matrix: int,
    settings: ClipSettings,
) -> VideoStream:
    """An H.264 stream for scaled pictures, tagged like the source's first frame."""
    options = {
        "preset": settings.preset,
        "crf": str(settings.crf),
        "g": str(settings.gop),
        "coder": settings.coder,
        "profile": "high",
        # The same bytes on every processor: x264 else picks algorithms by its features.
        "x264-params": "cpu-independent=1",
    }
    if settings.tune != "none":
        options["tune"] = settings.tune
    video = container.add_stream("libx264", rate=source.rate, options=options)
    context = video.codec_context
    context.width, context.height = picture.width, picture.height
    context.pix_fmt = "yuv420p"
    context.thread_count = 1
    context.time_base = output_time_base(source.time_base)
    context.flags |= CodecFlags.bitexact | CodecFlags.frame_duration
    context.sample_aspect_ratio = output_sample_aspect_ratio(
        source.video.sample_aspect_ratio, orientation_of(frame).quarter_turn
    )
    context.color_range = LIMITED_RANGE
    # A picture that was RGB has got a matrix; any other has kept its own.
    context.colorspace = picture.colorspace if frame.format.is_rgb else source_matrix
    context.color_primaries = frame.color_primaries
    context.color_trc = frame.color_trc
    return video
