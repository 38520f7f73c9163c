"""Processor time of training loaders that read clips as they are in an output, as JSON.

    READERS_PYTHON benchmarks/read_time.py FOLDER FOLDER ...

Each folder has the same clips, made in another way. Every reader opens a file, reads one sample in
one thread and gives RGB: so many frames at such a stride, from a random position. This file needs
PyAV, decord and torchcodec, and nothing of this project; ``benchmarks/reads.py`` runs it.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import decord
import numpy as np
import torch
from torchcodec.decoders import VideoDecoder

SAMPLINGS = ((8, 8), (16, 4), (32, 2), (32, 1))
"""Frames and stride: those of SlowFast's and mmaction2's models, and 32 neighbours."""

POSITIONS = 6
"""Samples that are read of each clip."""

Read = Callable[[str, Sequence[int]], object]


def with_decord(path: str, indices: Sequence[int]) -> object:
    """As VideoMAE and mmaction2 do."""
    return decord.VideoReader(path, num_threads=1).get_batch(list(indices)).asnumpy()


def with_torchcodec_exact(path: str, indices: Sequence[int]) -> object:
    """In the mode that looks at every packet before it reads."""
    decoder = VideoDecoder(path, num_ffmpeg_threads=1)
    return decoder.get_frames_at(list(indices)).data


def with_torchcodec_approximate(path: str, indices: Sequence[int]) -> object:
    """In the mode that computes where a frame lies from the average rate."""
    decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="approximate")
    return decoder.get_frames_at(list(indices)).data


def with_pyav(path: str, indices: Sequence[int]) -> object:
    """As SlowFast does: seek before the first frame, decode up to the last, keep those wanted."""
    with av.open(path) as container:
        video = container.streams.video[0]
        video.thread_count = 1
        rate = float(video.average_rate)
        first, last = indices[0] / rate, indices[-1] / rate
        container.seek(int(first / video.time_base), stream=video)
        frames = []
        for frame in container.decode(video):
            if frame.time >= first - 0.5 / rate:
                frames.append(frame)
            if frame.time >= last - 0.5 / rate:
                break
        step = (len(frames) - 1) / max(len(indices) - 1, 1)
        chosen = [frames[round(number * step)] for number in range(len(indices))]
        return np.stack([frame.to_ndarray(format="rgb24") for frame in chosen])


READERS: dict[str, Read] = {
    "decord": with_decord,
    "torchcodec, exact": with_torchcodec_exact,
    "torchcodec, approximate": with_torchcodec_approximate,
    "PyAV": with_pyav,
}


def seconds(read: Read, path: Path, frames: int, stride: int) -> float:
    """Mean processor seconds of a sample, each the better of two reads."""
    with av.open(str(path)) as container:
        count = container.streams.video[0].frames
    span = min((frames - 1) * stride, count - 1)
    total = 0.0
    for number in range(POSITIONS):
        first = int(random.Random(number).random() * (count - span))
        indices = np.linspace(first, first + span, frames).astype(int).tolist()
        times = []
        for _ in range(2):
            began = time.process_time()
            read(str(path), indices)
            times.append(time.process_time() - began)
        total += min(times)
    return total / POSITIONS


def main(folders: Sequence[str]) -> None:
    """Print the seconds of every reader, sampling and folder, over all clips."""
    torch.set_num_threads(1)
    names = sorted(os.listdir(folders[0]))
    found = [
        {
            "reader": reader, "sampling": f"{frames}x{stride}",
            # Of one clip all versions are read in turn.
            "seconds": np.sum([
                [seconds(read, Path(folder) / name, frames, stride) for folder in folders]
                for name in names
            ], axis=0).tolist(),
        }
        for reader, read in READERS.items()
        for frames, stride in SAMPLINGS
    ]  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
