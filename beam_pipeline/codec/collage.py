"""Put thumbnails side by side into one picture: a contact sheet."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import av.error
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from beam_pipeline.codec.jpeg import PIXELS, encode_jpeg, jpeg_size
from beam_pipeline.codec.outcome import BadClip
from beam_pipeline.codec.thumbnail import HEIGHT, WIDTH

QUALITIES = (5, 8, 12, 20, 31)
"""Of ``encode_jpeg``; the first is taken that makes the sheet small enough."""

MAX_PIXELS = 100_000_000
"""Of a sheet, and of a picture that tiles are cut out of."""

_BLACK = (0, 128, 128)
_HALVED = (1, 2, 2)
"""By how much the planes of a picture are smaller than it: luma, and twice chroma."""


class Tile(NamedTuple):
    """A tile of the sheet: the number of a picture, and where in it the thumbnail is, in pixels.

    Places are even.
    """

    picture: int
    left: int = 0
    top: int = 0


@dataclass(frozen=True)
class Collage:
    """A sheet to make. ``tiles`` lie in rows of so many ``columns``, in their order.

    ``pictures`` are JPEGs: thumbnails, or an earlier sheet. ``max_bytes`` is what the sheet may
    have.
    """

    pictures: tuple[bytes, ...] = field(repr=False)
    tiles: tuple[Tile, ...]
    columns: int
    max_bytes: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet in pixels."""
        return self.columns * WIDTH, -(-len(self.tiles) // self.columns) * HEIGHT

    def is_result(self, data: bytes) -> bool:
        """Whether bytes may be the sheet: a JPEG of its size, and not too large."""
        return len(data) <= self.max_bytes and jpeg_size(data) == self.size

    def place_of(self, number: int) -> tuple[int, int]:
        """Left and top of a tile in the sheet, in pixels."""
        row, column = divmod(number, self.columns)
        return column * WIDTH, row * HEIGHT

    @classmethod
    def of(
        cls, joined: bytes, lengths: Sequence[int], tiles: Sequence[Sequence[int]],
        columns: int, max_bytes: int,
    ) -> Self:  # fmt: skip
        """A collage whose pictures are joined; ``lengths`` are theirs in bytes."""
        pictures, begin = [], 0
        for length in lengths:
            pictures.append(joined[begin : begin + length])
            begin += length
        return cls(tuple(pictures), tuple(Tile(*tile) for tile in tiles), columns, max_bytes)


def compose(collage: Collage) -> bytes:
    """The sheet as JPEG. A tile whose picture does not decode is black.

    Raises:
        BadClip: it would have too many pixels or bytes.
    """
    width, height = collage.size
    if width * height > MAX_PIXELS:
        raise BadClip("too_large", f"a sheet of {width}x{height} pixels")
    sheet = VideoFrame(width, height, PIXELS)
    planes = [
        bytearray([value]) * (plane.line_size * plane.height)
        for value, plane in zip(_BLACK, sheet.planes, strict=True)
    ]
    by_picture: dict[int, list[int]] = {}
    for number, tile in enumerate(collage.tiles):
        by_picture.setdefault(tile.picture, []).append(number)
    for picture, numbers in by_picture.items():
        decoded = decode_jpeg(collage.pictures[picture])
        if decoded is not None:
            for number in numbers:
                _paste(decoded, collage.tiles[number], collage.place_of(number), sheet, planes)
    for plane, data in zip(sheet.planes, planes, strict=True):
        plane.update(bytes(data))
    for encoded in _ever_smaller(sheet):
        if len(encoded) <= collage.max_bytes:
            return encoded
    raise BadClip("too_large", f"the sheet has more than {collage.max_bytes:,} bytes")


def _ever_smaller(sheet: VideoFrame) -> Iterator[bytes]:
    return (encode_jpeg(sheet, quality) for quality in QUALITIES)


def decode_jpeg(data: bytes) -> VideoFrame | None:
    """The picture of a JPEG, if it has the format ``PIXELS``; None for anything else."""
    context = CodecContext.create("mjpeg", "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    frames: list[VideoFrame] = []
    with suppress(av.error.InvalidDataError, av.error.EOFError):
        frames += context.decode(Packet(data))
        frames += context.decode(None)
    fits = frames and frames[0].format.name == PIXELS
    return frames[0] if fits and frames[0].width * frames[0].height <= MAX_PIXELS else None


def _paste(
    picture: VideoFrame,
    tile: Tile,
    place: tuple[int, int],
    sheet: VideoFrame,
    planes: Sequence[bytearray],
) -> None:
    """Copy a thumbnail, line by line; nothing where it is not wholly inside the picture."""
    if tile.left + WIDTH > picture.width or tile.top + HEIGHT > picture.height:
        return
    for number, halved in enumerate(_HALVED):
        source, target = picture.planes[number], planes[number]
        lines, width = memoryview(source).cast("B"), WIDTH // halved
        begin = tile.top // halved * source.line_size + tile.left // halved
        to_line = sheet.planes[number].line_size
        to = place[1] // halved * to_line + place[0] // halved
        for _ in range(HEIGHT // halved):
            target[to : to + width] = lines[begin : begin + width]
            begin += source.line_size
            to += to_line
