"""How trainers read list files, each after its own rule (see the facts on Kinetics' formats).

None of them can be installed here; what counts is how they take a line apart. Each function
gives what the trainer would open and the class it would believe in, and raises where it would.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Sample:
    """What a trainer takes a line for."""

    path: str
    label: int


def slowfast(file: Path, separator: str = " ") -> list[Sample]:
    """SlowFast cuts at every PATH_LABEL_SEPARATOR; two parts, or it goes wrong, often silently.

    One part counts as a path of class 0, and of three parts the middle one is lost.
    """
    samples = []
    for line in file.read_text().splitlines():
        parts = line.split(separator)
        if len(parts) > 3:
            raise RuntimeError(f"cannot take apart {line!r}")
        samples.append(Sample(parts[0], int(parts[-1]) if len(parts) > 1 else 0))
    return samples


def pytorchvideo(file: Path) -> list[Sample]:
    """PyTorchVideo cuts once, at the last white space."""
    samples = []
    for line in file.read_text().split("\n")[:-1]:
        path, label = line.rsplit(None, 1)
        samples.append(Sample(path, int(label)))
    return samples


def mmaction2(file: Path, data_prefix: str = "", delimiter: str = " ") -> list[Sample]:
    """mmaction2 strips the line, cuts at every delimiter, and puts data_prefix in front."""
    samples = []
    for line in file.open():
        path, label = line.strip().split(delimiter)
        samples.append(Sample(f"{data_prefix}/{path}" if data_prefix else path, int(label)))
    return samples


def videomae(file: Path, delimiter: str = " ") -> list[Sample]:
    """VideoMAE reads a table with pandas: its first column and its second."""
    table = pd.read_csv(file, header=None, delimiter=delimiter)
    return [Sample(path, int(label)) for path, label in table.values]


def videomae_pretraining(file: Path, root: str = "") -> list[tuple[str, int, int]]:
    """VideoMAEv2's pre-training cuts at every space: path, first frame, frames (-1 in a video)."""
    samples = []
    for line in file.open().readlines():
        parts = line.split(" ")
        samples.append((os.path.join(root, parts[0]), int(parts[1]), int(parts[2])))
    return samples


def raw_frames(file: Path) -> list[tuple[str, int, int]]:
    """mmaction2's RawframeDataset cuts a line at all white space."""
    samples = []
    for line in file.open():
        path, frames, *labels = line.strip().split()
        (label,) = labels
        samples.append((path, int(frames), int(label)))
    return samples


def fiftyone(file: Path) -> list[dict[str, str]]:
    """FiftyOne's CSVDataset: a row a sample, the media by ``filepath``; empty values are left out.

    Of several rows for one file the last is taken. The samples are sorted by file.
    """
    with file.open() as text:
        rows = {row["filepath"]: row for row in csv.DictReader(text)}
    return [{key: value for key, value in rows[path].items() if value} for path in sorted(rows)]


def torchvision(root: Path, split: str) -> list[Sample]:
    """torchvision lists root/split/class/…; a class's id is its folder's place among the sorted.

    A class folder without a video is an error.
    """
    samples = []
    classes = sorted(entry.name for entry in os.scandir(root / split) if entry.is_dir())
    for label, name in enumerate(classes):
        videos = [
            os.path.join(folder, file)
            for folder, _, files in sorted(os.walk(root / split / name, followlinks=True))
            for file in sorted(files)
            if file.lower().endswith(("avi", "mp4"))
        ]
        if not videos:
            raise FileNotFoundError(name)
        samples += [Sample(path, label) for path in videos]
    return samples
