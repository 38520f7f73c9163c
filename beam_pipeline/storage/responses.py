"""What one response may cost: bytes of memory and disk, and time without progress.

Servers are not trusted. What a response claims decides nothing but an early refusal: its bytes are
counted as they come.
"""

import asyncio
import errno
import io
import re
from typing import NamedTuple, Protocol

from beam_pipeline.storage.retries import Changed, TooLarge

MAX_READ = 128 * 1024**2
"""Bytes of a remote file that is read into memory as a whole, such as a listing or a label map."""

MAX_DOWNLOAD = 4 * 1024**3
"""Bytes of a remote file that is copied to the local disk, such as a large source."""

PROGRESS_BYTES, PROGRESS_SECONDS = 256 * 1024, 30.0
"""A response has so many seconds for each further so many bytes. Only waiting for it counts."""

CHUNK = 256 * 1024
"""Bytes to read from a response at once."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Content(Protocol):
    """The body of a response."""

    async def read(self, n: int) -> bytes:
        """At most ``n`` bytes; none at the end."""


class Pace:
    """The time that one response still has."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._seconds = PROGRESS_SECONDS
        self._bytes = PROGRESS_BYTES

    async def read(self, content: Content, count: int) -> bytes:
        """Read at most ``count`` bytes.

        Raises:
            TimeoutError: the server is too slow.
        """
        clock = asyncio.get_running_loop()
        began = clock.time()
        try:
            async with asyncio.timeout(max(self._seconds, 0)):
                data = await content.read(count)
        except TimeoutError:
            raise TimeoutError(
                f"less than {PROGRESS_BYTES // 1024} KiB came in {PROGRESS_SECONDS:g} s"
            ) from None
        self._seconds -= clock.time() - began
        self._bytes -= len(data)
        if self._bytes <= 0:
            self._renew()
        return data


async def read_at_most(content: Content, count: int) -> bytes:
    """The first ``count`` bytes of a response; fewer if it ends before.

    Raises:
        TimeoutError: the server is too slow.
    """
    pace, data = Pace(), io.BytesIO()  # gives its content without copying it
    while (missing := count - data.tell()) > 0:
        if not data.write(await pace.read(content, min(CHUNK, missing))):
            break
    return data.getvalue()


async def read_whole(content: Content, length: int | None) -> bytes:
    """The whole response. ``length`` is what the server states, in bytes.

    Raises:
        TooLarge: it has more than ``MAX_READ`` bytes.
        TimeoutError: the server is too slow.
    """
    check_size(length or 0, MAX_READ)
    data = await read_at_most(content, MAX_READ + 1)
    check_size(len(data), MAX_READ)
    return data


async def save(content: Content, length: int | None, path: str, limit: int) -> None:
    """Write the whole response to a local file. ``length`` is what the server states, in bytes.

    Raises:
        TooLarge: it has more than ``limit`` bytes.
        TimeoutError: the server is too slow.
    """
    check_size(length or 0, limit)
    pace, size = Pace(), 0
    with open(path, "wb") as file:
        while data := await pace.read(content, CHUNK):
            size += len(data)
            check_size(size, limit)
            file.write(data)


def check_size(size: int, limit: int) -> None:
    """Check a size in bytes.

    Raises:
        TooLarge: it is over the limit.
    """
    if size > limit:
        raise TooLarge(
            errno.EFBIG,
            f"the file has more than {limit:,} bytes, the most that is read from a server; copy it "
            "to this machine, or make it smaller",
        )


def range_header(begin: int, end: int | None) -> str:
    """The header Range that asks for the bytes from ``begin`` up to ``end``, None for the last."""
    return f"bytes={begin}-{'' if end is None else end - 1}"


async def read_part(content: Content, length: int | None, begin: int, end: int | None) -> bytes:
    """The part of a file that was asked for, from a response that begins with it.

    Raises:
        TooLarge: there is no ``end``, and it has more than ``MAX_READ`` bytes.
        TimeoutError: the server is too slow.
    """
    if end is None:
        return await read_whole(content, length)
    return await read_at_most(content, end - begin)


class Range(NamedTuple):
    """The bytes that a response holds: ``begin`` up to ``end``, of ``total`` if that is known."""

    begin: int
    end: int
    total: int | None


def parse_range(value: str | None) -> Range | None:
    """The range that the header Content-Range states; None if it states none."""
    stated = _CONTENT_RANGE.fullmatch((value or "").strip())
    if stated is None:
        return None
    begin, last, total = stated.groups()
    return Range(int(begin), int(last) + 1, None if total == "*" else int(total))


def check_range(value: str | None, begin: int, end: int | None, total: int | None = None) -> None:
    """Check that a partial response holds all that was asked for.

    Args:
        value: the header Content-Range.
        begin: offset of the first byte.
        end: offset behind the last byte; None for the end of the file.
        total: size of the file, if it is known.

    Raises:
        Changed: the file has another size now.
        OSError: the response holds something else; worth a retry.
    """
    if value is not None and value.endswith("/0") and not total:
        return  # an empty file has no part that could be named
    stated = parse_range(value)
    if stated is None:
        raise OSError(errno.EIO, "the server does not say which part of the file it sends")
    if total is not None and stated.total is not None and stated.total != total:
        raise Changed()
    size = total if stated.total is None else stated.total
    wanted = end if size is None else min(size, end or size)
    if stated.begin != begin or wanted is None or stated.end < wanted:
        raise OSError(errno.EIO, "the server sent another part of the file than was asked for")
