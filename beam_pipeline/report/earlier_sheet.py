"""The contact sheet in the report that is there already: its pictures need not be made again."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, NamedTuple

from beam_pipeline.codec.collage import MAX_PIXELS
from beam_pipeline.codec.jpeg import jpeg_size
from beam_pipeline.codec.thumbnail import HEIGHT, WIDTH
from beam_pipeline.output.output_folder import REPORT, Output
from beam_pipeline.storage import files

MAX_REPORT = 64 * 1024**2
"""Bytes of a report that is read; ours have at most a quarter of that."""


class EarlierSheet(NamedTuple):
    """A sheet as JPEG. ``at`` has left and top in pixels, and the clip's short SHA-256."""

    jpeg: bytes
    at: Mapping[str, tuple[int, int, str]]


NO_SHEET = EarlierSheet(b"", {})

_IMAGE = re.compile(rb'<img\b[^<>]*?\bid="sheet"[^<>]*>')
_DATA = re.compile(rb'\bsrc="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')
_TILES = re.compile(rb'<script\b[^<>]*\bid="tiles"[^<>]*>(.*?)</script>', re.DOTALL)


def read_earlier_sheet(output: Output) -> EarlierSheet:
    """The sheet of the report in an output; empty if there is none, or it cannot be read."""
    try:
        page = files.read(output.url(REPORT), MAX_REPORT + 1)
    except OSError:
        return NO_SHEET
    return parse_sheet(page) if len(page) <= MAX_REPORT else NO_SHEET


def parse_sheet(page: bytes) -> EarlierSheet:
    """The sheet in a page: ``<img id="sheet">`` with its data, ``<script id="tiles">`` with places.

    The page may be of another release, or anybody's: only places that are in the picture, and on
    the grid of a sheet, are taken.
    """
    image, tiles = _IMAGE.search(page), _TILES.search(page)
    data = image and _DATA.search(image[0])
    if not (data and tiles):
        return NO_SHEET
    try:
        jpeg = b64decode(data[1], validate=True)
        stated = json.loads(tiles[1])
        size = jpeg_size(jpeg)
        if size is None or size[0] * size[1] > MAX_PIXELS:
            return NO_SHEET
        if (stated["width"], stated["height"]) != (WIDTH, HEIGHT):
            return NO_SHEET
        at = {
            clip_id: (place[0], place[1], place[2])
            for clip_id, place in stated["at"].items()
            if _is_place(place, *size)
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return NO_SHEET
    return EarlierSheet(jpeg, at)


def _is_place(place: Any, width: int, height: int) -> bool:
    """Whether it is left, top and a short SHA-256 of a tile in a sheet of this size."""
    if not (isinstance(place, list) and [type(each) for each in place] == [int, int, str]):
        return False
    left, top, _ = place
    on_grid = left % WIDTH == 0 and top % HEIGHT == 0
    return on_grid and 0 <= left <= width - WIDTH and 0 <= top <= height - HEIGHT
