"""Clips from the world, beside the project where they are there: ../shared/clips."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.codec import codecs_of, difference_to_ffmpeg, opened, outcome_of, size_of, times_of
from tests.make_clips import ffmpeg_shows

FOLDER = Path(__file__).parents[2].parent / "shared" / "clips"
CLIPS = sorted(
    path for path in FOLDER.glob("*") if path.suffix in (".mp4", ".mkv", ".mov", ".webm")
)
LONG = {"screencast_1920x1080.mp4", "cockatoo_1280x720.mp4"}
"""Their pictures are compared no further than by number and time: that would take minutes."""

FACTS = {
    # name: (how it ends, size, frames, with sound)
    "arm_wrestling_340x256.mp4": ("copied", (340, 256), None, None),
    "rotated90_568x320.mov": ("resized", (256, 454), None, None),
    "pancake_426x240.mkv": ("resized", (454, 256), None, True),
    "failing_audio_640x360.mp4": ("resized", (456, 256), 280, True),  # MP3 that others stumble on
    "odd_320x241_vp9.mp4": ("resized", (340, 256), None, None),
    "street_854x480.mp4": ("resized", (456, 256), 240, None),
}

pytestmark = pytest.mark.skipif(not CLIPS, reason="no real clips beside the project")


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
def test_frames_and_times_are_those_that_ffmpeg_shows(path: Path) -> None:
    source = path.read_bytes()
    shown = ffmpeg_shows(source)

    outcome = outcome_of(source, preset="ultrafast")

    assert outcome.output is not None, f"{outcome.reason}: {outcome.detail}"
    times = times_of(outcome.output)
    assert outcome.facts.frames == len(times) == len(shown)
    late = [abs(time - frame.time) for time, frame in zip(times, shown, strict=True)]
    assert max(late) < Fraction(1, 1000)
    assert min(size_of(outcome.output)) == 256
    assert max(size_of(outcome.output)) % 2 == 0
    assert codecs_of(outcome.output)[0] == "h264"
    if path.name not in LONG:
        assert difference_to_ffmpeg(source, outcome.output) < 4


@pytest.mark.parametrize("name", FACTS)
def test_what_is_known_of_each(name: str) -> None:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    status, size, frames, sound = FACTS[name]
    outcome = outcome_of(path.read_bytes(), preset="ultrafast")
    assert outcome.status == status
    assert size_of(outcome.output) == size
    assert frames is None or outcome.facts.frames == frames
    assert sound is None or outcome.facts.has_audio is sound


def test_the_corrupted_clip_keeps_its_count_of_errors() -> None:
    path = FOLDER / "corrupted_1280x720.mp4"
    if not path.exists():
        pytest.skip("it is not there")
    outcome = outcome_of(path.read_bytes(), preset="ultrafast")
    assert outcome.status == "resized" or outcome.reason == "truncated"
    assert outcome.facts.decode_errors > 0
    assert outcome.detail


def test_the_sample_aspect_ratio_of_a_kinetics_clip_is_kept() -> None:
    path = FOLDER / "arm_wrestling_340x256.mp4"
    if not path.exists():
        pytest.skip("it is not there")
    with opened(outcome_of(path.read_bytes()).output) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 51)
