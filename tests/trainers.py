"""How trainers read list files, each after its own rule (see the facts on Kinetics' formats).

None of them can be installed here; what counts is how they take a line apart. Each function
gives what the trainer would open and the class it would believe in, and raises where it would.
"""

import csv
from dataclasses import dataclass
from pathlib import Path


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
    """VideoMAE reads a table with pandas: quotes count, and all rows have as many columns."""
    with file.open(newline="") as text:
        rows = list(csv.reader(text, delimiter=delimiter))
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows of several lengths")
    return [Sample(row[0], int(row[1])) for row in rows]
