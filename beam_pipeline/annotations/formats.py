"""Parse annotation files: official JSON, CSV, and listings of class folders.

The format is detected from the content of a file, not from its name.
"""

import csv
import io
import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from beam_pipeline.elements import Annotation, Split
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.splits import SPLIT_WORDS
from beam_pipeline.output.csv_fields import from_text
from beam_pipeline.storage import urls

REQUIRED_COLUMNS = ("youtube_id", "time_start", "time_end")
"""Columns of every CSV; ``label``, ``split`` and ``is_cc`` are optional."""


_CLIP_ID = re.compile(r"(.+)_(\d{6,})_(\d{6,})")
"""The name of a clip in a folder listing."""


_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_VIDEO_MAGIC = (b"\x1a\x45\xdf\xa3", b"RIFF", b"FLV\x01")
"""How Matroska, AVI and FLV begin; MP4 has ``ftyp`` from its fifth byte on."""

_SEPARATORS = ",;\t"
_STATED_SEPARATOR = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)

_TRAINER_LINE = re.compile(r"\S.*\.\w{2,4}[ ,;\t]+(\d+[ ,;\t]+)?-?\d+")
_CLASS_NAME = re.compile(r"[A-Za-z][A-Za-z()' /-]*")

# An id becomes a file name and part of a path in a list.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]|^\.")


_MAX_ID_BYTES = 200


# JSON can contain half of a surrogate pair, which cannot be in a file name or a list.
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def parse(rank: int, path: str, data: bytes) -> Iterator[Annotation]:
    """Parse an annotation file.

    Args:
        rank: position of the argument that named the file. If two annotations of a clip
            disagree on its split, the clip is counted in the split of the lower rank.
        path: for messages, and for the split of rows that state none.
        data: content of the file, UTF-8, or UTF-16 with a byte order mark.

    Raises:
        InputError: the format is unknown, or a row cannot be read; names file and line.
    """
    text = _decode(path, data)
    if text.lstrip().startswith("{"):
        return _parse_json(rank, path, text)
    if text.lstrip().partition("\n")[0].rstrip().endswith(":"):
        return _parse_listing(rank, path, text)
    return _parse_csv(rank, path, text)


def _decode(path: str, data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with its byte order mark."""
    encoding = "utf-16" if data.startswith(_UTF_16_MARKS) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if data[4:8] == b"ftyp" or data.startswith(_VIDEO_MAGIC):
            raise InputError(f"{path} is a video; type --videos {path}") from error
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8 text; expected JSON or CSV") from error


def _parse_csv(rank: int, path: str, text: str) -> Iterator[Annotation]:
    separator, offset = _separator_of(text)
    reader = csv.reader(io.StringIO(text[offset:], newline=""), delimiter=separator, strict=True)
    try:
        header = _columns(next(reader, []))
        while header == [] or not any(header):
            header = _columns(next(reader))
        if not set(REQUIRED_COLUMNS) <= set(header):
            raise InputError(f"{path} line 1: {_describe(text)}")
        for values in reader:
            if not "".join(values).strip():
                continue  # spreadsheets leave rows of separators
            if len(values) != len(header):
                raise InputError(
                    f"{path} line {reader.line_num}: {len(values)} values, but {len(header)} "
                    "columns in the header; put a label that has a comma in double quotes"
                )
            row = dict(zip(header, values, strict=True))
            yield _annotation(
                (rank, path, reader.line_num, 0),
                row["youtube_id"],
                row["time_start"],
                row["time_end"],
                row.get("label"),
                row.get("split"),
            )
    except StopIteration:
        raise InputError(f"{path} line 1: {_describe(text)}") from None
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}") from error


def _columns(header: Iterable[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _separator_of(text: str) -> tuple[str, int]:
    """The separator of a CSV, and where its header begins.

    Spreadsheets write ``;`` or tabs in some countries, and may state the separator in a first
    line, ``sep=;``.
    """
    if stated := _STATED_SEPARATOR.match(text):
        return stated[1], stated.end()
    first = next((line for line in text.splitlines() if line.strip(_SEPARATORS + " ")), "")
    for separator in _SEPARATORS:
        columns = next(csv.reader([first], delimiter=separator), [])
        if set(REQUIRED_COLUMNS) <= set(_columns(columns)):
            return separator, 0
    return ",", 0


def _describe(text: str) -> str:
    """What a text without a header is, for the person who named it as annotations."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(_TRAINER_LINE.fullmatch(line) for line in lines[:20]):
        return "a list for a trainer, of paths and label ids; type the official annotation files"
    if len(lines) > 1 and all(_CLASS_NAME.fullmatch(line) for line in lines[:20]):
        return "one name per line; a label map is given as --label_map"
    return (
        "not Kinetics JSON or CSV; a CSV must start with a header that contains "
        f"{','.join(REQUIRED_COLUMNS)}"
    )


def _parse_listing(rank: int, path: str, text: str) -> Iterator[Annotation]:
    """The output of ``ls -R`` for a folder of class folders: sections that start with ``folder:``.

    Kinetics-600's ``train.txt`` and ``val.txt`` at CVDF are said to have this format; this is
    not verified. The section of the top folder, which lists the classes, is skipped.
    """
    label: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
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
            yield _annotation((rank, path, number, 0), youtube_id, start, end, label, None)


def _parse_json(rank: int, path: str, text: str) -> Iterator[Annotation]:
    try:
        # As pairs: in a dict, the second entry of an id would replace the first.
        videos = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise InputError(f"{path} line {line}: not valid JSON: {error}") from error
    end, line = 0, 1
    for number, (youtube_id, video) in enumerate(videos):
        # Entries are in file order, so the search continues from the previous match.
        begin = max(end, text.find(f'"{youtube_id}"', end))
        line += text.count("\n", end, begin)
        end = begin + 1
        place = (rank, path, line, number)
        try:
            entry = dict(video)
            stated = dict(entry["annotations"])
            start, stop = stated["segment"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f'{path} line {line}: "{youtube_id}" is not a Kinetics entry; expected '
                '{"annotations": {"label": …, "segment": [start, end]}, "subset": …}'
            ) from error
        yield _annotation(place, youtube_id, start, stop, stated.get("label"), entry.get("subset"))


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object in order, duplicate keys included."""


def _annotation(
    place: tuple[int, str, int, int], youtube_id: Any, start: Any, end: Any, label: Any, split: Any
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
        _split(where, path, split),
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


def _split(where: str, path: str, stated: Any) -> Split:
    if stated is not None and str(stated).strip():
        try:
            return SPLIT_WORDS[str(stated).strip().lower()]
        except KeyError:
            raise InputError(
                f"{where}: the split {stated!r} is not one of {', '.join(SPLIT_WORDS)}"
            ) from None
    named = set(_splits_named(posixpath.basename(urls.without_query(path))))
    if len(named) != 1:
        raise InputError(
            f"{where}: no split in the row and none in the file's name; add a column split, or put "
            "train, val or test into the name"
        )
    return named.pop()


def _splits_named(name: str) -> Iterable[Split]:
    for word in re.split(r"[^a-z]+", name.lower()):
        if word in SPLIT_WORDS:
            yield SPLIT_WORDS[word]
