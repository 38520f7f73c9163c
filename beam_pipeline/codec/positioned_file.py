"""What a file on disk and one in memory have in common: a position to read and to write at."""

import io


class PositionedFile(io.RawIOBase):
    """A file to read, write and seek in. A subclass says its length, and reads and writes."""

    def __init__(self) -> None:
        self._position = 0

    def length(self) -> int:
        """The number of bytes in the file."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = 0
        if whence == io.SEEK_CUR:
            base = self._position
        elif whence == io.SEEK_END:
            base = self.length()
        if base + offset < 0:
            raise ValueError(f"a position of {base + offset} is before the file")
        self._position = base + offset
        return self._position
