"""The list formats of trainers: how each is written, and how its trainer reads it.

The readers follow the trainers' sources, which their docstrings name. Every list is checked with
its reader, so a path that a trainer would misread is found before training.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from beam_pipeline.errors import InputError

SLOWFAST, TORCHVISION, WEBDATASET = "slowfast", "torchvision", "webdataset"
TEXT_FORMATS = (SLOWFAST, "pytorchvideo", "mmaction2", "videomae")
LIST_FORMATS = (*TEXT_FORMATS, TORCHVISION, WEBDATASET)
"""All formats. The last two are no text: see ``link_classes.py`` and ``pack_webdataset.py``."""

Entry = tuple[str, int]
"""Path and label id of one clip."""


@dataclass(frozen=True)
class ListFormat:
    """The list format of a trainer; ``name`` is its value of ``--list_format``.

    ``write`` turns entries into text, ``read`` parses text as the trainer does. ``remedy`` says
    what to do about a path that the trainer would misread.
    """

    name: str
    trainer: str
    write: Callable[[Iterable[Entry]], str]
    read: Callable[[str], Iterable[Entry]]
    remedy: str

    def misreads(self, text: str, entries: list[Entry]) -> bool:
        """Whether the trainer would read other entries than these."""
        try:
            return list(self.read(text)) != entries
        except (ValueError, csv.Error):  # the trainer would fail
            return True

    def check(self, path: str) -> None:
        """Raise InputError, which names the path, if the trainer would misread it."""
        entry = (path, 0)
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
    raise ValueError(f"no list format {name!r}")


def _lines(entries: Iterable[Entry], separator: str) -> str:
    return "".join(f"{path}{separator}{label_id}\n" for path, label_id in entries)


def _write_quoted(entries: Iterable[Entry]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=" ", lineterminator="\n").writerows(entries)
    return text.getvalue()


def _read_slowfast(text: str, separator: str) -> Iterator[Entry]:
    """``slowfast/datasets/kinetics.py``: splits everywhere; more than two parts misread or fail."""
    for line in text.splitlines():
        parts = line.split(separator)
        if len(parts) > 3:
            raise ValueError(line)
        yield parts[0], int(parts[-1]) if len(parts) > 1 else 0


def _read_pytorchvideo(text: str) -> Iterator[Entry]:
    """``pytorchvideo/data/labeled_video_paths.py``: splits once, at the last white space."""
    for line in text.splitlines():
        parts = line.rsplit(None, 1)
        if len(parts) == 1:
            yield parts[0], -1
        else:
            path, label = parts
            yield path, int(label)


def _read_mmaction2(text: str, separator: str) -> Iterator[Entry]:
    """``mmaction/datasets/video_dataset.py``: strips, splits everywhere, takes one or two parts."""
    for line in io.StringIO(text, newline=None):
        parts = line.rstrip("\n\r").strip().split(separator)
        if len(parts) == 1:
            yield parts[0], -1
        else:
            path, label = parts
            yield path, int(label)


def _read_videomae(text: str) -> Iterator[Entry]:
    """VideoMAE's ``kinetics.py``: a space-separated CSV table with quotes, without a header."""
    for path, label in csv.reader(io.StringIO(text, newline=""), delimiter=" ", strict=True):
        yield path, int(label)
