"""Reads clips with one reader and writes down what it says: ``read.py READER REQUEST ANSWER``.

It runs in the readers' environment and imports nothing of the project. The request is a JSON list
of clips, each with ``path`` and ``middles``: for every frame a time in seconds while it is shown.
The answer has, in the same order, a reading of each clip. The readers in ``SAMPLES`` are asked
for the samples of a data set instead.

A reading has

- ``frames``, ``fps``, ``duration`` (seconds), each as the reader says it, or null if it does not,
- ``asked``: the indices of the frames that the reader is asked for,
- ``times``: the time in seconds that the reader gives to the frame that it shows for each of
  them, null if it refuses to show one; null in all if the reader does not speak of times,
- ``distances``: how far each of these frames is from PyAV's frame of that index, as the mean of
  all samples' distances in steps of 8 bits.
"""

import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import numpy as np

Clip = dict[str, Any]
Reading = dict[str, Any]
SOUGHT = 25
"""About how many frames of a clip are asked for by index."""

Frame = tuple[float | None, "np.ndarray | None"]
"""When a reader says that a frame begins, and its picture: rows, columns, RGB."""

THREADS = 1
"""The order in which threads end decides nothing here, but a busy machine has no more to give."""


def pictures_of(path: str) -> list[np.ndarray]:
    """PyAV's pictures, by index."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def reading(
    clip: Clip, frames: int, fps: float | None, duration: float | None, shown: Iterable[Frame],
    asked: Sequence[int] | None = None,
) -> Reading:  # fmt: skip
    """What a reader says of a clip, its pictures held against PyAV's."""
    pictures = pictures_of(clip["path"])
    asked = range(len(pictures)) if asked is None else asked
    times, distances = [], []
    for index, (time, picture) in zip(asked, shown, strict=False):
        times.append(time)
        distances.append(math.inf if picture is None else distance(picture, pictures[index]))
    known = {"frames": frames, "fps": fps, "duration": duration}
    return {**known, "asked": list(asked), "times": times, "distances": distances}


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The mean distance of two pictures' samples; infinite between two sizes."""
    if one.shape != other.shape:
        return math.inf
    return float(np.abs(one.astype(np.int16) - other).mean())


# The readers of one clip


def read_pyav(clip: Clip) -> Reading:
    with av.open(clip["path"]) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        shown = ((float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in decoded)
        duration = float(stream.duration * stream.time_base)
        return reading(clip, len(decoded), float(stream.average_rate), duration, shown)


def read_torchcodec(clip: Clip, seek_mode: str) -> Reading:
    """The frames that are shown at the times of ``middles``."""
    decoder = torchcodec_decoder(clip, seek_mode)
    shown = (frame_or_none(decoder.get_frame_played_at, middle) for middle in clip["middles"])
    said = decoder.metadata
    return reading(clip, len(decoder), said.average_fps, said.duration_seconds, shown)


def read_torchcodec_by_index(clip: Clip, seek_mode: str) -> Reading:
    """Frames by index, from the last to the first, so that each has to be sought."""
    decoder = torchcodec_decoder(clip, seek_mode)
    asked = sorted(range(0, len(decoder), max(1, len(decoder) // SOUGHT)), reverse=True)
    shown = (frame_or_none(decoder.get_frame_at, index) for index in asked)
    said = decoder.metadata
    return reading(clip, len(decoder), said.average_fps, said.duration_seconds, shown, asked)


def torchcodec_decoder(clip: Clip, seek_mode: str) -> Any:
    from torchcodec.decoders import VideoDecoder

    return VideoDecoder(
        clip["path"], seek_mode=seek_mode, dimension_order="NHWC", num_ffmpeg_threads=THREADS
    )


def frame_or_none(get: Callable[[Any], Any], at: float) -> Frame:
    """The frame at a time or index; none if the decoder takes it to be outside of the clip."""
    try:
        frame = get(at)
    except (IndexError, RuntimeError):
        return None, None
    return frame.pts_seconds, frame.data.numpy()


def read_decord(clip: Clip) -> Reading:
    """decord has no question by time: it is asked when the frame of each index begins."""
    import decord

    video = decord.VideoReader(clip["path"], num_threads=THREADS)
    intervals = video.get_frame_timestamp(list(range(len(video))))
    shown = ((float(intervals[i, 0]), video[i].asnumpy()) for i in range(len(video)))
    duration = float(intervals[-1, 1] - intervals[0, 0])
    return reading(clip, len(video), video.get_avg_fps(), duration, shown)


def read_torchvision(clip: Clip) -> Reading:
    """``read_video`` gives the pictures, ``read_video_timestamps`` their times."""
    from torchvision.io import read_video, read_video_timestamps

    pictures, _, said = read_video(clip["path"], pts_unit="sec")
    times, fps = read_video_timestamps(clip["path"], pts_unit="sec")
    assert len(pictures) == len(times)
    assert said["video_fps"] == fps
    shown = ((float(time), picture.numpy()) for time, picture in zip(times, pictures, strict=True))
    return reading(clip, len(pictures), float(fps), None, shown)


def read_pytorchvideo(clip: Clip) -> Reading:
    """PyTorchVideo gives a clip's whole length as one window, without times."""
    from pytorchvideo.data.encoded_video import EncodedVideo

    video = EncodedVideo.from_path(clip["path"], decode_audio=False)
    pictures = video.get_clip(0, video.duration)["video"].permute(1, 2, 3, 0).byte().numpy()
    shown = ((None, picture) for picture in pictures)
    return {
        **reading(clip, len(pictures), None, float(video.duration), shown),
        "times": None,
    }


READERS: dict[str, Callable[[Clip], Reading]] = {
    "PyAV": read_pyav,
    "torchcodec exact": lambda clip: read_torchcodec(clip, "exact"),
    "torchcodec exact, by index": lambda clip: read_torchcodec_by_index(clip, "exact"),
    "torchcodec approximate": lambda clip: read_torchcodec(clip, "approximate"),
    "torchcodec approximate, by index": lambda clip: read_torchcodec_by_index(clip, "approximate"),
    "decord": read_decord,
    "torchvision": read_torchvision,
    "PyTorchVideo": read_pytorchvideo,
}


# The readers of a data set: samples as (label, frames, name), where a reader gives them


def samples_of_videofolder(request: dict[str, str]) -> Any:
    """The class names, in the order of their ids, and the samples of a folder of class folders."""
    from datasets import load_dataset

    read = load_dataset(
        "videofolder", data_dir=request["folder"], split="train", cache_dir=request["cache"]
    )
    samples = [[row["label"], len(row["video"])] for row in read]
    return {"classes": read.features["label"].names, "samples": samples}


def samples_of_torchvision(request: dict[str, Any]) -> Any:
    """The samples are windows: ``window`` frames, and the next begins where one ends."""
    from torchvision.datasets import Kinetics

    window = request["window"]
    read = Kinetics(
        request["folder"], window, split="train", step_between_clips=window, num_workers=0
    )
    samples = [[label, len(video)] for video, _, label in (read[i] for i in range(len(read)))]
    return {"classes": read.classes, "samples": samples}


def samples_of_pytorchvideo(request: dict[str, Any]) -> Any:
    """One window for each clip, of ``seconds``."""
    from pytorchvideo.data import Kinetics, make_clip_sampler
    from torch.utils.data import SequentialSampler

    read = Kinetics(
        request["list"], make_clip_sampler("constant_clips_per_video", request["seconds"], 1),
        video_sampler=SequentialSampler, decode_audio=False,
    )  # fmt: skip
    samples = [[row["label"], row["video"].shape[1], row["video_name"]] for row in read]
    return {"samples": samples}


def samples_of_huggingface(request: dict[str, str]) -> Any:
    """The class names, in the order of their ids, and the samples of each split of our list."""
    from datasets import load_dataset

    read = load_dataset(request["folder"], cache_dir=request["cache"])
    classes = {tuple(split.features["label"].names) for split in read.values()}
    samples = {
        name: [[row["label"], len(row["video"]), row["clip_id"]] for row in split]
        for name, split in read.items()
    }
    return {"classes": [list(names) for names in classes], "samples": samples}


def samples_of_fiftyone(request: dict[str, str]) -> Any:
    """What FiftyOne's importer makes of our list; the data set itself needs a running MongoDB."""
    import fiftyone as fo
    from fiftyone.utils.csv import CSVDatasetImporter

    importer = CSVDatasetImporter(
        dataset_dir=request["folder"], data_path=".", labels_path=request["list"],
        fields={
            "ground_truth": lambda name: fo.Classification(label=name), "label_id": int,
            "clip_id": None,
        },
    )  # fmt: skip
    with importer:
        return [
            {"path": each.filepath, "kind": each.media_type, "clip_id": each["clip_id"],
             "label_id": each["label_id"],
             "label": each["ground_truth"].label if "ground_truth" in each else None}
            for each in importer
        ]  # fmt: skip


SAMPLES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "videofolder": samples_of_videofolder,
    "huggingface": samples_of_huggingface,
    "fiftyone": samples_of_fiftyone,
    "torchvision.Kinetics": samples_of_torchvision,
    "pytorchvideo.Kinetics": samples_of_pytorchvideo,
}

PACKAGES = ("torchcodec", "decord", "av", "torchvision", "pytorchvideo", "datasets", "fiftyone")


def answer(reader: str, request: Any) -> Any:
    if reader == "versions":
        return {package: version(package) for package in PACKAGES}
    if reader in SAMPLES:
        return SAMPLES[reader](request)
    return [READERS[reader](clip) for clip in request]


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    reader, request, answered = sys.argv[1:]
    said = answer(reader, json.loads(Path(request).read_text()))
    Path(answered).write_text(json.dumps(said))
