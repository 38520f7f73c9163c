"""Small clips of every kind, made while the tests run.

Each function returns a file's bytes. FFmpeg's own test pictures and tones are encoded with what
PyAV brings; the ffmpeg program (from imageio-ffmpeg) is the judge that results are held against.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

os.environ.setdefault("SVT_LOG", "1")  # errors only: the AV1 encoder talks to stderr

FAST = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "11"},
}
BEEP = "aevalsrc='if(between(t,{0},{0}+0.1),0.8*sin(2*PI*1000*t),0)':s={1}:d={2}"
"""Silence with a tenth of a second of 1 kHz: start in seconds, samples a second, duration."""


# The judge


def ffmpeg(*arguments: str, given: bytes | None = None) -> bytes:
    """What the ffmpeg program writes to its standard output; errors are printed and raised."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, input=given, check=True).stdout


def with_ffmpeg(clip: bytes, *arguments: str, before: Sequence[str] = ()) -> bytes:
    """What the ffmpeg program makes of a clip, given what comes before and after ``-i``."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "clip")
        source.write_bytes(clip)
        return ffmpeg(*before, "-i", str(source), *arguments)


@dataclass(frozen=True)
class Shown:
    """One picture as ffmpeg shows it: when, in seconds, and how many bytes it has."""

    time: Fraction
    bytes: int


def ffmpeg_shows(clip: bytes) -> list[Shown]:
    """Every picture that ffmpeg decodes of the stream it picks, at the source's own times.

    The sound is decoded beside it: a stream that is left out would move the file's start.
    """
    said = with_ffmpeg(
        clip, "-sn", "-dn", "-fps_mode", "passthrough", "-enc_time_base:v", "demux",
        "-pix_fmt", "yuv420p", "-f", "framecrc", "-",
    ).decode()  # fmt: skip
    ticks: dict[str, Fraction] = {}
    pictures = ""
    shown = []
    for line in said.splitlines():
        match line.replace(":", "").split():
            case ["#tb", stream, tick]:
                ticks[stream] = Fraction(tick)
            case ["#media_type", stream, "video"]:
                pictures = stream
        if not line.startswith("#"):
            stream, _, pts, _, size, *_ = (part.strip() for part in line.split(","))
            if stream == pictures:
                shown.append(Shown(int(pts) * ticks[stream], int(size)))
    return shown


def ffmpeg_pictures(clip: bytes, width: int, height: int) -> np.ndarray:
    """The pictures that ffmpeg makes of a clip at a size, upright: frames of planar yuv420p."""
    kernel = "flags=bicubic+accurate_rnd:param0=0:param1=0.75"
    scaled = f"scale={width}:{height}:{kernel}:out_range=limited,format=yuv420p"
    raw = with_ffmpeg(
        clip, "-an", "-sn", "-dn", "-fps_mode", "passthrough", "-vf", scaled,
        "-f", "rawvideo", "-",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(-1, width * height * 3 // 2)


def ffmpeg_sound(clip: bytes, rate: int = 8000, *, before: Sequence[str] = ()) -> np.ndarray:
    """The sound as mono samples from the clip's time 0 on, silence where there is none."""
    raw = with_ffmpeg(
        clip, "-map", "0:v:0", "-f", "null", "-",
        "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", str(rate),
        "-f", "f32le", "-", before=before,
    )  # fmt: skip
    return np.frombuffer(raw, np.float32)


def beep_time(sound: np.ndarray, rate: int = 8000) -> float:
    """Seconds until the sound gets loud."""
    return float(np.flatnonzero(np.abs(sound) > 0.3)[0]) / rate


# The workshop


def pictures(
    size: tuple[int, int], frames: int, rate: int = 25, pix_fmt: str = "yuv420p",
    source: str = "testsrc2",
) -> Iterator[VideoFrame]:  # fmt: skip
    """Moving test pictures, no two alike and no side like another."""
    width, height = max(size[0], 2), max(size[1], 2)  # the sources draw nothing smaller
    graph = (
        f"{source}=s={width}x{height}:r={rate}:d={frames / rate},"
        f"scale={size[0]}:{size[1]},format={pix_fmt}"
    )
    with av.open(graph, format="lavfi") as made:
        for number, frame in zip(range(frames), made.decode(video=0), strict=False):
            frame.pict_type = 0
            frame.pts, frame.time_base = number, Fraction(1, rate)
            yield frame


def plain(
    size: tuple[int, int], frames: int, pix_fmt: str, planes: Sequence[int]
) -> Iterator[VideoFrame]:
    """Pictures of one colour, given as each plane's value."""
    for number in range(frames):
        frame = VideoFrame(*size, pix_fmt)
        for plane, value in zip(frame.planes, planes, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = number
        yield frame


def tone(seconds: float, rate: int, beep: float | None = None) -> Iterator[AudioFrame]:
    """A tone, or silence with a beep at a time."""
    graph = f"sine=frequency=440:sample_rate={rate}:duration={seconds}"
    if beep is not None:
        graph = BEEP.format(beep, rate, seconds)
    with av.open(graph, format="lavfi") as made:
        yield from made.decode(audio=0)


@dataclass(frozen=True)
class Sound:
    """A sound track to add: ``start`` in seconds of the clip, ``beep`` in seconds of the track."""

    codec: str = "aac"
    rate: int = 44100
    layout: str = "mono"
    seconds: float = 1.0
    start: Fraction = Fraction(0)
    beep: float | None = None
    spoil: Callable[[int, bytes], bytes] = lambda number, payload: payload
    lost: range = range(0)  # packets that are not written


def clip(
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (160, 120),
    frames: int | Iterable[VideoFrame] = 25,
    rate: int = 25,
    pix_fmt: str = "yuv420p",
    *,
    times: Sequence[int] | None = None,
    tick: Fraction | None = None,
    start: Fraction = Fraction(0),
    ratio: Fraction | None = None,
    rotation: int | None = None,
    hflip: bool = False,
    tags: dict[str, int] | None = None,
    sounds: Sequence[Sound] = (),
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    packets: Callable[[list[Packet]], list[Packet]] = lambda packets: packets,
) -> bytes:
    """A clip with one video stream, and sound where asked for.

    ``times`` replace the frames' times, in ``tick``s; ``tags`` are attributes of the encoder
    (``color_range`` …); ``packets`` may change the encoded pictures before they are muxed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip")
        with av.open(str(path), "w", format=container, options=muxer or {}) as made:
            made.metadata.update(metadata or {})
            wanted = FAST.get(codec, {}) | (options or {})
            stream = made.add_stream(codec, rate=rate, options=wanted)
            context = stream.codec_context
            context.width, context.height = size
            context.pix_fmt = pix_fmt
            context.time_base = tick = tick or Fraction(1, rate)
            context.thread_count = 1
            if ratio is not None:
                context.sample_aspect_ratio = ratio
            for name, value in (tags or {}).items():
                setattr(context, name, value)
            if isinstance(frames, int):
                frames = pictures(size, frames, rate, pix_fmt)
            encoded = list(_encoded(stream, frames, times, tick, start))
            if rotation is not None or hflip:
                stream.set_display_rotation(rotation or 0, hflip=hflip)
            heard = [packet for sound in sounds for packet in _sound_packets(made, sound)]
            _mux_by_time(made, packets(encoded) + heard)
        return path.read_bytes()


def remuxed(*clips: bytes, options: Sequence[str] = (), container: str = "mp4") -> bytes:
    """All streams of the clips, as they are, in one file; ``options`` are ffmpeg's."""
    with tempfile.TemporaryDirectory() as folder:
        inputs: list[str] = []
        for number, clip in enumerate(clips):
            Path(folder, f"{number}").write_bytes(clip)
            inputs += ["-i", str(Path(folder, f"{number}"))]
        for number in range(len(clips)):
            inputs += ["-map", str(number)]
        made = Path(folder, "made")
        ffmpeg(*inputs, "-c", "copy", *options, "-f", container, str(made))
        return made.read_bytes()


def _encoded(
    stream: VideoStream, frames: Iterable[VideoFrame], times: Sequence[int] | None,
    tick: Fraction, start: Fraction,
) -> Iterator[Packet]:  # fmt: skip
    for number, frame in enumerate(frames):
        frame.pts = (times[number] if times else number) + round(start / tick)
        frame.time_base = tick
        frame.duration = 0
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sound_packets(made: OutputContainer, sound: Sound) -> Iterator[Packet]:
    stream = made.add_stream(sound.codec, rate=sound.rate, layout=sound.layout)
    stream.codec_context.bit_rate = 64_000
    stream.codec_context.time_base = Fraction(1, sound.rate)
    number = 0
    for frame in [*tone(sound.seconds, sound.rate, sound.beep), None]:
        for packet in stream.encode(frame):
            shift = round(sound.start / packet.time_base)
            payload = bytes(packet)
            spoilt = sound.spoil(number, payload)
            if spoilt != payload:
                packet = with_payload(packet, spoilt)
            packet.pts += shift
            packet.dts += shift
            if number not in sound.lost:
                yield packet
            number += 1


def with_payload(packet: Packet, payload: bytes) -> Packet:
    """A packet of the same stream and time with another content."""
    changed = Packet(payload)
    changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
    changed.time_base, changed.stream = packet.time_base, packet.stream
    changed.is_keyframe = packet.is_keyframe
    return changed


def _mux_by_time(made: OutputContainer, packets: list[Packet]) -> None:
    for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
        made.mux(packet)


# The kinds of clips that take more than an argument


def full_range(luma: int) -> bytes:
    """Grey pictures of one luma value, in full range."""
    grey = plain((160, 120), 3, "yuvj420p", (luma, 128, 128))
    return clip(frames=grey, pix_fmt="yuvj420p", tags={"color_range": 2}, options={"crf": "0"})


def hdr() -> bytes:
    """Ten bits a sample, BT.2020 and PQ, in HEVC."""
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    return clip(codec="libx265", pix_fmt="yuv420p10le", frames=8, tags=tags)


def coloured(rgb: tuple[int, int, int], alpha: int | None = None) -> bytes:
    """Pictures of one RGB colour, as PNGs; with an alpha channel where one is given."""
    pix_fmt = "rgb24" if alpha is None else "rgba"
    values = rgb if alpha is None else (*rgb, alpha)
    frames = []
    for number in range(3):
        picture = np.full((48, 64, len(values)), values, np.uint8)
        frame = VideoFrame.from_ndarray(picture, format=pix_fmt)
        frame.pts = number
        frames.append(frame)
    return clip("mov", "png", (64, 48), frames, pix_fmt=pix_fmt)


def timed(container: str, pts: Sequence[int]) -> bytes:
    """Motion JPEG whose frames carry the given times, whatever their order."""

    def retimed(packets: list[Packet]) -> list[Packet]:
        for number, (packet, time) in enumerate(zip(packets, pts, strict=True)):
            packet.pts, packet.dts = time, number
        return packets

    return clip(container, "mjpeg", frames=len(pts), pix_fmt="yuvj420p", packets=retimed)


def changing_size(first: tuple[int, int], then: tuple[int, int]) -> bytes:
    """H.264 in a transport stream whose pictures change size after half a second."""
    half = Fraction(1, 2)
    return clip("mpegts", size=first, frames=12, rate=24) + clip(
        "mpegts", size=then, frames=12, rate=24, start=half
    )


def two_streams(*, default: int) -> bytes:
    """A large and a small picture; ``default`` says which one is marked as the default."""
    large, small = clip(size=(200, 100), frames=5), clip(size=(64, 48), frames=5)
    other = 1 - default
    return remuxed(
        large, small, container="matroska",
        options=[f"-disposition:v:{default}", "default", f"-disposition:v:{other}", "0"],
    )  # fmt: skip


def late_sound() -> bytes:
    """A transport stream in whose middle, past what FFmpeg looks at first, sound turns up."""
    nothing = b"\x47\x1f\xff\x10" + b"\xff" * 184  # a null packet

    def part(start: int, *sounds: Sound) -> bytes:
        return clip(
            "mpegts", "mpeg2video", (64, 48), frames=200, start=Fraction(start), sounds=sounds
        )

    heard = part(8, Sound("mp2", 48000, start=Fraction(8)))
    return part(0) + nothing * 35_000 + heard + nothing * 10_000 + part(16)


def cover(size: tuple[int, int] = (320, 240)) -> bytes:
    """One picture, as music files carry it."""
    return clip("mjpeg", "mjpeg", size, frames=1, pix_fmt="yuvj420p")


def sound_only(*, with_cover: bool = False) -> bytes:
    """Sound without a video stream; a cover picture is none."""
    tone_file = ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", "-f", "adts", "-")
    if not with_cover:
        return remuxed(tone_file)
    return remuxed(tone_file, cover(), options=["-disposition:v:0", "attached_pic"])


def with_cover() -> bytes:
    """A video with a cover picture that is larger than the video."""
    disposition = ["-disposition:v:1", "attached_pic"]
    return remuxed(clip(size=(64, 48), frames=5), cover(), options=disposition)


def telling() -> bytes:
    """A clip that says who made it, when and where."""
    said = {
        "title": "SECRET", "comment": "SECRET", "artist": "SECRET", "copyright": "SECRET",
        "creation_time": "2019-07-04T12:00:00.000000Z", "location": "+27.5916+086.5640/",
        "com.apple.quicktime.make": "SECRET",
    }  # fmt: skip
    told = clip("mov", sounds=[Sound(seconds=0.5)], frames=12, metadata=said)
    return remuxed(
        told, container="mov",
        options=["-movflags", "use_metadata_tags", "-metadata:s:v", "handler_name=SECRET",
                 "-metadata:s:a", "title=SECRET", "-metadata:s:a", "language=deu",
                 "-metadata:s:v", "timecode=01:02:03:04", "-map_metadata", "0"],
    )  # fmt: skip


def declaring(width: int, height: int) -> bytes:
    """A tiny Motion JPEG clip whose headers, the file's and the pictures', declare another size."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")

    def declared(packets: list[Packet]) -> list[Packet]:
        return [with_payload(packet, patched(bytes(packet))) for packet in packets]

    def patched(picture: bytes) -> bytes:
        at = picture.index(b"\xff\xc0") + 5  # start of frame: marker, length, bits, height, width
        return picture[:at] + size + picture[at + 4 :]

    made = bytearray(clip("mov", "mjpeg", (64, 48), frames=2, pix_fmt="yuvj420p", packets=declared))
    entry = made.rindex(b"jpeg") + 4 + 24  # the visual sample entry's width and height
    made[entry : entry + 4] = width.to_bytes(2, "big") + height.to_bytes(2, "big")
    return bytes(made)


def tagged(clip: bytes, **tags: int) -> bytes:
    """An H.264 clip with other words in its own headers (FFmpeg's h264_metadata)."""
    words = ":".join(f"{name}={value}" for name, value in tags.items())
    return remuxed(clip, options=["-bsf:v", f"h264_metadata={words}"], container="matroska")


def cut(clip: bytes, share: float) -> bytes:
    """The first part of a file, as a broken download leaves it."""
    return clip[: int(len(clip) * share)]


def spoilt_picture(number: int) -> Callable[[list[Packet]], list[Packet]]:
    """For ``packets``: the inside of one encoded picture replaced by nonsense."""

    def spoil(packets: list[Packet]) -> list[Packet]:
        payload = bytes(packets[number])
        nonsense = bytes(byte ^ 0x5A for byte in payload[30:-1])
        packets[number] = with_payload(packets[number], payload[:30] + nonsense + payload[-1:])
        return packets

    return spoil
