"""What a resized clip is worth: likeness to its source, size, and how fast a trainer reads it."""

import random
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import av

WINDOW = 32
"""Frames that a training loader takes of a clip."""

WINDOWS = 12
"""Places in each clip that are read."""

# Not the scaler of any contender, and as exact as FFmpeg has one.
REFERENCE_SCALER = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"

_SSIM = re.compile(r"SSIM .*All:([0-9.]+)")


def ssim(ffmpeg: str, source: Path, result: Path) -> float | None:
    """Mean SSIM of a result against its source scaled without loss to the same size.

    Frames are compared by their number; None where a result has not as many as its source.
    """
    index, frames = _best_video(source)
    _, of_result = _best_video(result)
    if frames != of_result:
        return None
    with av.open(str(result)) as made:
        width, height = made.streams.video[0].width, made.streams.video[0].height
    numbered = "settb=1/1000,setpts=N*40"
    graph = (
        f"[0:{index}]scale={width}:{height}:flags={REFERENCE_SCALER}:out_range=limited,"
        f"format=yuv420p,setsar=1,{numbered}[reference];"
        f"[1:v]format=yuv420p,setsar=1,{numbered}[result];[result][reference]ssim"
    )
    ended = subprocess.run(
        [ffmpeg, "-nostdin", "-hide_banner", "-i", str(source),
         "-i", str(result), "-lavfi", graph, "-fps_mode", "passthrough",
         "-f", "null", "-"],
        capture_output=True, text=True, errors="replace", check=True,
    )  # fmt: skip
    found = _SSIM.search(ended.stderr)
    assert found is not None, ended.stderr
    return float(found[1])


def _best_video(path: Path) -> tuple[int, int]:
    """Index of the video stream that the ffmpeg command picks, and its number of frames."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        assert video is not None
        video.thread_count = 1
        return video.index, sum(1 for _ in container.decode(video))


def picture_bytes(path: Path) -> int:
    """Bytes of a clip's pictures alone: not every way keeps the sound."""
    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(video=0))


def mean_window_seconds(paths: Sequence[Path]) -> list[float]:
    """How long each of several forms of one clip takes to give a window, over many windows.

    The forms are read in turn at the same places, each the better of two times.
    """
    seconds = [0.0] * len(paths)
    for number in range(WINDOWS):
        place = random.Random(number).random()
        for index, path in enumerate(paths):
            seconds[index] += min(_window_seconds(path, place) for _ in range(2))
    return [total / WINDOWS for total in seconds]


def _window_seconds(path: Path, place: float) -> float:
    """Open a clip, seek to a window of frames and decode it in one thread."""
    began = time.perf_counter()
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_count = 1
        lasts = WINDOW / float(video.average_rate)
        start = place * max(0.0, float(video.duration * video.time_base) - lasts)
        container.seek(int(start / video.time_base), stream=video)
        left = WINDOW
        for frame in container.decode(video):
            left -= frame.time >= start
            if not left:
                break
    return time.perf_counter() - began
