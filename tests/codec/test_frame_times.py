"""Every decodable frame comes out, and when the source shows it."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import pytest

from tests.codec import frames_of, made_of, outcome_of, times_of
from tests.make_clips import Sound, clip, ffmpeg_shows, timed

UNEVEN = [0, 3, 4, 10, 30, 31, 32, 70, 71, 72, 73, 90]
B_FRAMES = {"preset": "medium"}
MILLISECOND = Fraction(1, 1000)
"""MP4's header tells a clip's start in these; a later start may be off by half of one."""

KINDS: dict[str, Callable[[], bytes]] = {
    "h264 mp4": lambda: clip(options=B_FRAMES),
    "h264 mkv": lambda: clip("matroska", options=B_FRAMES),
    "h264 ts": lambda: clip("mpegts", options=B_FRAMES),
    "hevc mp4": lambda: clip(codec="libx265"),
    "av1 mp4": lambda: clip(codec="libsvtav1"),
    "vp8 webm": lambda: clip("webm", "libvpx"),
    "vp9 webm": lambda: clip("webm", "libvpx-vp9"),
    "mpeg4 avi": lambda: clip("avi", "mpeg4"),
    "mpeg4 avi with b-frames": lambda: clip("avi", "mpeg4", options={"bf": "2"}),
    "mpeg2 ts": lambda: clip("mpegts", "mpeg2video", options={"bf": "2"}),
    "mpeg2 ps": lambda: clip("mpeg", "mpeg2video", options={"bf": "2"}),
    "flv": lambda: clip("flv", "flv"),
    "one frame a second": lambda: clip("avi", "mpeg4", frames=4, rate=1),
    "one frame": lambda: clip(frames=1),
    "fragments": lambda: clip(muxer={"movflags": "frag_keyframe+empty_moov"}),
    "no duration": lambda: clip("webm", "libvpx-vp9", muxer={"live": "1"}),
    "uneven mp4": lambda: clip(frames=12, times=UNEVEN, tick=Fraction(1, 90), options=B_FRAMES),
    "uneven mkv": lambda: clip("matroska", frames=12, times=UNEVEN, tick=Fraction(1, 90)),
    "uneven ts": lambda: clip("mpegts", frames=12, times=UNEVEN, tick=Fraction(1, 90)),
    "uneven nut": lambda: clip("nut", "mpeg4", frames=12, times=UNEVEN, tick=Fraction(1, 90)),
    "late mp4": lambda: clip(start=Fraction(5)),
    "late mkv": lambda: clip("matroska", start=Fraction(5)),
    "late ts": lambda: clip("mpegts", start=Fraction(5)),
    "picture after the sound": lambda: clip(start=Fraction(1, 5), sounds=[Sound()]),
    "picture before the sound": lambda: clip(sounds=[Sound(start=Fraction(1, 5))]),
    "ts with sound": lambda: clip("mpegts", options=B_FRAMES, sounds=[Sound()]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_is_shown_when_ffmpeg_shows_it(kind: str) -> None:
    source = KINDS[kind]()
    expected = [shown.time for shown in ffmpeg_shows(source)]
    assert expected, "the test's own clip shows nothing"

    made = times_of(made_of(source))

    assert len(made) == len(expected)
    assert all(
        abs(ours - theirs) < MILLISECOND for ours, theirs in zip(made, expected, strict=True)
    )


def test_uneven_times_are_kept_to_the_tick() -> None:
    source = clip("matroska", frames=12, times=UNEVEN, tick=Fraction(1, 90))

    rounded = [round(Fraction(time, 90) / MILLISECOND) * MILLISECOND for time in UNEVEN]
    assert times_of(made_of(source)) == rounded


def test_a_late_picture_stays_late_by_the_same_time() -> None:
    source = clip(start=Fraction(1, 5), sounds=[Sound(start=Fraction(0))])
    assert abs(times_of(made_of(source))[0] - Fraction(1, 5)) < MILLISECOND


def test_a_start_between_two_milliseconds_is_kept() -> None:
    source = clip("mpegts", options=B_FRAMES, sounds=[Sound()])
    expected = ffmpeg_shows(source)[0].time
    assert expected * 1000 % 1 != 0, "the test's own clip starts on a millisecond"
    assert abs(times_of(made_of(source))[0] - expected) < Fraction(1, 20_000)


@pytest.mark.parametrize(
    "pts",
    [
        pytest.param([20, 21, 22, 23, 19, 24, 18, 26, 17, 28, 29, 30], id="some go back"),
        pytest.param([40 - number for number in range(12)], id="all go back"),
        pytest.param([20, 20, 21, 21, 21, 22, 23, 24, 25, 26, 27, 28], id="some are repeated"),
        pytest.param([30] * 12, id="all are the same"),
    ],
)
def test_times_that_do_not_advance_lose_no_frame(pts: list[int]) -> None:
    source = timed("nut", pts)
    expected = [shown.time for shown in ffmpeg_shows(source)]

    made = times_of(made_of(source))

    assert len(made) == len(pts) == len(expected)
    assert all(earlier < later for earlier, later in pairwise(made))
    assert all(
        abs(ours - theirs) < MILLISECOND for ours, theirs in zip(made, expected, strict=True)
    )


def test_a_frame_whose_time_is_damaged_follows_the_one_before() -> None:
    """In a transport stream, which counts up to 26 hours; MP4 holds 6 of them at its rate."""
    pts = [number * 3600 for number in range(25)]
    pts[12] = 2**33 - 90_000
    source = clip("mpegts", times=pts, tick=Fraction(1, 90_000), options={"bf": "0"})
    made = times_of(made_of(source))
    assert len(made) == 25
    assert made[-1] - made[0] <= 1


def test_avi_without_presentation_times_plays_at_its_rate() -> None:
    source = clip("avi", options=B_FRAMES)  # H.264 that is reordered, and only dts to go by

    made = times_of(made_of(source))

    assert len(made) == 25
    steps = [later - earlier for earlier, later in pairwise(made)]
    assert max(steps) <= 3 * Fraction(1, 25)
    assert made[-1] - made[0] <= Fraction(25, 25)


def test_facts_tell_the_output_s_frames_rate_and_duration() -> None:
    facts = outcome_of(clip(frames=30, rate=15)).facts
    assert (facts.frames, facts.fps, facts.duration) == (30, 15.0, 2.0)
    assert (facts.source_fps, facts.source_duration) == (15.0, 2.0)


def test_a_header_without_a_duration_leaves_the_source_s_duration_unknown() -> None:
    facts = outcome_of(clip("webm", "libvpx-vp9", muxer={"live": "1"})).facts
    assert facts.source_duration is None
    assert facts.duration == 1.0


def test_keyframes_are_at_most_a_gop_apart() -> None:
    made = made_of(clip(frames=50), gop=8)

    keys = [number for number, frame in enumerate(frames_of(made)) if frame.key_frame]
    assert keys[0] == 0
    assert max(later - earlier for earlier, later in pairwise([*keys, 50])) <= 8


def test_the_source_s_keyframes_are_not_taken_over() -> None:
    every_one = clip("mov", "mjpeg", frames=24, pix_fmt="yuvj420p")
    keys = [frame.key_frame for frame in frames_of(made_of(every_one, gop=12))]
    assert sum(keys) < 8
