"""--fps: a frame every 1/fps seconds from 0 on, the one that ffmpeg's fps filter shows there."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.codec.timestamps import ConstantRate
from tests.codec import made_beep_time, made_of, outcome_of, pictures_of, size_of, steps, times_of
from tests.make_clips import Sound, clip, with_ffmpeg

UNEVEN = [0, 3, 4, 10, 30, 31, 32, 70, 71, 72, 73, 90]
NTSC = Fraction(30000, 1001)

KINDS: dict[str, Callable[[], bytes]] = {
    "25 a second": lambda: clip(size=(96, 64), frames=40),
    "60 a second": lambda: clip(size=(96, 64), frames=60, rate=60),
    "10 a second": lambda: clip(size=(96, 64), frames=12, rate=10),
    "uneven": lambda: clip(
        "matroska", size=(96, 64), frames=12, times=UNEVEN, tick=Fraction(1, 90)
    ),
    "late": lambda: clip(size=(96, 64), start=Fraction(3, 10), sounds=[Sound()]),
    "two frames": lambda: clip(size=(96, 64), frames=2),
}


def ffmpeg_at(source: bytes, fps: Fraction, size: tuple[int, int]) -> np.ndarray:
    raw = with_ffmpeg(
        source, "-an", "-vf", f"fps={fps}:start_time=0,scale={size[0]}:{size[1]}",
        "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "-f", "rawvideo", "-",
    )  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(-1, size[0] * size[1] * 3 // 2)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(25), Fraction(10), NTSC], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_frames_are_those_of_ffmpeg_s_fps_filter(kind: str, fps: Fraction) -> None:
    source = KINDS[kind]()
    made = made_of(source, fps=fps, short_edge=64, crf=5)
    ours, theirs = pictures_of(made), ffmpeg_at(source, fps, size_of(made))
    assert len(ours) == len(theirs)
    assert max(steps(*pair) for pair in zip(ours, theirs, strict=True)) < 5


def test_a_late_clip_begins_at_0_as_the_ffmpeg_command_has_it() -> None:
    source = KINDS["late"]()
    facts = outcome_of(source, fps=Fraction(25), short_edge=64).facts
    theirs = with_ffmpeg(source, "-an", "-r", "25", "-f", "framecrc", "-").decode()
    assert facts.frames == sum(not line.startswith("#") for line in theirs.splitlines())
    assert facts.start == 0


def test_a_late_clip_at_that_rate_already_is_not_copied() -> None:
    late = clip(size=(96, 64), start=Fraction(1, 5), sounds=[Sound()], options={"preset": "fast"})
    assert outcome_of(late, fps=Fraction(25), short_edge=64).status == "resized"
    assert outcome_of(late, short_edge=64).status == "copied"


def test_a_clip_that_is_shorter_than_a_step_is_still_a_clip() -> None:
    assert outcome_of(clip(size=(96, 64), frames=1), fps=Fraction(10)).facts.frames == 1


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(12), NTSC, Fraction(240)], ids=str)
def test_frames_are_evenly_apart(fps: Fraction) -> None:
    gaps = {
        later - earlier
        for earlier, later in pairwise(times_of(made_of(KINDS["uneven"](), fps=fps)))
    }
    assert all(abs(gap - 1 / fps) < Fraction(1, 10_000) for gap in gaps)


def test_facts_tell_the_constant_rate() -> None:
    facts = outcome_of(KINDS["25 a second"](), fps=Fraction(10), short_edge=64).facts
    assert (facts.frames, facts.fps, facts.duration) == (16, 10.0, 1.6)
    assert facts.source_fps == 25.0


def test_the_sound_stays_with_the_picture() -> None:
    source = clip(size=(96, 64), frames=75, sounds=[Sound(seconds=3, beep=2.0)])
    assert made_beep_time(made_of(source, fps=Fraction(10))) == pytest.approx(2, abs=0.03)


def test_a_clip_at_that_rate_already_is_copied_and_no_other() -> None:
    right = {"size": (96, 64), "options": {"preset": "veryfast"}}
    at_30 = clip(frames=60, rate=30, **right)
    assert outcome_of(at_30, fps=Fraction(30), short_edge=64).status == "copied"
    assert outcome_of(at_30, fps=Fraction(15), short_edge=64).status == "resized"
    assert outcome_of(at_30, fps=NTSC, short_edge=64).status == "resized"
    uneven = clip(frames=12, times=UNEVEN, tick=Fraction(1, 90), **right)
    assert outcome_of(uneven, fps=Fraction(15), short_edge=64).status == "resized"


def test_a_segment_comes_at_a_constant_rate_too() -> None:
    video = clip(size=(96, 64), frames=250)
    facts = outcome_of(video, segment=(3, 6), fps=Fraction(10), short_edge=64).facts
    assert (facts.frames, facts.duration) == (30, 3.0)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=30, unique=True), st.integers(1, 60))
def test_every_step_shows_one_frame(times: list[int], fps: int) -> None:
    times.sort()
    rate = ConstantRate(Fraction(fps), Fraction(1, 1000))
    shown = [at for time in times for at in rate.next(time)] + rate.finish(times[-1] + 1)
    assert rate.shown == len(shown) >= 1
    assert all(begin + lasts == after for (begin, lasts), (after, _) in pairwise(shown))
