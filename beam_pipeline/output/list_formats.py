"""The list formats of trainers: how each is written, and how its trainer reads it.

The readers follow the trainers' sources, which their docstrings name. Every list is checked with
its reader, so a path that a trainer would misread is found before training.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from beam_pipeline.errors import InputError

SLOWFAST, FRAMES, TORCHVISION = "slowfast", "frames", "torchvision"
HUGGINGFACE, WEBDATASET = "huggingface", "webdataset"
PATH_AND_LABEL = (SLOWFAST, "pytorchvideo", "mmaction2", "videomae")
"""Text formats of a path and a label id a line."""


TEXT_FORMATS = (*PATH_AND_LABEL, "videomae-pretrain", FRAMES, "fiftyone")
LIST_FORMATS = (*TEXT_FORMATS, TORCHVISION, HUGGINGFACE, WEBDATASET)
"""All formats. The last three are no text: see ``link_classes.py``, ``huggingface.py`` and
``pack_webdataset.py``."""


class Entry(NamedTuple):
    """One clip of a list; ``label`` is None if it has none, ``frames`` if nobody has counted."""

    path: str
    label_id: int
    label: str | None = None
    clip_id: str = ""
    frames: int | None = None


def _path_and_label(entry: Entry) -> tuple[Any, ...]:
    return tuple(entry[:2])


@dataclass(frozen=True)
class ListFormat:
    """The list format of a trainer; ``name`` is its value of ``--list_format``.

    ``write`` turns entries into text, ``read`` parses text as the trainer does: to the values of
    each clip that ``seen`` gives. ``remedy`` says what to do about a path that the trainer would
    misread.
    """

    name: str
    trainer: str
    write: Callable[[Iterable[Entry]], str]
    read: Callable[[str], Iterable[tuple[Any, ...]]]
    remedy: str
    seen: Callable[[Entry], tuple[Any, ...]] = _path_and_label

    def misreads(self, text: str, entries: Iterable[Entry]) -> bool:
        """Whether the trainer would read other clips than these."""
        try:
            return list(self.read(text)) != [self.seen(entry) for entry in entries]
        except (ValueError, KeyError, csv.Error):  # the trainer would fail
            return True

    def check(self, path: str) -> None:
        """Raise InputError, which names the path, if the trainer would misread it."""
        entry = Entry(path, 0, frames=1)
        if self.misreads(self.write([entry]), [entry]):
            raise InputError(f"{self.trainer} would misread the path {path!r}: {self.remedy}")


def list_format(name: str, separator: str) -> ListFormat:
    """The list format of that name; ``separator`` applies where the trainer allows any."""
    match name:
        case "slowfast":
            return ListFormat(
                name,
                "SlowFast",
                lambda entries: _lines(entries, separator),
                lambda text: _read_slowfast(text, separator),
                f"it splits at every separator {separator!r}; type another --separator (and "
                "DATA.PATH_LABEL_SEPARATOR in its config), such as ','",
            )
        case "pytorchvideo":
            return ListFormat(
                name,
                "PyTorchVideo",
                lambda entries: _lines(entries, " "),
                _read_pytorchvideo,
                "it ends a path at a line break of any kind; rename the file",
            )
        case "mmaction2":
            return ListFormat(
                name,
                "mmaction2",
                lambda entries: _lines(entries, separator),
                lambda text: _read_mmaction2(text, separator),
                f"it splits at every separator {separator!r}; type another --separator (and "
                "delimiter in its config), such as ',', or --path_prefix '' (and data_prefix)",
            )
        case "videomae":
            return ListFormat(
                name,
                "VideoMAE",
                _write_quoted,
                _read_videomae,
                "it reads the list as a CSV table; rename the file",
            )
        case "videomae-pretrain":
            return ListFormat(
                name,
                "VideoMAEv2's pre-training",
                lambda entries: "".join(f"{entry[0]} 0 -1\n" for entry in entries),
                _read_pretraining,
                "it splits at every space; type another --output, or --path_prefix '' (and "
                "--data_root)",
                lambda entry: (entry.path, 0, -1),
            )
        case "frames":
            return ListFormat(
                name,
                "mmaction2's RawframeDataset",
                _frame_lines,
                _read_frames,
                "it splits at all white space; type another --output, or --path_prefix '' (and "
                "data_prefix)",
                lambda entry: (entry.path, entry.frames, entry.label_id),
            )
        case "fiftyone":
            return ListFormat(
                name,
                "FiftyOne",
                _write_fiftyone,
                _read_fiftyone,
                "it reads the list as a CSV table; rename the file",
                _seen_by_fiftyone,
            )
    raise ValueError(f"no list format {name!r}")


def _lines(entries: Iterable[Entry], separator: str) -> str:
    return "".join(f"{path}{separator}{label_id}\n" for path, label_id, *_ in entries)


def _frame_lines(entries: Iterable[Entry]) -> str:
    return "".join(f"{entry.path} {entry.frames} {entry.label_id}\n" for entry in entries)


def _write_quoted(entries: Iterable[Entry]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=" ", lineterminator="\n").writerows(map(_path_and_label, entries))
    return text.getvalue()


FIFTYONE_COLUMNS = ("filepath", "ground_truth", "label_id", "clip_id")
"""The header of FiftyOne's list; ``ground_truth`` is the name of the class."""


def _write_fiftyone(entries: Iterable[Entry]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIFTYONE_COLUMNS)
    for path, label_id, label, clip_id, *_ in entries:
        writer.writerow((path, label or "", label_id, clip_id))
    return text.getvalue()


def _read_slowfast(text: str, separator: str) -> Iterator[tuple[Any, ...]]:
    """``slowfast/datasets/kinetics.py``: splits everywhere; more than two parts misread or fail."""
    for line in text.splitlines():
        parts = line.split(separator)
        if len(parts) > 3:
            raise ValueError(line)
        yield parts[0], int(parts[-1]) if len(parts) > 1 else 0


def _read_pytorchvideo(text: str) -> Iterator[tuple[Any, ...]]:
    """``pytorchvideo/data/labeled_video_paths.py``: splits once, at the last white space."""
    for line in text.splitlines():
        parts = line.rsplit(None, 1)
        if len(parts) == 1:
            yield parts[0], -1
        else:
            path, label = parts
            yield path, int(label)


def _read_mmaction2(text: str, separator: str) -> Iterator[tuple[Any, ...]]:
    """``mmaction/datasets/video_dataset.py``: strips, splits everywhere, takes one or two parts."""
    for line in io.StringIO(text, newline=None):
        parts = line.rstrip("\n\r").strip().split(separator)
        if len(parts) == 1:
            yield parts[0], -1
        else:
            path, label = parts
            yield path, int(label)


def _read_videomae(text: str) -> Iterator[tuple[Any, ...]]:
    """VideoMAE's ``kinetics.py``: a space-separated CSV table with quotes, without a header."""
    for path, label in csv.reader(io.StringIO(text, newline=""), delimiter=" ", strict=True):
        yield path, int(label)


def _read_pretraining(text: str) -> Iterator[tuple[Any, ...]]:
    """VideoMAEv2's ``dataset/pretrain_datasets.py``: splits at every space, takes three parts."""
    for line in io.StringIO(text, newline=None):
        path, first, frames, *_ = line.split(" ")
        yield path, int(first), int(frames)


def _read_frames(text: str) -> Iterator[tuple[Any, ...]]:
    """``mmaction/datasets/rawframe_dataset.py``: splits at all white space, into three parts."""
    for line in io.StringIO(text, newline=None):
        path, frames, label = line.split()
        yield path, int(frames), int(label)


def _read_fiftyone(text: str) -> Iterator[tuple[Any, ...]]:
    """``CSVDatasetImporter`` in ``fiftyone/utils/csv.py``: a CSV table with a header.

    A later row of the same file replaces an earlier one. Empty values are left out.
    """
    for row in csv.DictReader(io.StringIO(text, newline=None)):
        yield tuple(row[name] for name in FIFTYONE_COLUMNS)


def _seen_by_fiftyone(entry: Entry) -> tuple[Any, ...]:
    return entry.path, entry.label or "", str(entry.label_id), entry.clip_id
