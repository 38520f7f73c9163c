"""Parse annotation files: official JSON, CSV, and listings of class folders.

The format is detected from the content of a file, not from its name.
"""

import csv
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TextIO

from beam_pipeline.annotations.json_entries import read_entries
from beam_pipeline.annotations.text import Lines, open_text
from beam_pipeline.elements import Annotation, Split
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.splits import SPLIT_WORDS, split_named_by
from beam_pipeline.output.csv_fields import from_text

REQUIRED_COLUMNS = ("youtube_id", "time_start", "time_end")
"""Columns of every CSV; ``label``, ``split`` and ``is_cc`` are optional."""


_CLIP_ID = re.compile(r"(.+)_(\d{6,})_(\d{6,})")
"""The name of a clip in a folder listing."""


HEAD = 64 * 1024
"""Characters that tell the format."""

_SEPARATORS = ",;\t"
_STATED_SEPARATOR = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)

_TRAINER_LINE = re.compile(r"\S.*\.\w{2,4}[ ,;\t]+(\d+[ ,;\t]+)?-?\d+")
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_CLASS_NAME = re.compile(r"[A-Za-z][A-Za-z()' /-]*")

# An id becomes a file name and part of a path in a list.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]|^\.")


_MAX_ID_BYTES = 200

SplitOf = Callable[[str, int, Any], Split | None]
"""Gives the split of an entry from its file, its line and what it states."""


# JSON can contain half of a surrogate pair, which cannot be in a file name or a list.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse(rank: int, path: str, file: BinaryIO, with_splits: bool = True) -> Iterator[Annotation]:
    """Parse an annotation file, row by row.

    Args:
        rank: position of the argument that named the file. If two annotations of a clip
            disagree on its split, the clip is counted in the split of the lower rank.
        path: for messages, and for the split of rows that state none.
        file: UTF-8, or UTF-16 with a byte order mark; seekable.
        with_splits: whether splits count. If not, all are None, and need not be stated.

    Raises:
        InputError: the format is unknown, or a row cannot be read; names file and line.
    """
    text = open_text(path, file)
    head = text.read(HEAD)
    text.seek(0)
    split_of = _split if with_splits else _no_split
    if head.lstrip().startswith("{"):
        return _parse_json(rank, path, text, split_of)
    if head.lstrip().partition("\n")[0].rstrip().endswith(":"):
        return _parse_listing(rank, path, text, split_of)
    return _parse_csv(rank, path, text, head, split_of)


def _parse_csv(
    rank: int, path: str, text: TextIO, head: str, split_of: SplitOf
) -> Iterator[Annotation]:
    separator, is_stated = _separator_of(head)
    if is_stated:
        text.readline()
    lines = Lines(path, text)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header = _columns(next(reader, []))
        while header == [] or not any(header):
            lines.done = reader.line_num
            header = _columns(next(reader))
        if not set(REQUIRED_COLUMNS) <= set(header):
            raise InputError(f"{path} line 1: {_describe(head)}")
        lines.done = reader.line_num
        for values in reader:
            line = lines.done = reader.line_num
            if not "".join(values).strip():
                continue  # spreadsheets leave rows of separators
            if len(values) != len(header):
                raise InputError(
                    f"{path} line {line}: {len(values)} values, but {len(header)} "
                    "columns in the header; put a label that has a comma in double quotes"
                )
            row = dict(zip(header, values, strict=True))
            yield _annotation(
                (rank, path, line, 0),
                row["youtube_id"],
                row["time_start"],
                row["time_end"],
                row.get("label"),
                split_of(path, line, row.get("split")),
            )
    except StopIteration:
        raise InputError(f"{path} line 1: {_describe(head)}") from None
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}") from error


def _columns(header: Iterable[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _separator_of(head: str) -> tuple[str, bool]:
    """The separator of a CSV, and whether its first line states it.

    Spreadsheets write ``;`` or tabs in some countries, and may state the separator in a first
    line, ``sep=;``.
    """
    if stated := _STATED_SEPARATOR.match(head):
        return stated[1], True
    first = next((line for line in head.splitlines() if line.strip(_SEPARATORS + " ")), "")
    for separator in _SEPARATORS:
        columns = next(csv.reader([first], delimiter=separator), [])
        if set(REQUIRED_COLUMNS) <= set(_columns(columns)):
            return separator, False
    return ",", False


def _describe(head: str) -> str:
    """What a text without a header is, for the person who named it as annotations."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    if lines and all(_TRAINER_LINE.fullmatch(line) for line in lines[:20]):
        return "a list for a trainer, of paths and label ids; type the official annotation files"
    wanted = f"Kinetics JSON, or a CSV with a header that contains {','.join(REQUIRED_COLUMNS)}"
    if lines and all(_YOUTUBE_ID.fullmatch(line) for line in lines[:20]):
        return f"bare YouTube ids; type an annotation file that has them: {wanted}"
    if len(lines) > 1 and all(_CLASS_NAME.fullmatch(line) for line in lines[:20]):
        return (
            f"one name per line; type an annotation file: {wanted}; a label map goes with "
            "--label_map"
        )
    return (
        "not Kinetics JSON or CSV; a CSV must start with a header that contains "
        f"{','.join(REQUIRED_COLUMNS)}"
    )


def _parse_listing(rank: int, path: str, text: TextIO, split_of: SplitOf) -> Iterator[Annotation]:
    """The output of ``ls -R`` for a folder of class folders: sections that start with ``folder:``.

    Kinetics-600's ``train.txt`` and ``val.txt`` at CVDF are said to have this format; this is
    not verified. The section of the top folder, which lists the classes, is skipped.
    """
    label: str | None = None
    for number, line in enumerate(_all_lines(path, text), start=1):
        name = line.strip()
        if name.endswith(":"):
            folders = [folder for folder in name[:-1].split("/") if folder.strip(".")]
            is_top_folder = not folders or (len(folders) == 1 and folders[0] in SPLIT_WORDS)
            label = None if is_top_folder else folders[-1]
        elif name and label is not None:
            match = _CLIP_ID.fullmatch(posixpath.splitext(name)[0])
            if match is None:
                raise InputError(
                    f"{path} line {number}: {name!r} in {label!r} is not a clip; expected "
                    "<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4"
                )
            youtube_id, start, end = match.groups()
            split = split_of(path, number, None)
            yield _annotation((rank, path, number, 0), youtube_id, start, end, label, split)


def _all_lines(path: str, text: TextIO) -> Iterator[str]:
    """Lines as ``str.splitlines`` tells them, which knows more line ends than a file."""
    lines = Lines(path, text)
    for number, line in enumerate(lines, start=1):
        lines.done = number
        yield from line.splitlines()


def _parse_json(rank: int, path: str, text: TextIO, split_of: SplitOf) -> Iterator[Annotation]:
    # Not as a dict, in which the second entry of an id would replace the first.
    for number, (line, youtube_id, video) in enumerate(read_entries(path, text)):
        try:
            stated = video["annotations"]
            segment, label, split = stated["segment"], stated.get("label"), video.get("subset")
            start, stop = [] if isinstance(segment, dict) else segment
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'{path} line {line}: "{youtube_id}" is not a Kinetics entry; expected '
                '{"annotations": {"label": …, "segment": [start, end]}, "subset": …}'
            ) from error
        place = (rank, path, line, number)
        yield _annotation(place, youtube_id, start, stop, label, split_of(path, line, split))


def _annotation(
    place: tuple[int, str, int, int],
    youtube_id: Any,
    start: Any,
    end: Any,
    label: Any,
    split: Split | None,
) -> Annotation:
    _, path, line, _ = place
    where = f"{path} line {line}"
    youtube_id = str(youtube_id).strip()
    if not youtube_id or _UNSAFE.search(youtube_id) or len(youtube_id.encode()) > _MAX_ID_BYTES:
        raise InputError(f"{where}: {youtube_id!r} is not a YouTube id")
    time_start, time_end = _seconds(where, "start", start), _seconds(where, "end", end)
    if time_end <= time_start:
        raise InputError(f"{where}: the clip ends at {time_end} s but starts at {time_start} s")
    if label is not None and not isinstance(label, str):
        raise InputError(f"{where}: the label {label!r} is not text")
    if label and _SURROGATE.search(label):
        raise InputError(f"{where}: the label {label!r} is not Unicode text")
    return Annotation(
        youtube_id,
        time_start,
        time_end,
        from_text(label.strip()) or None if label else None,
        split,
        place,
    )


def _seconds(where: str, which: str, value: Any) -> int:
    """Whole seconds: clip names cannot hold fractions."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < 1e9 or seconds != int(seconds) or isinstance(value, bool):
        raise InputError(f"{where}: the time_{which} {value!r} is not a whole number of seconds")
    return int(seconds)


def _no_split(path: str, line: int, stated: Any) -> None:
    """No split, whatever is stated."""


def _split(path: str, line: int, stated: Any) -> Split:
    where = f"{path} line {line}"
    if stated is not None and str(stated).strip():
        try:
            return SPLIT_WORDS[str(stated).strip().lower()]
        except KeyError:
            raise InputError(
                f"{where}: the split {stated!r} is not one of {', '.join(SPLIT_WORDS)}"
            ) from None
    named = split_named_by(path)
    if named is None:
        raise InputError(
            f"{where}: no split in the row and none in the file's name; add a column split, or put "
            "train, val or test into the name"
        )
    return named
