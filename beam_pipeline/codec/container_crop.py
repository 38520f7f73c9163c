"""The part of the picture that the container says is meant.

MP4 and QuickTime have a clean aperture (``clap``, ISO/IEC 14496-12, 12.1.4), which phones write;
Matroska has ``PixelCrop...`` (RFC 9559, 5.1.4.1.28). FFmpeg's decoders apply neither: the ffmpeg
command does, since 7.1. PyAV does not give access to what FFmpeg has read of them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import RawIOBase
from typing import BinaryIO

MAX_HEADER = 4 * 1024**2
"""Bytes of a header that is searched for a crop; real ones have some kilobytes."""


@dataclass(frozen=True)
class Crop:
    """Pixels to take off each side of the stored picture."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.right, self.top, self.bottom))

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels of what is left of a stored picture."""
        return width - self.left - self.right, height - self.top - self.bottom

    def fits(self, width: int, height: int) -> bool:
        """Whether something is left of a picture of that size."""
        return self.left + self.right < width and self.top + self.bottom < height


NO_CROP = Crop()


def crops_of(file: BinaryIO | RawIOBase, container: str) -> list[Crop]:
    """The crop of each video track, in the order of the file.

    ``container`` is FFmpeg's name of the format. The position in the file is kept. A header that
    cannot be read states no crop.
    """
    position = file.tell()
    file.seek(0)
    try:
        if container.startswith("mov"):
            return list(_mp4_crops(file))
        if container.startswith("matroska"):
            return list(_matroska_crops(file))
        return []
    except (struct.error, ValueError, OverflowError, ZeroDivisionError):
        return []
    finally:
        file.seek(position)


# MP4


def _mp4_crops(file: BinaryIO | RawIOBase) -> Iterator[Crop]:
    moov = _mp4_header(file)
    for kind, track in _boxes(moov):
        if kind != b"trak":
            continue
        for entry in _inside(track, (b"mdia", b"minf", b"stbl", b"stsd")):
            # A full box, a count, then the first sample entry; a visual one has 78 bytes of its
            # own before its boxes, width and height among them.
            if _inside_any(track, (b"mdia", b"minf", b"vmhd")):
                _, sample = next(_boxes(entry[8:]), (b"", b""))
                width, height = struct.unpack(">HH", sample[24:28])
                claps = [body for name, body in _boxes(sample[78:]) if name == b"clap"]
                yield clean_aperture(width, height, claps[0]) if claps else NO_CROP


def clean_aperture(width: int, height: int, clap: bytes) -> Crop:
    """The crop of a ``clap`` box; none where it does not fit the picture, as FFmpeg has it."""
    wide, wide_by, high, high_by, x, x_by, y, y_by = struct.unpack(">IIIIiIiI", clap[:32])
    left, right = _aperture(width, Fraction(wide, wide_by), Fraction(x, x_by))
    top, bottom = _aperture(height, Fraction(high, high_by), Fraction(y, y_by))
    crop = Crop(left, right, top, bottom)
    return crop if min(left, right, top, bottom) >= 0 and crop.fits(width, height) else NO_CROP


def _aperture(size: int, aperture: Fraction, offset: Fraction) -> tuple[int, int]:
    """Pixels before and behind an aperture that is centred but for an offset."""
    centre = Fraction(size - 1, 2) + offset
    before = int(centre - (aperture - 1) / 2)
    behind = size - 1 - int(centre + (aperture - 1) / 2)
    return before, behind


def _mp4_header(file: BinaryIO | RawIOBase) -> bytes:
    """The content of the ``moov`` box; nothing where it is not there or too large to search."""
    while len(head := file.read(16) or b"") >= 8:
        size, kind = struct.unpack(">I4s", head[:8])
        used = 8
        if size == 1 and len(head) == 16:
            size, used = struct.unpack(">Q", head[8:])[0], 16
        if kind == b"moov" and used <= size <= MAX_HEADER:
            file.seek(used - len(head), 1)
            return file.read(size - used) or b""
        if size < used:
            break
        file.seek(size - len(head), 1)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the boxes that stand one behind the other."""
    start = 0
    while len(data) - start >= 8:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8:
            return
        yield kind, data[start + 8 : start + size]
        start += size


def _inside(data: bytes, path: tuple[bytes, ...]) -> Iterator[bytes]:
    """The contents of every box at a path of kinds."""
    if not path:
        yield data
        return
    for kind, content in _boxes(data):
        if kind == path[0]:
            yield from _inside(content, path[1:])


def _inside_any(data: bytes, path: tuple[bytes, ...]) -> bool:
    return any(True for _ in _inside(data, path))


# Matroska

_SEGMENT, _TRACKS, _TRACK, _TYPE, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0xE0
_CROPS = {0x54AA: "bottom", 0x54BB: "top", 0x54CC: "left", 0x54DD: "right"}
_VIDEO_TRACK = 1


def _matroska_crops(file: BinaryIO | RawIOBase) -> Iterator[Crop]:
    data = file.read(MAX_HEADER) or b""
    for tracks in _elements_at(data, (_SEGMENT, _TRACKS)):
        for name, track in _elements(tracks):
            if name != _TRACK:
                continue
            fields = dict(_elements(track))
            if int.from_bytes(fields.get(_TYPE, b"")) == _VIDEO_TRACK:
                stated = _elements(fields.get(_VIDEO, b""))
                crop = {_CROPS[n]: int.from_bytes(v) for n, v in stated if n in _CROPS}
                yield Crop(**crop)


def _elements_at(data: bytes, path: tuple[int, ...]) -> Iterator[bytes]:
    if not path:
        yield data
        return
    for name, content in _elements(data):
        if name == path[0]:
            yield from _elements_at(content, path[1:])


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Id and content of the EBML elements that stand one behind the other (RFC 8794)."""
    start = 0
    while start < len(data):
        name, start = _number(data, start, keep_marker=True)
        size, start = _number(data, start, keep_marker=False)
        yield name, data[start : start + size]
        start += size


def _number(data: bytes, start: int, keep_marker: bool) -> tuple[int, int]:
    """A number of variable length, and where it ends; ValueError where there is none."""
    if start >= len(data) or not data[start]:
        raise ValueError("no number")
    length = 9 - data[start].bit_length()
    if start + length > len(data):
        raise ValueError("no whole number")
    raw = int.from_bytes(data[start : start + length])
    marker = 1 << (7 * length)
    if keep_marker:
        return raw, start + length
    size = raw - marker
    return (len(data) if size == marker - 1 else size), start + length  # all ones: unknown
