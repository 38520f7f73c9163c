"""Clips that broke off or are damaged: kept where nearly all is there, else failed."""

import random
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import pytest
from av.packet import Packet

from beam_pipeline.codec.outcome import Outcome
from tests.codec import codecs_of, difference_to_ffmpeg, outcome_of, times_of
from tests.make_clips import Sound, clip, cut, ffmpeg_shows, spoilt_picture, with_payload

FRONT = {"movflags": "+faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
LIVE = {"live": "1"}
SECONDS = 4


def four_seconds(container: str, codec: str = "libx264", **more: object) -> bytes:
    options = {"preset": "medium"} if codec == "libx264" else {}
    return clip(container, codec, (320, 240), SECONDS * 25, options=options, **more)


KINDS: dict[str, Callable[[], bytes]] = {
    "mp4": lambda: four_seconds("mp4", muxer=FRONT, sounds=[Sound(seconds=SECONDS)]),
    "mp4 without sound": lambda: four_seconds("mp4", muxer=FRONT),
    "mp4, sound long": lambda: four_seconds("mp4", muxer=FRONT, sounds=[Sound(seconds=12)]),
    "mp4, index last": lambda: four_seconds("mp4", sounds=[Sound(seconds=SECONDS)]),
    "fragments": lambda: four_seconds("mp4", muxer=FRAGMENTS),
    "fragments with sound": lambda: four_seconds(
        "mp4", muxer=FRAGMENTS, sounds=[Sound(seconds=SECONDS)]
    ),
    "mov": lambda: four_seconds("mov", muxer=FRONT),
    "mkv": lambda: four_seconds("matroska", sounds=[Sound(seconds=SECONDS)]),
    "mkv, sound long": lambda: four_seconds("matroska", sounds=[Sound(seconds=12)]),
    "webm": lambda: four_seconds("webm", "libvpx-vp9"),
    "live webm": lambda: four_seconds("webm", "libvpx-vp9", muxer=LIVE),
    "avi": lambda: four_seconds("avi", "mpeg4"),
    "ts": lambda: four_seconds("mpegts"),
    "mpeg": lambda: four_seconds("mpeg", "mpeg2video"),
}


@cache
def whole(kind: str) -> bytes:
    return KINDS[kind]()


def quick_outcome_of(clip: bytes) -> Outcome:
    """What becomes of a clip, at a size that takes no time."""
    return outcome_of(clip, short_edge=64, preset="ultrafast")


def told(outcome: Outcome) -> tuple[str, str | None]:
    return outcome.status, outcome.reason


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_of_each_is_kept_without_a_remark(kind: str) -> None:
    outcome = quick_outcome_of(whole(kind))
    assert told(outcome) == ("resized", None)
    assert (outcome.facts.frames, outcome.facts.decode_errors) == (SECONDS * 25, 0)
    assert outcome.detail is None


# Broken off


BROKEN_OFF = [
    (kind, share)
    for kind in ("mp4", "mp4 without sound", "mov", "fragments", "fragments with sound", "mkv",
                 "webm", "live webm", "avi")
    for share in (0.2, 0.5, 0.7)
]  # fmt: skip


@pytest.mark.parametrize(("kind", "share"), [*BROKEN_OFF, ("mkv, sound long", 0.5)])
def test_a_file_that_ends_early_is_truncated(kind: str, share: float) -> None:
    outcome = quick_outcome_of(cut(whole(kind), share))
    assert told(outcome) == ("failed", "truncated")
    assert outcome.output is None
    assert outcome.detail


@pytest.mark.parametrize("share", [0.95, 0.5, 0.05])
def test_an_mp4_that_lost_its_index_is_truncated(share: float) -> None:
    outcome = quick_outcome_of(cut(whole("mp4, index last"), share))
    assert told(outcome) == ("failed", "truncated")


def test_an_mp4_that_ends_inside_its_index_is_truncated() -> None:
    source = whole("mp4")
    outcome = quick_outcome_of(source[: source.index(b"moov") + 1000])
    assert told(outcome) == ("failed", "truncated")


@pytest.mark.parametrize("kind", ["mp4", "mp4 without sound", "mov", "avi"])
def test_a_file_of_which_nearly_all_is_there_is_kept_and_its_damage_counted(kind: str) -> None:
    outcome = quick_outcome_of(cut(whole(kind), 0.95))
    assert told(outcome) == ("resized", None)
    assert 90 <= outcome.facts.frames < 100
    assert outcome.facts.decode_errors > 0
    assert outcome.detail


@pytest.mark.parametrize("kind", ["mkv", "webm"])
def test_a_matroska_file_of_which_nearly_all_is_there_is_kept(kind: str) -> None:
    outcome = quick_outcome_of(cut(whole(kind), 0.95))
    assert told(outcome) == ("resized", None)
    assert outcome.detail


def test_sound_that_breaks_off_does_not_make_the_clip_truncated() -> None:
    outcome = quick_outcome_of(cut(whole("mp4, sound long"), 0.95))
    assert told(outcome) == ("resized", None)
    assert outcome.facts.frames == 100


def test_a_stream_that_declares_nothing_is_kept_as_far_as_it_goes() -> None:
    """A transport stream has no length, nor do its frames; those that are there count."""
    outcome = quick_outcome_of(cut(whole("ts"), 0.6))
    assert told(outcome) == ("resized", None)
    assert 50 <= outcome.facts.frames <= 70


def test_a_program_stream_that_ends_inside_a_frame_is_truncated() -> None:
    assert told(quick_outcome_of(cut(whole("mpeg"), 0.6))) == ("failed", "truncated")


def test_a_clip_s_end_is_judged_alike_whatever_clip_was_before() -> None:
    """A child works on thousands; FFmpeg's log keeps back a line that it has said before."""
    broken = cut(whole("mkv"), 0.5)
    assert [told(quick_outcome_of(broken)) for _ in range(3)] == [("failed", "truncated")] * 3
    assert quick_outcome_of(whole("mkv")).detail is None


def test_an_index_that_is_lost_is_judged_alike_whatever_clip_was_before() -> None:
    broken = cut(whole("mp4, index last"), 0.5)
    assert [quick_outcome_of(broken).reason for _ in range(3)] == ["truncated"] * 3


# Damage inside

CODECS = {
    "h264": ("mp4", "libx264"),
    "mpeg4": ("avi", "mpeg4"),
    "mpeg2": ("mpegts", "mpeg2video"),
    "h264 late in mp4": ("mp4", "libx264"),
    "h264 late in mkv": ("matroska", "libx264"),
}


@pytest.mark.parametrize("kind", CODECS)
def test_a_damaged_picture_is_counted_and_the_clip_kept(kind: str) -> None:
    start = Fraction(5) if "late" in kind else Fraction(0)
    source = clip(*CODECS[kind], packets=spoilt_picture(10), start=start)
    outcome = quick_outcome_of(source)
    assert told(outcome) == ("resized", None)
    assert outcome.facts.decode_errors > 0
    assert "decode error" in outcome.detail


def test_pictures_that_do_not_decode_are_left_out_as_ffmpeg_leaves_them_out() -> None:
    source = clip("mov", "mjpeg", pix_fmt="yuvj420p", packets=spoilt_picture(10))
    outcome = quick_outcome_of(source)
    assert outcome.facts.decode_errors == 1
    assert times_of(outcome.output) == [shown.time for shown in ffmpeg_shows(source)]


@pytest.mark.parametrize("kind", ["vp8", "vp9", "hevc"])
def test_damage_that_the_decoder_hides_costs_no_clip(kind: str) -> None:
    container, codec = {
        "vp8": ("webm", "libvpx"),
        "vp9": ("webm", "libvpx-vp9"),
        "hevc": ("mp4", "libx265"),
    }[kind]
    source = clip(container, codec, packets=spoilt_picture(10))
    outcome = quick_outcome_of(source)
    assert told(outcome) == ("resized", None)
    assert outcome.facts.frames == len(ffmpeg_shows(source))


def test_a_clip_none_of_whose_pictures_decodes_has_a_reason() -> None:
    def spoil_all(packets: list) -> list:
        for number in range(len(packets)):
            packets = spoilt_picture(number)(packets)
        return packets

    source = clip("mov", "png", (64, 48), 5, pix_fmt="rgb24", packets=spoil_all)
    assert quick_outcome_of(source).reason in ("undecodable", "truncated")


@pytest.mark.parametrize(
    "kind", ["mp4", "fragments with sound", "mkv", "webm", "avi", "ts", "mpeg"]
)
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_end_in_a_clip_or_a_reason(kind: str, seed: int) -> None:
    flipped = bytearray(whole(kind))
    dice = random.Random(seed)
    for _ in range(40):
        at = dice.randrange(len(flipped) // 10, len(flipped))
        flipped[at] ^= 1 << dice.randrange(8)
    outcome = quick_outcome_of(bytes(flipped))
    if outcome.status == "resized":
        assert "h264" in codecs_of(outcome.output)
        assert outcome.facts.frames == len(times_of(outcome.output))
    else:
        assert outcome.reason in ("truncated", "undecodable", "not_a_video", "too_large")
        assert outcome.detail


def test_the_undamaged_part_looks_as_ffmpeg_shows_it() -> None:
    source = cut(whole("mp4 without sound"), 0.95)
    outcome = outcome_of(source)
    assert len(times_of(outcome.output)) == len(ffmpeg_shows(source))
    assert difference_to_ffmpeg(source, outcome.output) < 3


PAUSES = [frame * (4 if frame < 30 else 20) for frame in range(60)]  # in hundredths of a second


def undecodable(count: int) -> Callable[[list[Packet]], list[Packet]]:
    """For ``packets``: some from the tenth on replaced by what no decoder takes."""

    def spoil(packets: list[Packet]) -> list[Packet]:
        for number in range(10, 10 + count):
            packets[number] = with_payload(packets[number], b"\xff" * packets[number].size)
        return packets

    return spoil


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize(("lost", "kept"), [(1, True), (40, False)])
def test_pauses_between_frames_are_not_missing_pictures(codec: str, lost: int, kept: bool) -> None:
    """Matroska states one duration for all frames: at a variable rate they do not add up."""
    source = clip(
        "matroska", codec, (64, 48), frames=60, times=PAUSES, tick=Fraction(1, 100),
        options={"g": "1"}, packets=undecodable(lost),
    )  # fmt: skip
    outcome = quick_outcome_of(source)
    assert outcome.facts.decode_errors == lost
    assert (outcome.status == "resized") == kept, outcome.detail
