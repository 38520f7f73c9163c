"""A file on disk that records disk errors, so that they are not mistaken for a bad clip."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beam_pipeline.codec.positioned_file import PositionedFile

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class DiskFile(PositionedFile):
    """A handle for an open file, with a position of its own; the descriptor stays open.

    Several handles may share a descriptor: a child process is given descriptors, for it cannot
    open files, and a muxer opens its output twice.

    Adds the disk's errors to ``errors``: FFmpeg may report another error, or none. A write is
    complete or raises. The system may write only a part if the disk is nearly full.
    """

    def __init__(self, descriptor: int, errors: list[OSError]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._errors = errors

    def length(self) -> int:
        with self._recorded_errors():
            return os.lseek(self._descriptor, 0, os.SEEK_END)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        with self._recorded_errors():
            chunk = os.pread(self._descriptor, size, self._position)
        self._position += len(chunk)
        return chunk

    def readinto(self, buffer: "WriteableBuffer") -> int:
        with self._recorded_errors():
            size = os.preadv(self._descriptor, [buffer], self._position)
        self._position += size
        return size

    def truncate(self, size: int | None = None) -> int:
        size = self._position if size is None else size
        with self._recorded_errors():
            os.ftruncate(self._descriptor, size)
        return size

    def write(self, chunk: "ReadableBuffer") -> int:
        remaining = memoryview(chunk).cast("B")
        size = len(remaining)
        with self._recorded_errors():
            while remaining:
                written = os.pwrite(self._descriptor, remaining, self._position)
                self._position += written
                remaining = remaining[written:]
        return size

    @contextmanager
    def _recorded_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._errors.append(error)
            raise
