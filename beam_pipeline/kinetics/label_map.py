"""Label maps: the id of each class, independent of which classes are annotated."""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

from beam_pipeline.errors import InputError
from beam_pipeline.storage import files

PUBLISHED = (
    "kinetics400",
    "kinetics600",
    "kinetics700",
    "kinetics710",
    "videomaev2-kinetics600",
    "videomaev2-kinetics700",
    "videomaev2-kinetics710",
)
"""Maps in this package. The first three are the sorted classes of the official annotations, which
mmaction2 uses too, and Non-Local for Kinetics-400. ``kinetics710`` is mmaction2's, the last three
are those of VideoMAEv2's checkpoints. docs/labels.md says where class names were changed."""


def read_label_map(name: str) -> dict[str, int]:
    """The id of each class in a published map or a file (one class per line, or JSON).

    Raises:
        InputError: there is no such file, or it is not a label map.
    """
    if name in PUBLISHED:
        maps = resources.files("beam_pipeline.kinetics").joinpath("label_maps")
        return parse_label_map(name, maps.joinpath(f"{name}.txt").read_text(encoding="utf-8"))
    try:
        return parse_label_map(name, files.read(name).decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"--label_map {name}: {error.strerror or error}; type one of {', '.join(PUBLISHED)}, "
            "or a file with one class per line"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"--label_map {name}: not UTF-8 text") from error


def parse_label_map(name: str, text: str) -> dict[str, int]:
    """Parse a label map; ``name`` is for messages.

    Raises:
        InputError: a class occurs twice, two classes have the same id, or it is not a label map.
    """
    pairs = _parse_json(name, text) if text.lstrip().startswith("{") else _parse_lines(name, text)
    ids: dict[str, int] = {}
    classes: dict[int, str] = {}
    for label, number in pairs:
        if label in ids:
            raise InputError(f"--label_map {name}: the class {label!r} is listed twice")
        if number in classes:
            raise InputError(
                f"--label_map {name}: {classes[number]!r} and {label!r} have the same id, {number}"
            )
        ids[label] = number
        classes[number] = label
    if not ids:
        raise InputError(f"--label_map {name}: it contains no class")
    return ids


def _parse_lines(name: str, text: str) -> Iterator[tuple[str, int]]:
    lines = text.rstrip().splitlines()
    for number, line in enumerate(lines):
        if not line.strip():
            raise InputError(
                f"--label_map {name} line {number + 1}: empty; lines are ids, so each needs a class"
            )
        yield line.strip(), number


def _parse_json(name: str, text: str) -> Iterator[tuple[str, int]]:
    try:
        pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    except ValueError as error:
        raise InputError(f"--label_map {name}: not valid JSON: {error}") from error
    for label, number in pairs:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise InputError(
                f"--label_map {name}: {label!r} has the id {number!r}; expected "
                '{"class": id, …} with ids of 0 or more'
            )
        yield label, number
