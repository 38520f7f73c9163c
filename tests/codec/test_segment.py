"""A clip is cut out of the whole video: start <= t < end, as ffmpeg -ss -t does it."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from tests.codec import (
    made_beep_time,
    made_of,
    outcome_of,
    pictures_of,
    size_of,
    steps,
    times_of,
)
from tests.make_clips import (
    Sound,
    clip,
    cut,
    ffmpeg_pictures,
    ffmpeg_shows,
    remuxed,
    spoilt_picture,
    with_ffmpeg,
)

START, END = 5, 8
RATE = 25
FRAMES = 12 * RATE
MILLISECOND = Fraction(1, 1000)
UNEVEN = [number * 4 + number % 3 for number in range(FRAMES)]  # in hundredths of a second


def video(container: str = "mp4", codec: str = "libx264", **changes) -> bytes:
    """Twelve seconds that are not a clip."""
    wanted: dict = {"size": (96, 64), "frames": FRAMES, "rate": RATE}
    return clip(container, codec, **(wanted | changes))


KINDS: dict[str, Callable[[], bytes]] = {
    "h264 with b-frames": lambda: video(options={"preset": "medium", "g": "50"}),
    "one keyframe": lambda: video(options={"preset": "medium", "g": "1000", "sc_threshold": "0"}),
    "open gop": lambda: video(options={"preset": "medium", "g": "50", "x264-params": "open-gop=1"}),
    "hevc": lambda: video(codec="libx265", options={"x265-params": "log-level=none:keyint=50"}),
    "av1": lambda: video(codec="libsvtav1"),
    "h264 mkv": lambda: video("matroska", options={"preset": "medium", "g": "50"}),
    "vp9 webm": lambda: video("webm", "libvpx-vp9", options={"g": "50"}),
    "without a duration": lambda: video("webm", "libvpx-vp9", muxer={"live": "1"}),
    "mpeg4 avi": lambda: video("avi", "mpeg4", options={"bf": "2"}),
    "h264 avi": lambda: video("avi", options={"preset": "medium", "g": "50"}),
    "mpeg2 ts": lambda: video("mpegts", "mpeg2video", options={"bf": "2"}),
    "h264 ts": lambda: video("mpegts", options={"preset": "medium", "g": "50"}),
    "fragments": lambda: video(muxer={"movflags": "frag_keyframe+empty_moov"}),
    "late ts": lambda: video("mpegts", start=Fraction(5)),
    "uneven": lambda: video(times=UNEVEN, tick=Fraction(1, 100)),
    "with sound": lambda: video(sounds=[Sound(seconds=12)]),
    "sound after the picture": lambda: remuxed(
        video(sounds=[Sound(seconds=12)]), options=["-max_interleave_delta", "1"]
    ),
}


def nearest(picture: np.ndarray, pictures: np.ndarray) -> int:
    return int(np.argmin([steps(picture, other) for other in pictures]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "h264 avi"])
def test_the_frames_are_those_of_the_segment(kind: str) -> None:
    """H.264 in AVI has no times of showing: where one starts to read moves it by a frame."""
    source = KINDS[kind]()
    shown = [frame.time for frame in ffmpeg_shows(source)]
    inside = [number for number, time in enumerate(shown) if START <= time < END]

    made = made_of(source, segment=(START, END), short_edge=64)

    times = times_of(made)
    assert len(times) == len(inside)
    for number, time in zip(inside, times, strict=True):
        assert abs(shown[number] - START - time) <= MILLISECOND
    pictures = pictures_of(made)
    theirs = ffmpeg_pictures(source, *size_of(made))
    assert nearest(pictures[0], theirs) == inside[0]
    assert nearest(pictures[-1], theirs) == inside[-1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.endswith(" ts")])
def test_ffmpeg_cuts_the_same_but_for_a_frame(kind: str) -> None:
    """In a transport stream ffmpeg itself starts late, at the next keyframe."""
    source = KINDS[kind]()
    made = made_of(source, segment=(START, END), short_edge=64)
    size = size_of(made)
    raw = with_ffmpeg(
        source, "-t", str(END - START), "-an", "-vf", f"scale={size[0]}:{size[1]}",
        "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-f", "rawvideo", "-",
        before=["-ss", str(START)],
    )  # fmt: skip
    theirs = np.frombuffer(raw, np.uint8).reshape(-1, size[0] * size[1] * 3 // 2)
    ours = pictures_of(made)
    whole = ffmpeg_pictures(source, *size)
    assert abs(nearest(ours[0], whole) - nearest(theirs[0], whole)) <= 1
    assert abs(nearest(ours[-1], whole) - nearest(theirs[-1], whole)) <= 1


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda sound: video(sounds=[sound]), id="copied"),
        pytest.param(lambda sound: video("matroska", sounds=[sound]), id="mkv"),
    ],
)
@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_the_sound_stays_with_the_picture(source: Callable[[Sound], bytes], codec: str) -> None:
    made = made_of(
        source(Sound(codec, 48000, seconds=12, beep=6.5)), segment=(START, END), short_edge=64
    )
    assert made_beep_time(made) == pytest.approx(1.5, abs=0.03)


def test_the_sound_is_cut_too() -> None:
    outcome = outcome_of(
        video(sounds=[Sound(seconds=12)]), segment=(START, END), short_edge=64, audio="keep"
    )
    assert outcome.facts.has_audio
    with_sound = with_ffmpeg(outcome.output, "-vn", "-ar", "8000", "-f", "f32le", "-")
    assert len(np.frombuffer(with_sound, np.float32)) / 8000 == pytest.approx(END - START, abs=0.1)


def test_facts_tell_of_the_clip_and_of_the_whole_video() -> None:
    facts = outcome_of(video(), segment=(START, END), short_edge=64).facts
    assert (facts.frames, facts.fps, facts.duration) == (75, 25.0, 3.0)
    assert (facts.source_fps, facts.source_duration) == (25.0, 12.0)
    assert facts.decode_errors == 0


@pytest.mark.parametrize("kind", ["one keyframe", "open gop", "hevc", "h264 ts", "h264 mkv"])
def test_starting_in_the_middle_is_no_damage(kind: str) -> None:
    outcome = outcome_of(KINDS[kind](), segment=(START, END), short_edge=64)
    assert outcome.detail is None
    assert outcome.facts.decode_errors == 0


def test_damage_in_the_segment_counts_and_that_elsewhere_does_not() -> None:
    def spoilt(number: int) -> bytes:
        every = {"preset": "ultrafast", "g": "25", "bf": "0", "sc_threshold": "0"}
        return video(options=every, packets=spoilt_picture(number))

    inside = outcome_of(spoilt(6 * RATE + 3), segment=(START, END), short_edge=64)
    assert inside.facts.decode_errors
    for elsewhere in (RATE, 11 * RATE):
        outcome = outcome_of(spoilt(elsewhere), segment=(START, END), short_edge=64)
        assert outcome.status == "resized"
        assert outcome.facts.decode_errors == 0


@pytest.mark.parametrize("length", [3, 4.9, 5.0])
def test_a_file_up_to_two_seconds_longer_is_the_clip(length: float) -> None:
    source = clip(size=(96, 64), frames=round(length * 10), rate=10)
    outcome = outcome_of(source, segment=(100, 103), short_edge=64)
    assert outcome.facts.frames == round(length * 10)


def test_a_video_that_ends_before_the_clip_begins_is_named() -> None:
    outcome = outcome_of(video(), segment=(20, 23), short_edge=64)
    assert (outcome.status, outcome.reason) == ("failed", "outside_video")
    assert outcome.detail == "the video lasts 12.00 s, the clip begins at 20.00 s"


def test_a_video_that_ends_within_the_clip_gives_what_there_is() -> None:
    outcome = outcome_of(video(), segment=(10, 18), short_edge=64)
    assert outcome.status == "resized"
    assert outcome.facts.duration == 2.0
    assert outcome.detail == "the video ends early: 2.00 s of 8.00 s"


def test_a_download_that_broke_off_before_the_clip_is_truncated() -> None:
    whole = video(muxer={"movflags": "faststart"})
    outcome = outcome_of(cut(whole, 0.3), segment=(START, END), short_edge=64)
    assert (outcome.status, outcome.reason) == ("failed", "truncated")
    assert outcome_of(cut(whole, 0.9), segment=(START, END), short_edge=64).status == "resized"


def test_a_clip_cut_out_is_never_copied() -> None:
    source = video(size=(96, 64), options={"preset": "veryfast"})
    assert outcome_of(source, short_edge=64).status == "copied"
    assert outcome_of(source, segment=(START, END), short_edge=64).status == "resized"


def test_a_clip_at_the_front_of_its_video_is_cut() -> None:
    times = times_of(made_of(video(), segment=(0, 3), short_edge=64))
    assert (times[0], len(times)) == (0, 75)


def test_the_same_bytes_every_time() -> None:
    source = video(sounds=[Sound(seconds=12)])
    assert made_of(source, segment=(START, END)) == made_of(source, segment=(START, END))
