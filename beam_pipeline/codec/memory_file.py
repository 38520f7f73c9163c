"""A file in memory that a muxer can open twice."""

import io
from typing import TYPE_CHECKING

from beam_pipeline.codec.positioned_file import PositionedFile

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_OUTPUT = 256 * 1024**2
"""Bytes of a clip that is made in memory; its source has at most 64 MB."""


class MemoryFile:
    """Bytes with any number of handles.

    To move an MP4's index to the front, FFmpeg opens a second handle and reads the file that it
    is writing. ``io.BytesIO`` has only one position.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def open(self) -> io.RawIOBase:
        """A new handle for reading and writing, at the start."""
        return _Handle(self._data)

    def getvalue(self) -> bytes:
        """The whole content."""
        return bytes(self._data)


class _Handle(PositionedFile):
    """A position in the bytes. Writing more than ``MAX_OUTPUT`` of them raises MemoryError."""

    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self._data = data

    def length(self) -> int:
        return len(self._data)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        chunk = self._data[self._position : self._position + len(view)]
        view[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        del self._data[size:]
        return size

    def write(self, chunk: "ReadableBuffer") -> int:
        view = memoryview(chunk).cast("B")
        end = self._position + len(view)
        if not view:
            return 0
        if end > MAX_OUTPUT:
            raise MemoryError(f"a clip of more than {MAX_OUTPUT:,} bytes")
        if self._position > len(self._data):
            self._data.extend(bytes(self._position - len(self._data)))
        self._data[self._position : end] = view
        self._position = end
        return len(view)
