"""The pictures of a clip, decoded, scaled and encoded."""

from collections.abc import Iterable, Iterator

from av.codec.context import Flags as CodecFlags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from beam_pipeline.codec.geometry import Shape, output_shape
from beam_pipeline.codec.judge import judge
from beam_pipeline.codec.mp4 import OpenOutput, SoundMode, add_sound, mux_sound, open_output
from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.picture import LIMITED_RANGE, PictureScaler, orientation_of
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.sound import SoundTrack
from beam_pipeline.codec.source import NotSeekable, Source, check_size
from beam_pipeline.codec.timestamps import ConstantRate, FrameClock


def encode_pictures(
    source: Source, output: OpenOutput, settings: ClipSettings, facts: Facts, mode: SoundMode
) -> str | None:
    """Write a clip with new pictures; a remark on damage, None for a sound clip.

    Raises:
        BadClip: there is no picture, too little of the clip, or too large a one.
        BrokenSound: the sound has to be left out.
        NotSeekable: the place to read from was not found.
    """
    sound: SoundTrack | None = None
    heard: list[Packet] = []  # sound waits here until the first picture has set up the output
    clock = source.clock(settings.fps)
    with open_output(output, clock) as container:
        pictures = PictureTrack(source, container, clock, settings, facts)

        def write(made: Iterable[Packet]) -> None:
            nonlocal sound
            made = list(made)
            if pictures.has_begun:
                sound = sound or add_sound(container, source, clock.zero, mode)
                container.mux(made)
                mux_sound(container, sound, heard)
                heard.clear()

        for packet in source.packets(with_sound=mode != "drop"):
            if packet.stream.type == "audio":
                heard.append(packet)
                write([])
            else:
                for frame in source.frames(packet):
                    write(pictures.take(frame))
        if source.has_sought and clock.decoded is None:
            raise NotSeekable
        detail = judge(source, clock, facts)
        write(pictures.finish())
    return detail


class PictureTrack:
    """The pictures of one output: takes decoded frames, gives packets to mux.

    The first frame that is shown decides the output's size and tags.
    """

    def __init__(
        self,
        source: Source,
        container: OutputContainer,
        clock: FrameClock,
        settings: ClipSettings,
        facts: Facts,
    ) -> None:
        self._source = source
        self._container = container
        self._clock = clock
        self._settings = settings
        self._facts = facts
        self._rate = ConstantRate(settings.fps, clock.output) if settings.fps else None
        self._waiting: VideoFrame | None = None  # for the frame that ends its time
        self._scaler: PictureScaler | None = None
        self._stream: VideoStream | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the output has a stream for the pictures."""
        return self._stream is not None

    def take(self, frame: VideoFrame) -> Iterator[Packet]:
        """Packets that one more frame completes; a frame outside the segment adds nothing.

        Raises:
            BadClip: it is too large.
            NotSeekable: reading has begun behind the segment's start.
        """
        at = self._clock.next(frame.pts, frame.dts, frame.duration)
        if self._source.has_sought and (self._clock.decoded or 0) > 0:
            raise NotSeekable
        if at is None:
            return
        if self._rate is None:
            yield from self._encode(frame, [at])
            return
        shown = self._rate.next(at[0])
        if self._waiting is not None and shown:
            yield from self._encode(self._waiting, shown)
        self._waiting = frame

    def finish(self) -> Iterator[Packet]:
        """What is left, once all frames are in and are enough."""
        if self._rate is not None and self._waiting is not None:
            yield from self._encode(self._waiting, self._rate.finish(self._clock.end))
            self._facts.frames, self._facts.fps = self._rate.shown, float(self._rate.fps)
            self._facts.duration = float(self._rate.shown / self._rate.fps)
        if self._stream is not None:
            yield from self._stream.encode(None)

    def _encode(self, frame: VideoFrame, shown: list[tuple[int, int]]) -> Iterator[Packet]:
        """One picture, for each time and duration that it is shown, in output ticks."""
        shape: Shape | None = None
        if self._scaler is None:
            shape = self._decide_shape(frame)
            self._scaler = PictureScaler(shape.width, shape.height, orientation_of(frame))
        matrix = frame.colorspace  # the scaler may change it
        picture = self._scaler.scale(frame)
        if self._stream is None:
            assert shape is not None
            self._stream = self._add_stream(frame, picture, matrix, shape)
        picture.time_base = self._clock.output
        picture.pict_type = 0  # the source's keyframes are not ours
        for picture.pts, picture.duration in shown:
            yield from self._stream.encode(picture)

    def _decide_shape(self, frame: VideoFrame) -> Shape:
        check_size(frame.width, frame.height)
        facts = self._facts
        facts.source_width, facts.source_height = frame.width, frame.height
        turned = orientation_of(frame).quarter_turn
        ratio = self._source.video.sample_aspect_ratio
        shape = output_shape(frame.width, frame.height, ratio, turned, self._settings)
        facts.width, facts.height = shape.width, shape.height
        check_size(shape.width, shape.height)
        return shape

    def _add_stream(
        self, frame: VideoFrame, picture: VideoFrame, source_matrix: int, shape: Shape
    ) -> VideoStream:
        """An H.264 stream for scaled pictures, tagged like the source's frame."""
        settings = self._settings
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
        rate = settings.fps or self._source.rate
        video = self._container.add_stream("libx264", rate=rate, options=options)
        context = video.codec_context
        context.width, context.height = picture.width, picture.height
        context.pix_fmt = "yuv420p"
        context.thread_count = 1
        context.time_base = self._clock.output
        context.flags |= CodecFlags.bitexact | CodecFlags.frame_duration
        context.sample_aspect_ratio = shape.sample_aspect_ratio
        context.color_range = LIMITED_RANGE
        # A picture that was RGB has got a matrix; any other has kept its own.
        context.colorspace = picture.colorspace if frame.format.is_rgb else source_matrix
        context.color_primaries = frame.color_primaries
        context.color_trc = frame.color_trc
        return video
