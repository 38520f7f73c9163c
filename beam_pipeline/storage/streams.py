"""Large files read from front to back, whatever breaks on the way."""

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from beam_pipeline.storage import files, urls

BLOCK = 8 * 1024**2
"""Bytes that are asked of a bucket at once."""

BUFFER = 1024**2


@contextmanager
def opened_stream(url: str) -> Iterator["io.BufferedReader[io.RawIOBase]"]:
    """A file to read once, from its beginning.

    On the web it is one answer that goes on, by a range request, where a connection broke; in a
    bucket it is asked for block by block, one ahead.

    Raises:
        OSError: there is none, or it cannot be read; also while it is read.
    """
    if urls.is_local(url):
        raw: io.RawIOBase = io.FileIO(urls.local_path(url))
    elif urls.is_on_the_web(url):
        raw = files.web_stream(url)
    else:
        raw = _Blocks(url)
    with io.BufferedReader(raw, BUFFER) as stream:
        yield stream


class _Blocks(io.RawIOBase):
    """An object, block after block."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._size = files.info(url).size
        self._offset = 0
        self._block = memoryview(b"")
        self._thread = ThreadPoolExecutor(1)
        self._next = self._ask()

    def _ask(self) -> "Future[bytes]":
        begin = self._offset
        end = begin + BLOCK if self._size is None else min(begin + BLOCK, self._size)
        self._offset = end
        if begin == end:
            return self._thread.submit(bytes)
        return self._thread.submit(files.read, self._url, end, begin)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        if not self._block:
            block = self._next.result()
            if block:  # what comes after the last is nothing, however often it is asked for
                self._next = self._ask()
            self._block = memoryview(block)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        super().close()
