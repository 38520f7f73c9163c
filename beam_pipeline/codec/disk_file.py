"""A file on disk that records disk errors, so that they are not mistaken for a bad clip."""

from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class DiskFile(FileIO):
    """Adds the disk's errors to ``errors``: FFmpeg may report another error, or none.

    A write is complete or raises. A raw file may write only a part if the disk is nearly full.
    """

    def __init__(self, path: str, mode: str, errors: list[OSError]) -> None:
        super().__init__(path, mode)
        self.name = ""  # FFmpeg would let the suffix say what the file holds
        self._errors = errors

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(-1 if size is None else size)
        except OSError as error:
            self._errors.append(error)
            raise

    def write(self, chunk: "ReadableBuffer") -> int:
        remaining = memoryview(chunk).cast("B")
        size = len(remaining)
        try:
            while remaining:
                remaining = remaining[super().write(remaining) :]
        except OSError as error:
            self._errors.append(error)
            raise
        return size
