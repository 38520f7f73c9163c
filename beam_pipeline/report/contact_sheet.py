"""Small pictures of clips, all in one image."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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
    """Small pictures of clips in one image. Sizes in pixels.

    ``tiles`` has the left and top of each picture, by clip_id; ``sha256`` that of these clips
    whose content is known.
    """

    jpeg: bytes
    tile_width: int
    tile_height: int
    tiles: Mapping[str, tuple[int, int]]
    sha256: Mapping[str, str]

    def places(self) -> dict[str, Any]:
        """What the page says of the sheet, from which a later report takes pictures again."""
        at = {
            clip_id: [*place, self.sha256.get(clip_id, "")[:12]]
            for clip_id, place in self.tiles.items()
        }
        return {"width": self.tile_width, "height": self.tile_height, "at": at}


def sheet_rank(clip_id: str) -> bytes:
    """Of the clips of a class, the two with the lowest rank are shown."""
    return hashlib.sha256(clip_id.encode()).digest()


def sheet_of(
    output: Output,  # noqa: ARG001 - until pictures are made
    wanted: Sequence[Pictured],  # noqa: ARG001
    workers: int | None = None,  # noqa: ARG001
) -> ContactSheet | None:
    """The pictures of these clips; None if there are none."""
    return None
