"""Small pictures of clips, all in one image."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from beam_pipeline.output.output_folder import Output


class Pictured(NamedTuple):
    """A clip of which a picture is wanted.

    ``path`` is relative to the output, or the absolute source of a clip that is listed as it is.
    ``duration`` is in seconds, None if unknown, and so is ``sha256``.
    """

    clip_id: str
    path: str
    duration: float | None
    sha256: str | None = None


class ContactSheet(NamedTuple):
    """Small pictures of clips in one image. Sizes in pixels."""

    jpeg: bytes
    tile_width: int
    tile_height: int
    tiles: Mapping[str, tuple[int, int]]


def sheet_rank(clip_id: str) -> bytes:
    """Of the clips of a class, the two with the lowest rank are shown."""
    return hashlib.sha256(clip_id.encode()).digest()


def sheet_of(_output: Output, _wanted: Sequence[Pictured]) -> ContactSheet | None:
    """The pictures of these clips; None if there are none."""
    return None
