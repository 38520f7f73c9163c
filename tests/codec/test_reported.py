"""Files as people have them: each kind was reported in public, and came out wrong in silence."""

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from tests.codec import (
    codecs_of,
    difference_to_ffmpeg,
    made_of,
    opened,
    outcome_of,
    size_of,
    times_of,
)
from tests.kinetics import SHARED
from tests.make_clips import (
    Sound,
    clip,
    ffmpeg_shows,
    ffmpeg_sound,
    remuxed,
    with_ffmpeg,
    with_payload,
)

REPORTS = SHARED / "reports"
ONE_DECIBEL = 0.11


def assert_times_of_ffmpeg(source: bytes, **settings) -> bytes:
    made = made_of(source, short_edge=64, **settings)
    theirs = [shown.time for shown in ffmpeg_shows(source)]
    ours = times_of(made)
    assert len(ours) == len(theirs)
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < Fraction(1, 500)
    return made


def loudness(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


# Clocks


def part(container: str = "mpegts", start: int = 0, codec: str = "libx264") -> bytes:
    sound = Sound("mp2", 48000, seconds=2, start=Fraction(start))
    return clip(container, codec, (96, 64), frames=50, start=Fraction(start), sounds=[sound])


CLOCKS: dict[str, Callable[[], bytes]] = {
    "starts again": lambda: part() * 3,
    "jumps ahead": lambda: part() + part(start=500),
    "jumps back": lambda: part(start=500) + part(),
    "goes on after a second": lambda: part() + part(start=3),
    "program stream starts again": lambda: part("mpeg", codec="mpeg2video") * 2,
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_a_clock_that_starts_again_or_jumps_is_followed_as_by_ffmpeg(kind: str) -> None:
    source = CLOCKS[kind]()
    made = assert_times_of_ffmpeg(source)
    ours, theirs = len(ffmpeg_sound(made)), len(ffmpeg_sound(source))
    assert ours == pytest.approx(theirs, abs=800)  # a tenth of a second


def test_a_joined_stream_is_the_whole_video_that_it_lasts() -> None:
    silent = clip("mpegts", size=(96, 64), frames=50)
    outcome = outcome_of(silent * 4, segment=(3, 6), short_edge=64)
    assert outcome.facts.frames == 75


def test_pictures_at_a_constant_rate_see_the_corrected_clock() -> None:
    outcome = outcome_of(part() * 3, fps=Fraction(10), short_edge=64, audio="drop")
    assert outcome.facts.duration == pytest.approx(6, abs=0.11)


def test_b_frames_in_avi_come_at_their_times() -> None:
    source = clip("avi", "mpeg4", (96, 64), frames=20, options={"bf": "2"})
    assert_times_of_ffmpeg(source)


# Sound

PCM = ["pcm_s16be", "pcm_s16le", "pcm_s24le", "pcm_s24be", "pcm_f32le", "pcm_u8"]


@pytest.mark.parametrize("codec", PCM)
def test_pcm_becomes_aac_of_the_same_loudness(codec: str) -> None:
    source = clip("mov", size=(96, 64), sounds=[Sound(codec, 48000)])
    made = made_of(source, short_edge=64)
    assert codecs_of(made) == ["h264", "aac"]
    theirs = loudness(ffmpeg_sound(source))
    assert loudness(ffmpeg_sound(made)) == pytest.approx(theirs, rel=ONE_DECIBEL)


def test_pcm_of_a_segment_becomes_aac_too() -> None:
    video = clip("mov", size=(96, 64), frames=250, sounds=[Sound("pcm_s16le", 48000, seconds=10)])
    outcome = outcome_of(video, segment=(3, 6), short_edge=64)
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264", "aac"]


CAMERA_ORDERS = ["FL+FR+FC+LFE+SL+SR+BL+BR", "FR+FL", "BL+BR+FL+FR"]


@pytest.mark.parametrize("order", CAMERA_ORDERS)
def test_channels_in_a_camera_s_order_cost_nothing(order: str) -> None:
    channels = order.count("+") + 1
    taken = "|".join(["0"] * channels)
    silent = remuxed(clip(size=(96, 64)), container="mov")
    source = with_ffmpeg(
        silent, "-f", "lavfi", "-i", "sine=d=1:r=48000", "-af",
        f"pan=mono|c0=c0,channelmap=map={taken}:channel_layout={order}", "-c:v", "copy",
        "-c:a", "pcm_s16le", "-f", "mov", "-movflags", "frag_keyframe+empty_moov", "-",
    )  # fmt: skip
    for _ in range(3):  # memory that is freed twice may be found out later
        outcome = outcome_of(source, short_edge=64)
    assert (outcome.reason, outcome.detail, outcome.facts.has_audio) == (None, None, True)


def flv_tags(flv: bytes) -> Iterator[bytes]:
    at = 13
    while at < len(flv):
        size = 11 + int.from_bytes(flv[at + 1 : at + 4]) + 4
        yield flv[at : at + size]
        at += size


def with_header_again(flv: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """An FLV whose AAC header comes a second time in the middle, changed or not."""
    tags = list(flv_tags(flv))
    header = next(tag for tag in tags if tag[0] == 8 and tag[12] == 0)
    middle = len(tags) // 2
    again = header[:4] + tags[middle][4:8] + change(header[8:])
    return flv[:13] + b"".join([*tags[:middle], again, *tags[middle:]])


def test_a_header_that_comes_again_is_no_change() -> None:
    source = clip("flv", size=(96, 64), sounds=[Sound()])
    outcome = outcome_of(with_header_again(source, lambda header: header), short_edge=64)
    assert (outcome.facts.has_audio, outcome.detail) == (True, None)


def test_a_header_that_changes_has_the_sound_encoded() -> None:
    def in_stereo(header: bytes) -> bytes:
        config = int.from_bytes(header[5:7]) & ~(0b1111 << 3) | 2 << 3
        return header[:5] + config.to_bytes(2) + header[7:]

    source = clip("flv", size=(96, 64), sounds=[Sound()])
    outcome = outcome_of(with_header_again(source, in_stereo), short_edge=64)
    assert outcome.facts.has_audio
    assert outcome.detail is not None
    assert outcome.detail.startswith("sound encoded again: its headers change")


def test_sound_of_which_some_decodes_is_encoded_and_said() -> None:
    spoilt = Sound("libmp3lame", spoil=lambda n, data: data if n % 3 else b"\xff" * len(data))
    outcome = outcome_of(clip(size=(96, 64), sounds=[spoilt]), short_edge=64)
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264", "aac"]
    assert outcome.detail is not None
    assert outcome.detail.startswith("sound encoded again: not all of its packets decode")


# The picture that is meant


def with_clean_aperture(clip: bytes, width: int, height: int, x: int = 0, y: int = 0) -> bytes:
    """An MP4 with its index behind the pictures, and a clean aperture in it, centred but for x, y.

    Every box around the sample entry grows with it.
    """
    box = struct.pack(">I4sIIIIiIiI", 40, b"clap", width, 1, height, 1, x, 1, y, 1)
    data = bytearray(clip)
    at = 0
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = data.index(kind, at) - 4
        size = int.from_bytes(data[at : at + 4])
        data[at : at + 4] = (size + len(box)).to_bytes(4)
        end = at + size
        at += 8
    data[end:end] = box
    return bytes(data)


def cropped_mp4(**aperture: int) -> bytes:
    return with_clean_aperture(clip(size=(320, 240), frames=5), **aperture)


CROPPED: dict[str, Callable[[], bytes]] = {
    "centred": lambda: cropped_mp4(width=320, height=180),
    "to one side": lambda: cropped_mp4(width=160, height=200, x=40, y=-20),
    "matroska": lambda: remuxed(cropped_mp4(width=320, height=180), container="matroska"),
}


@pytest.mark.parametrize("kind", CROPPED)
def test_a_crop_of_the_container_is_applied_as_by_ffmpeg(kind: str) -> None:
    source = CROPPED[kind]()
    shown = with_ffmpeg(source, "-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-")
    width, height = struct.unpack(">II", shown[16:24])
    short_edge = min(width, height)
    made = made_of(source, short_edge=short_edge, crf=1)
    assert size_of(made) == (width, height)
    grey = with_ffmpeg(source, "-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
    mine = with_ffmpeg(made, "-frames:v", "1", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
    a, b = (np.frombuffer(raw, np.uint8)[: width * height].astype(int) for raw in (grey, mine))
    assert np.abs(a - b).mean() < 2


def test_a_clip_that_is_ready_but_for_its_crop_is_not_copied() -> None:
    ready = clip(size=(320, 240), frames=5, options={"preset": "veryfast"})
    assert outcome_of(ready, short_edge=240).status == "copied"
    assert outcome_of(with_clean_aperture(ready, 320, 180), short_edge=240).status == "resized"


def test_an_aperture_that_does_not_fit_is_none() -> None:
    assert size_of(made_of(cropped_mp4(width=640, height=180), short_edge=240)) == (320, 240)


def with_exif(container: str, orientation: int) -> bytes:
    """A clip of Motion JPEG whose pictures have EXIF, as cameras write them."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif

    def marked(packets):
        return [with_payload(p, bytes(p)[:2] + segment + bytes(p)[2:]) for p in packets]

    return clip(container, "mjpeg", (128, 96), frames=2, pix_fmt="yuvj420p", packets=marked)


@pytest.mark.parametrize("container", ["mov", "avi", "matroska", "mp4"])
@pytest.mark.parametrize("orientation", [0, 1, 6, 9])
def test_exif_in_a_picture_is_no_reason_to_fail(container: str, orientation: int) -> None:
    outcome = outcome_of(with_exif(container, orientation), short_edge=64)
    assert (outcome.status, outcome.facts.frames) == ("resized", 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_and_mirrored_by_their_exif_as_by_ffmpeg(orientation: int) -> None:
    source = with_exif("mov", orientation)
    made = made_of(source, short_edge=96, crf=1)
    assert difference_to_ffmpeg(source, made) < 1


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gray"])
def test_tiff_in_a_movie_is_no_reason_to_fail(pix_fmt: str) -> None:
    source = clip("mov", "tiff", (96, 64), frames=3, pix_fmt=pix_fmt)
    assert outcome_of(source, short_edge=64).status == "resized"


# The files of the reports themselves


@pytest.mark.skipif(not REPORTS.exists(), reason="no reports beside the project")
@pytest.mark.parametrize("name", ["hls_three_parts.mp4", "packed.avi", "clap.mp4"])
def test_a_reported_file_has_the_times_that_ffmpeg_shows(name: str) -> None:
    assert_times_of_ffmpeg((REPORTS / name).read_bytes())


@pytest.mark.skipif(not REPORTS.exists(), reason="no reports beside the project")
@pytest.mark.parametrize("name", ["camera_twos.mov", "pcm_7_1.mov", "flvreset.mp4"])
def test_a_reported_file_keeps_its_sound(name: str) -> None:
    source = (REPORTS / name).read_bytes()
    made = made_of(source, short_edge=64)
    with opened(made) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    ours, theirs = ffmpeg_sound(made), ffmpeg_sound(source)
    # A tenth of a second; the times of the FLV run into each other.
    assert len(ours) == pytest.approx(len(theirs), abs=800 if name.endswith(".mov") else 2400)
    assert loudness(ours) == pytest.approx(loudness(theirs), rel=ONE_DECIBEL)
