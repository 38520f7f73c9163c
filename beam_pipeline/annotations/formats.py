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

REQUIRED_COLUMNS = ("youtube_id", "time_start", "time_end")
"""Columns of every CSV; ``label``, ``split`` and ``is_cc`` are optional."""


_CLIP_ID = re.compile(r"(.+)_(\d{6,})_(\d{6,})")
"""The name of a clip in a folder listing."""


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
        data: content of the file, UTF-8.

    Raises:
        InputError: the format is unknown, or a row cannot be read; names file and line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8 text; expected JSON or CSV") from error
    if text.lstrip().startswith("{"):
        return _parse_json(rank, path, text)
    if text.lstrip().partition("\n")[0].rstrip().endswith(":"):
        return _parse_listing(rank, path, text)
    return _parse_csv(rank, path, text)


def _parse_csv(rank: int, path: str, text: str) -> Iterator[Annotation]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not set(REQUIRED_COLUMNS) <= set(header):
            raise InputError(
                f"{path} line 1: not Kinetics JSON or CSV; a CSV must start with a header that "
                f"contains {','.join(REQUIRED_COLUMNS)}"
            )
        for values in reader:
            if len(values) <= 1 and not "".join(values).strip():
                continue
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
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}") from error


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
        label.strip() or None if label else None,
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
    named = set(_splits_named(posixpath.basename(path)))
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
