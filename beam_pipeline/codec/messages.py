"""What a parent and a codec child tell each other: a short JSON header, then bytes.

A child has worked on a file that may have been made to take it over. So nothing that it sends is
unpickled, and every field is checked before it is believed.
"""

import json
import math
from base64 import b64decode, b64encode
from fractions import Fraction
from typing import Any, NamedTuple, get_args, get_type_hints

from beam_pipeline.codec.collage import Collage
from beam_pipeline.codec.outcome import MAX_DETAIL, Facts, Outcome, Reason, Status
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.thumbnail import is_thumbnail
from beam_pipeline.codec.timestamps import Segment

READY = b"ready"
"""What a child says once it waits for clips."""

JOIN = b"join"
"""The header of two files to join; three descriptors follow."""

MAX_HEADER = 32 * 1024
"""Bytes of a header. The longest has a ``detail`` of letters that JSON takes 12 bytes each for, and
a thumbnail."""

MAX_NAME = 100
"""Characters of a text among the facts."""

_FACT_TYPES = {name: get_args(hint) for name, hint in get_type_hints(Facts).items()}


class Malformed(ValueError):
    """A child has sent what is no answer."""


class Asked(NamedTuple):
    """What a header asks for: the arguments of ``encode_request``."""

    settings: ClipSettings | None
    segment: Segment | None
    in_memory: bool
    thumbnail: bool = False


class AskedCollage(NamedTuple):
    """What the header of a collage says of it; its joined pictures follow.

    ``lengths`` are bytes of the pictures, the rest is as in ``Collage``.
    """

    lengths: list[int]
    tiles: list[list[int]]
    columns: int
    max_bytes: int


def encode_collage(collage: Collage) -> bytes:
    """The header of a sheet to make; its joined pictures follow."""
    lengths = [len(picture) for picture in collage.pictures]
    return json.dumps(
        {"collage": [lengths, collage.tiles, collage.columns, collage.max_bytes]}
    ).encode()


def encode_request(
    settings: ClipSettings | None,
    segment: Segment | None,
    in_memory: bool,
    thumbnail: bool = False,
) -> bytes:
    """The header of a clip to resize; its bytes follow, or the descriptors of its files.

    Without settings the clip is only decoded; with ``thumbnail`` then only as far as that needs.
    """
    values = None
    if settings is not None:
        # Not asdict, which takes as long as everything else here: there is nothing to copy.
        values = {**vars(settings), "fps": None if settings.fps is None else str(settings.fps)}
    place = None
    if segment is not None:
        place = [str(segment.start), str(segment.end), segment.of_whole_video]
    return json.dumps(
        {"settings": values, "segment": place, "in_memory": in_memory, "thumbnail": thumbnail}
    ).encode()


def decode_request(header: bytes) -> Asked | AskedCollage:
    """The arguments of ``encode_request`` or ``encode_collage``. The parent is believed."""
    message = json.loads(header)
    if "collage" in message:
        return AskedCollage(*message["collage"])
    values, place = message["settings"], message["segment"]
    if values is not None and values["fps"] is not None:
        values["fps"] = Fraction(values["fps"])
    segment = None if place is None else Segment(Fraction(place[0]), Fraction(place[1]), place[2])
    settings = None if values is None else ClipSettings(**values)
    return Asked(settings, segment, message["in_memory"], message["thumbnail"])


def encode_outcome(outcome: Outcome) -> bytes:
    """The header of an answer. The bytes of the clip follow it, if the outcome has them."""
    error = outcome.write_error
    return json.dumps(
        {
            "status": outcome.status,
            "reason": outcome.reason,
            "detail": outcome.detail,
            "facts": vars(outcome.facts),
            "write_error": None if error is None else [error.errno, error.strerror],
            "cpu_seconds": outcome.cpu_seconds,
            "thumbnail": outcome.thumbnail and b64encode(outcome.thumbnail).decode(),
        }
    ).encode()


def decode_outcome(header: bytes) -> Outcome:
    """The outcome of a header, without the bytes of the clip.

    Raises:
        Malformed: it is not one that a child of ours would send.
    """
    try:
        message = json.loads(header)
        outcome = Outcome(
            _one_of(get_args(Status), message["status"]),
            _one_of((None, *get_args(Reason)), message["reason"]),
            None if message["detail"] is None else _text(message["detail"], MAX_DETAIL),
            facts=_facts(message["facts"]),
            write_error=_write_error(message["write_error"]),
            cpu_seconds=_plain(message["cpu_seconds"], (float, type(None))),
            thumbnail=_thumbnail(message["thumbnail"]),
        )
        return _check(outcome)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Malformed(str(error)) from error


def _check(outcome: Outcome) -> Outcome:
    """The outcome, unless it contradicts itself."""
    if outcome.status == "failed":
        consistent = bool(outcome.write_error or (outcome.reason and outcome.detail))
        consistent = consistent and outcome.thumbnail is None
    else:
        consistent = not (outcome.write_error or outcome.reason)
    if not consistent or (outcome.cpu_seconds or 0.0) < 0:
        raise Malformed("fields that contradict each other")
    return outcome


def _facts(values: Any) -> Facts:
    if not isinstance(values, dict) or values.keys() != _FACT_TYPES.keys():
        raise Malformed("other facts than there are")
    return Facts(**{name: _plain(values[name], _FACT_TYPES[name]) for name in values})


def _plain(value: Any, types: tuple[type, ...]) -> Any:
    """A value that has one of the types, and is of a size that the manifest holds."""
    if type(value) not in types:  # not isinstance: True is no number
        raise Malformed(f"a {type(value).__name__} where there is none")
    if isinstance(value, str):
        return _text(value, MAX_NAME)
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed("a number that is none")
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise Malformed("a number that is too large")
    return value


def _write_error(value: Any) -> OSError | None:
    if value is None:
        return None
    number, text = value
    return OSError(_plain(number, (int,)), _text(text, MAX_DETAIL))


def _thumbnail(value: Any) -> bytes | None:
    if value is None:
        return None
    data = b64decode(_text(value, MAX_HEADER), validate=True)
    if not is_thumbnail(data):
        raise Malformed("a thumbnail that is none")
    return data


def _one_of(allowed: tuple[Any, ...], value: Any) -> Any:
    if value not in allowed:
        raise Malformed("a word that is not in its set")
    return value


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise Malformed("a text that is not one short line")
    return value
