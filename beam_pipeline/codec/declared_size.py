"""The file size that a container's own headers declare."""

import os
import struct
from io import RawIOBase
from typing import BinaryIO

# Boxes an MP4 or QuickTime file may begin with (ISO/IEC 14496-12; QuickTime File Format).
_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"}


def is_shorter_than_declared(file: BinaryIO | RawIOBase) -> bool:
    """Whether a file is shorter than its MP4 boxes or its RIFF header declare.

    FFmpeg reads some of these files as if they were complete: a fragmented MP4 that ends between
    two packets, or an AVI, whose duration it shortens to the data that exists. The position in
    the file does not change.
    """
    position = file.tell()
    try:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            declared: int = struct.unpack("<I", head[4:8])[0]
            return 0 < declared < 0xFFFFFFFF and length < 8 + declared
        if head[4:8] in _FIRST_BOXES:
            return _ends_inside_box(file, length)
        return False
    finally:
        file.seek(position)


def _ends_inside_box(file: BinaryIO | RawIOBase, length: int) -> bool:
    start = 0
    while length - start >= 8:
        file.seek(start)
        header = file.read(16)
        size: int = struct.unpack(">I", header[:4])[0]
        if size == 0:  # the box extends to the end of the file
            return False
        if size == 1 and len(header) == 16:
            size = struct.unpack(">Q", header[8:])[0]
        if size < 8:  # not a box, but data appended after the last one
            return False
        start += size
    return start > length
