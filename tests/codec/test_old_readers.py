"""What readers with an FFmpeg of 2020 make of the clips: the ffmpeg program 4.2, and decord."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from beam_pipeline.codec.outcome import Facts
from tests.codec import frames_of, made_of, outcome_of, pictures_of, size_of, times_of
from tests.codec.test_timing import RATES, at
from tests.make_clips import Sound, clip, ffmpeg_sound

PROGRAMS = sorted(Path(sys.prefix, "old-ffmpeg", "imageio_ffmpeg", "binaries").glob("ffmpeg-*"))

SOUNDS = ["aac", "libmp3lame", "ac3", "eac3", "flac", "libopus", "pcm_s16le"]

KINDS: dict[str, Callable[[], bytes]] = {
    **{f"{rate} fps": lambda rate=rate: at(rate, 30) for rate in RATES},
    "variable": lambda: clip(
        size=(96, 64), frames=8, times=[0, 1, 2, 10, 11, 12, 20, 21], tick=Fraction(1, 25)
    ),
}


def old_ffmpeg(*arguments: str | Path) -> bytes:
    command = [PROGRAMS[0], "-nostdin", "-v", "error", *arguments]
    ended = subprocess.run(command, capture_output=True, check=True)
    assert ended.stderr == b""
    return ended.stdout


Made = tuple[Path, Facts]
"""A clip, and what its row says of it."""

# Frames as they are, at times in the file's own ticks.
AS_THEY_ARE = ("-map", "0:v", "-vsync", "0", "-enc_time_base", "-1", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("made") / "made.mp4"
    outcome = outcome_of(KINDS[request.param](), short_edge=64)
    assert outcome.output is not None
    path.write_bytes(outcome.output)
    return path, outcome.facts


@pytest.mark.skipif(not PROGRAMS, reason="no old ffmpeg; type make test, which installs it")
def test_ffmpeg_4_2_shows_the_same_frames_at_the_same_times(made: Made) -> None:
    data = made[0].read_bytes()
    pictures = old_ffmpeg("-i", made[0], *AS_THEY_ARE, "-f", "rawvideo", "-")
    assert pictures == pictures_of(data).tobytes()
    told = old_ffmpeg("-i", made[0], *AS_THEY_ARE, "-f", "framemd5", "-").decode()
    tick = next(line.split()[-1] for line in told.splitlines() if line.startswith("#tb 0:"))
    times = [
        int(line.split(",")[2]) * Fraction(tick)
        for line in told.splitlines()
        if not line.startswith("#")
    ]
    assert [float(time) for time in times] == pytest.approx(
        [float(time) for time in times_of(data)], abs=float(Fraction(tick))
    )


@pytest.mark.skipif(not PROGRAMS, reason="no old ffmpeg; type make test, which installs it")
@pytest.mark.parametrize("codec", SOUNDS)
def test_ffmpeg_4_2_decodes_all_sound_as_loud_as_it_was(codec: str, tmp_path: Path) -> None:
    sound = Sound(codec, 48000, seconds=1)
    source = clip("matroska", size=(96, 64), frames=25, sounds=[sound])
    path = tmp_path / "made.mp4"
    path.write_bytes(made_of(source, short_edge=64))
    decoded = old_ffmpeg("-i", path, "-map", "0:a", "-ac", "1", "-ar", "8000", "-f", "f32le", "-")
    ours, theirs = np.frombuffer(decoded, np.float32), ffmpeg_sound(source)
    assert abs(len(ours) - len(theirs)) < 0.1 * 8000
    level = [20 * np.log10(np.sqrt(np.mean(np.square(each)))) for each in (ours, theirs)]
    assert abs(level[0] - level[1]) < 1


def test_decord_finds_count_rate_times_and_pictures(made: Made) -> None:
    decord = pytest.importorskip("decord", reason="decord has no wheel for this machine")
    path, facts = made
    data = path.read_bytes()
    frames, times = frames_of(data), times_of(data)
    video = decord.VideoReader(str(path), num_threads=1)
    assert len(video) == len(frames) == facts.frames
    assert video[0].shape == (*reversed(size_of(data)), 3)
    starts = [video.get_frame_timestamp(number)[0] for number in range(len(video))]
    assert starts == pytest.approx([float(time) for time in times], abs=0.001)
    assert video.get_avg_fps() == pytest.approx(facts.fps, rel=0.001)
    for number in (len(video) - 1, 0, len(video) // 2):
        expected = frames[number].to_ndarray(format="rgb24").astype(int)
        assert np.abs(video[number].asnumpy() - expected).mean() < 3
