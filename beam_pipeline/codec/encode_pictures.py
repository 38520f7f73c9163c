"""Decode, scale and encode the pictures of a clip."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.codec.context import CodecContext
from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.container_crop import NO_CROP
from beam_pipeline.codec.geometry import Shape, check_size, output_shape
from beam_pipeline.codec.mp4 import (
    OpenOutput,
    PacketQueue,
    SoundMode,
    add_sound,
    feed_sound,
    open_output,
)
from beam_pipeline.codec.outcome import Facts, join_remarks
from beam_pipeline.codec.scale_pictures import LIMITED_RANGE, PictureScaler, orientation_of
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import SoundTrack
from beam_pipeline.codec.source import NotSeekable, Source
from beam_pipeline.codec.thumbnail import ThumbnailMaker
from beam_pipeline.codec.timestamps import ConstantRate, FrameClock, frame_rate
from beam_pipeline.codec.truncation import check_truncation


def encode_pictures(
    source: Source,
    output: OpenOutput,
    settings: ClipSettings,
    facts: Facts,
    mode: SoundMode,
    thumbnail: ThumbnailMaker | None = None,
) -> str | None:
    """Write a clip with new pictures. Returns a remark on damage, None if there is none.

    ``thumbnail`` is shown every picture.

    Raises:
        BadClip: no picture decodes, too little of the clip does, or a picture is too large.
        BrokenSound: the sound has to be left out.
        NotSeekable: the file has to be read from its beginning.
    """
    sound: SoundTrack | None = None
    pending_sound: list[Packet] = []  # until the first picture has set up the output
    clock = source.clock(settings.fps)
    queue = PacketQueue()
    with open_output(output, clock) as container:
        pictures = PictureTrack(source, container, clock, settings, facts, thumbnail)

        def write(encoded: Iterable[Packet]) -> None:
            nonlocal sound
            queue.extend(encoded)
            if pictures.has_stream:
                sound = sound or add_sound(container, source, clock.origin, mode)
                feed_sound(sound, pending_sound, queue)
                pending_sound.clear()

        for packet in source.packets(with_sound=mode != "drop"):
            if packet.stream.type == "audio":
                pending_sound.append(packet)
                write([])
            else:
                for frame in source.frames(packet):
                    write(pictures.feed(frame))
        if source.did_seek and clock.first_decoded is None:
            raise NotSeekable
        detail = check_truncation(source, clock, facts)
        write(pictures.finish())
        pictures.state_rate()
        pictures.state_duration(queue)
        queue.mux(container)
    return join_remarks(detail, sound.remark if sound else None)


class PictureTrack:
    """The pictures of one output: decoded frames in, packets to mux out.

    The first frame inside the segment decides the output's size and color tags.
    """

    def __init__(
        self,
        source: Source,
        container: OutputContainer,
        clock: FrameClock,
        settings: ClipSettings,
        facts: Facts,
        thumbnail: ThumbnailMaker | None = None,
    ) -> None:
        self._source = source
        self._container = container
        self._clock = clock
        self._settings = settings
        self._facts = facts
        self._thumbnail = thumbnail
        self._ratio: Fraction | None = None
        self._rate = ConstantRate(settings.fps, clock.output_tick) if settings.fps else None
        self._pending: VideoFrame | None = None  # its duration depends on the next frame
        self._scaler: PictureScaler | None = None
        self._stream: VideoStream | None = None
        self._times: list[int] = []  # of every picture that is encoded, in output ticks
        self._end = 0

    @property
    def has_stream(self) -> bool:
        """Whether the output has a video stream yet."""
        return self._stream is not None

    def feed(self, frame: VideoFrame) -> Iterator[Packet]:
        """The packets that one more frame completes; none if it is outside the segment.

        Raises:
            BadClip: the frame is too large.
            NotSeekable: the seek went past the segment's start.
        """
        timing = self._clock.next(frame.pts, frame.dts, frame.duration)
        if self._source.did_seek and (self._clock.first_decoded or 0) > 0:
            raise NotSeekable
        if timing is None:
            return
        if self._rate is None:
            yield from self._encode(frame, [timing])
            return
        timings = self._rate.next(timing[0])
        if self._pending is not None and timings:
            yield from self._encode(self._pending, timings)
        self._pending = frame

    def finish(self) -> Iterator[Packet]:
        """The remaining packets. Call it after the last frame, if the clip is not truncated."""
        if self._rate is not None and self._pending is not None:
            yield from self._encode(self._pending, self._rate.finish(self._clock.end))
            self._facts.frames, self._facts.fps = self._rate.shown, float(self._rate.fps)
            self._facts.duration = float(self._rate.shown / self._rate.fps)
            self._facts.start = float(self._times[0] * self._clock.output_tick)
        if self._stream is not None:
            yield from self._stream.encode(None)

    def _encode(self, frame: VideoFrame, timings: list[tuple[int, int]]) -> Iterator[Packet]:
        """Encode one picture for each (time, duration) in output ticks."""
        shape: Shape | None = None
        if self._scaler is None:
            shape = self._decide_shape(frame)
            orientation = orientation_of(frame)
            self._scaler = PictureScaler(shape.width, shape.height, orientation, self._source.crop)
        matrix = frame.colorspace  # the scaler may change it
        picture = self._scaler.scale(frame)
        if self._stream is None:
            assert shape is not None
            self._stream = self._add_stream(frame, picture, matrix, shape)
            self._ratio = shape.sample_aspect_ratio
        if self._thumbnail is not None:
            self._thumbnail.offer(picture, self._ratio)
        picture.time_base = self._clock.output_tick
        picture.pict_type = 0  # x264 chooses the keyframes, not the source
        for picture.pts, picture.duration in timings:
            self._times.append(picture.pts)
            self._end = picture.pts + picture.duration
            yield from self._stream.encode(picture)

    def _decide_shape(self, frame: VideoFrame) -> Shape:
        check_size(frame.width, frame.height)
        facts = self._facts
        facts.source_width, facts.source_height = frame.width, frame.height
        quarter_turn = orientation_of(frame).quarter_turn
        ratio = self._source.video.sample_aspect_ratio
        crop = self._source.crop if self._source.crop.fits(frame.width, frame.height) else NO_CROP
        size = crop.size(frame.width, frame.height)
        shape = output_shape(*size, ratio, quarter_turn, self._settings)
        facts.width, facts.height = shape.width, shape.height
        check_size(shape.width, shape.height)
        return shape

    def _add_stream(
        self, frame: VideoFrame, picture: VideoFrame, source_matrix: int, shape: Shape
    ) -> VideoStream:
        """An H.264 stream for scaled pictures, with the color tags of the source's frame."""
        rate = self._settings.fps or self._source.rate
        video = self._container.add_stream("libx264", rate=rate, options=self._options())
        context = video.codec_context
        context.width, context.height = picture.width, picture.height
        context.time_base = self._clock.output_tick
        context.sample_aspect_ratio = shape.sample_aspect_ratio
        # The scaler gives an RGB picture a matrix; any other keeps its own.
        context.colorspace = picture.colorspace if frame.format.is_rgb else source_matrix
        context.color_primaries = frame.color_primaries
        context.color_trc = frame.color_trc
        _set_format(context)
        return video

    def state_duration(self, queue: PacketQueue) -> None:
        """Let the track be as long as its pictures are shown. Call it when all are in the queue."""
        if self._stream is not None:
            queue.set_duration(self._stream, self._end - self._times[0])

    def state_rate(self) -> None:
        """Give the stream the header of its real rate. Call it before anything is muxed.

        x264 writes its time base into the header, and ours is finer than a frame: readers that
        take the rate from there would be led astray. So the header comes from an encoder whose
        time base is one frame; the pictures are the same.
        """
        if self._stream is None:
            return
        clock, stated = self._clock, self._stream.codec_context
        tolerance = max(clock.source_tick, clock.output_tick)
        span = self._times, self._end
        rate = self._settings.fps or frame_rate(
            *span, clock.output_tick, self._source.rate, tolerance
        )
        context = CodecContext.create("libx264", "w")
        context.options = self._options()
        context.width, context.height = stated.width, stated.height
        context.framerate, context.time_base = rate, 1 / rate
        if stated.sample_aspect_ratio:  # FFmpeg has taken back a ratio that no picture can have
            context.sample_aspect_ratio = stated.sample_aspect_ratio
        context.colorspace = stated.colorspace
        context.color_primaries = stated.color_primaries
        context.color_trc = stated.color_trc
        _set_format(context)
        context.flags |= CodecFlags.global_header
        context.open()
        stated.extradata = context.extradata

    def _options(self) -> dict[str, str]:
        """The encoder's options, in x264's words."""
        settings = self._settings
        options = {
            "preset": settings.preset,
            "crf": str(settings.crf),
            "g": str(settings.gop),
            "coder": settings.coder,
            "profile": "high",
            # The same bytes on every processor: otherwise x264 picks algorithms by CPU features.
            "x264-params": ":".join(filter(None, ["cpu-independent=1", settings.x264_params])),
        }
        if settings.tune != "none":
            options["tune"] = settings.tune
        return options


def _set_format(context: VideoCodecContext) -> None:
    """What every output has."""
    context.pix_fmt = "yuv420p"
    context.color_range = LIMITED_RANGE
    context.thread_count = 1
    context.flags |= CodecFlags.bitexact | CodecFlags.frame_duration
