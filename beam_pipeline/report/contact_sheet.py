"""The contact sheet of a report: small pictures of many clips in one image."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from typing import Any, NamedTuple

from beam_pipeline.codec.collage import Collage, Tile
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.thumbnail import HEIGHT, WIDTH
from beam_pipeline.errors import RunError
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.thumbnails import kept_thumbnails, rank
from beam_pipeline.report.earlier_sheet import NO_SHEET, EarlierSheet, read_earlier_sheet
from beam_pipeline.report.read_thumbnails import ThumbnailReader
from beam_pipeline.work.worker_pool import usable_cores

MAX_TILES = 3_000
"""Clips on a sheet; the first that are wanted."""

MAX_READ_AGAIN = 2_000
"""Clips that are read again because no picture of them was kept; the first that are wanted."""

READ_SECONDS = 120.0
"""In which they have to be read: a report is not worth more. The next one goes on from there."""

COMPOSE_SECONDS = 120.0
"""In which the pictures have to be put together. It takes about one."""

MAX_SHEET = 6_000_000
"""Bytes of a sheet. In a page, as base64, these are 8 MB."""

COLUMNS = 25
"""The largest sheet has 4,000 x 13,440 pixels; a side of a JPEG can have 65,535."""

SHORT_SHA256 = 12
"""Digits of a SHA-256 that tell whether a clip is still the same."""


class Pictured(NamedTuple):
    """A clip to show. ``path`` is relative to the output, or that of a source that is listed.

    ``duration`` is in seconds, None if unknown. ``sha256`` is the clip's; without it the clip is
    read again each time.
    """

    clip_id: str
    path: str
    duration: float | None
    sha256: str | None = None


class ContactSheet(NamedTuple):
    """Small pictures of clips in one image. Sizes in pixels.

    ``tiles`` has the left and top of each picture, by clip_id; ``sha256`` that of these clips
    whose content is known.
    """

    jpeg: bytes
    tile_width: int
    tile_height: int
    tiles: Mapping[str, tuple[int, int]]
    sha256: Mapping[str, str]

    def places_json(self) -> str:
        """What stands in ``<script id="tiles">`` of the page; the next report reads it.

        A clip_id may be any file name: none can end the script.
        """
        return json.dumps(self.places()).replace("<", "\\u003c")

    def places(self) -> dict[str, Any]:
        """Width and height of a tile, and ``at``: clip_id to left, top and short SHA-256."""
        at = {
            clip_id: [*place, self.sha256.get(clip_id, "")[:SHORT_SHA256]]
            for clip_id, place in self.tiles.items()
        }
        return {"width": self.tile_width, "height": self.tile_height, "at": at}


def sheet_rank(clip_id: str) -> bytes:
    """The order of the clips of a class: the two of lowest rank are shown."""
    return rank(clip_id)


def sheet_of(
    output: Output, wanted: Sequence[Pictured], workers: int | None = None
) -> ContactSheet | None:
    """The contact sheet of these clips, in this order; None if there is no picture of any.

    Pictures come from the state of runs, which have kept them while they made the clips; else from
    the earlier report, if the clip is the same; else from the clip, read by so many ``workers``. A
    clip that cannot be read has no tile. Whatever was decoded or is to be decoded, the confined
    child processes do it.
    """
    by_id: dict[str, Pictured] = {}
    for clip in wanted:
        by_id.setdefault(clip.clip_id, clip)
    shown = [*by_id.values()][:MAX_TILES]
    kept = kept_thumbnails(output, {clip.clip_id: clip.sha256 for clip in shown})
    left = [clip for clip in shown if clip.clip_id not in kept]
    earlier = read_earlier_sheet(output) if left else NO_SHEET
    places = {
        clip.clip_id: place for clip in left if (place := place_in(earlier, clip)) is not None
    }
    left = [clip for clip in left if clip.clip_id not in places]
    with closing(CodecPool(workers or usable_cores())) as codecs:
        kept |= _read_again(output, left[:MAX_READ_AGAIN], codecs)
        return _composed(shown, kept, earlier.jpeg, places, codecs)


def place_in(sheet: EarlierSheet, clip: Pictured) -> tuple[int, int] | None:
    """Left and top of the picture of a clip in an earlier sheet; None if it has none of it."""
    left, top, sha256 = sheet.at.get(clip.clip_id, (0, 0, ""))
    known = len(sha256) == SHORT_SHA256 and (clip.sha256 or "").startswith(sha256)
    return (left, top) if known else None


def _read_again(output: Output, clips: Sequence[Pictured], codecs: CodecPool) -> dict[str, bytes]:
    """Thumbnails of clips that are read for it, by clip_id."""
    reader = ThumbnailReader(output, codecs, time.monotonic() + READ_SECONDS)
    found: dict[str, bytes] = {}
    threads = ThreadPoolExecutor(reader.at_once)
    try:
        futures = {threads.submit(reader.read, clip.path): clip.clip_id for clip in clips}
        with suppress(TimeoutError):
            for future in as_completed(futures, READ_SECONDS):
                if (jpeg := future.result()) is not None:
                    found[futures[future]] = jpeg
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    return found


def _composed(
    shown: Iterable[Pictured],
    thumbnails: Mapping[str, bytes],
    earlier: bytes,
    places: Mapping[str, tuple[int, int]],
    codecs: CodecPool,
) -> ContactSheet | None:
    """The sheet of all clips of which there is a picture."""
    pictures = [earlier]
    tiles: list[Tile] = []
    pictured: list[Pictured] = []
    for clip in shown:
        if clip.clip_id in thumbnails:
            tiles.append(Tile(len(pictures)))
            pictures.append(thumbnails[clip.clip_id])
        elif clip.clip_id in places:
            tiles.append(Tile(0, *places[clip.clip_id]))
        else:
            continue
        pictured.append(clip)
    if not tiles:
        return None
    collage = Collage(tuple(pictures), tuple(tiles), min(COLUMNS, len(tiles)), MAX_SHEET)
    try:
        jpeg = codecs.run(collage, COMPOSE_SECONDS).output
    except RunError:  # no child can be started: the clips are made, and the page does without
        return None
    if jpeg is None:
        return None
    at = {clip.clip_id: collage.place_of(number) for number, clip in enumerate(pictured)}
    sums = {clip.clip_id: clip.sha256 for clip in pictured if clip.sha256 is not None}
    return ContactSheet(jpeg, WIDTH, HEIGHT, at, sums)
