"""The quality of a resized clip: SSIM, size, and how fast a trainer reads it."""

import random
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import av

WINDOW = 32
"""Frames that a training loader reads from a clip."""

WINDOWS = 12
"""Number of windows that are read from each clip, unless another is asked for."""

# FFmpeg's most exact scaler; no contender uses it.
REFERENCE_SCALER = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"

_SSIM = re.compile(r"SSIM .*All:([0-9.]+)")


def ssim(ffmpeg: str, source: Path, result: Path) -> float | None:
    """Mean SSIM of a result and its source, scaled losslessly to the same size.

    Frames are paired by index. None if the numbers of frames differ.
    """
    index, frames = _best_video(source)
    _, result_frames = _best_video(result)
    if frames != result_frames:
        return None
    with av.open(str(result)) as container:
        video = container.streams.video[0]
        width, height = video.width, video.height
    numbered = "settb=1/1000,setpts=N*40"
    graph = (
        f"[0:{index}]scale={width}:{height}:flags={REFERENCE_SCALER}:out_range=limited,"
        f"format=yuv420p,setsar=1,{numbered}[reference];"
        f"[1:v]format=yuv420p,setsar=1,{numbered}[result];[result][reference]ssim"
    )
    process = subprocess.run(
        [ffmpeg, "-nostdin", "-hide_banner", "-i", str(source),
         "-i", str(result), "-lavfi", graph, "-fps_mode", "passthrough",
         "-f", "null", "-"],
        capture_output=True, text=True, errors="replace", check=True,
    )  # fmt: skip
    match = _SSIM.search(process.stderr)
    assert match is not None, process.stderr
    return float(match[1])


def _best_video(path: Path) -> tuple[int, int]:
    """Index of the video stream that ffmpeg selects, and its number of frames."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        assert video is not None
        video.thread_count = 1
        return video.index, sum(1 for _ in container.decode(video))


def picture_bytes(path: Path) -> int:
    """Bytes of a clip's video stream only: not every tool keeps the sound."""
    with av.open(str(path)) as container:
        return sum(packet.size for packet in container.demux(video=0))


def mean_window_seconds(paths: Sequence[Path], windows: int = WINDOWS) -> list[float]:
    """Mean processor seconds to read a window from each version of one clip.

    The versions are read in turn at the same positions, each time the better of two reads.
    """
    seconds = [0.0] * len(paths)
    for number in range(windows):
        position = random.Random(number).random()
        for index, path in enumerate(paths):
            seconds[index] += min(_window_seconds(path, position) for _ in range(2))
    return [total / windows for total in seconds]


def _window_seconds(path: Path, position: float) -> float:
    """Processor seconds to open a clip, seek to a window and decode it; ``position`` is 0 to 1."""
    start_time = time.process_time()
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        video.thread_count = 1
        duration = WINDOW / float(video.average_rate)
        start = position * max(0.0, float(video.duration * video.time_base) - duration)
        container.seek(int(start / video.time_base), stream=video)
        remaining = WINDOW
        for frame in container.decode(video):
            remaining -= frame.time >= start
            if not remaining:
                break
    return time.process_time() - start_time
