"""Read large files from front to back, across broken connections."""

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from beam_pipeline.storage import files, urls
from beam_pipeline.storage.retries import Changed

BLOCK = 8 * 1024**2
"""Bytes per request to a bucket."""

BUFFER = 1024**2


@contextmanager
def open_stream(url: str) -> Iterator["io.BufferedReader[io.RawIOBase]"]:
    """A file to read once, from its beginning.

    From the web it is one response; if the connection breaks, a range request continues it. From
    a bucket it is read block by block, one block ahead.

    Raises:
        OSError: there is no such file, or it cannot be read. Reads from the stream raise it too.
    """
    if urls.is_local(url):
        raw: io.RawIOBase = io.FileIO(urls.local_path(url))
    elif urls.is_on_the_web(url):
        raw = files.web_stream(url)
    else:
        raw = _BlockReader(url)
    with io.BufferedReader(raw, BUFFER) as stream:
        yield stream


class _BlockReader(io.RawIOBase):
    """An object, read block by block with one block ahead.

    Every block is of the version that the object has at the beginning. Where the storage cannot
    tell versions from each other, the size is compared at the end.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._entry = files.info(url)
        self._size = self._entry.size
        self._offset = 0
        self._block = memoryview(b"")
        self._thread = ThreadPoolExecutor(1)
        self._next_block = self._request_next()

    def _request_next(self) -> "Future[bytes]":
        begin = self._offset
        end = begin + BLOCK if self._size is None else min(begin + BLOCK, self._size)
        self._offset = end
        if begin == end:
            return self._thread.submit(self._check_end)
        return self._thread.submit(files.read, self._url, end, begin, self._entry.version)

    def _check_end(self) -> bytes:
        if self._entry.version is None and files.info(self._url) != self._entry:
            raise Changed()
        return b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if not self._block:
            block = self._next_block.result()
            if block:  # after the last block, keep returning the empty one
                self._next_block = self._request_next()
            self._block = memoryview(block)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        super().close()
