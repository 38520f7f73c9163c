"""A file on disk that tells a fault of the disk from a fault of the clip."""

from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class DiskFile(FileIO):
    """Notes what the disk refuses in ``faults``: FFmpeg may report it as anything, or not at all.

    Writes are whole or an error, where a raw file may stop short on a disk that is nearly full.
    """

    def __init__(self, path: str, mode: str, faults: list[OSError]) -> None:
        super().__init__(path, mode)
        self._faults = faults

    def read(self, size: int | None = -1) -> bytes:
        try:
            return super().read(-1 if size is None else size)
        except OSError as error:
            self._faults.append(error)
            raise

    def write(self, chunk: "ReadableBuffer") -> int:
        left = memoryview(chunk).cast("B")
        size = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self._faults.append(error)
            raise
        return size
