"""Read tar archives as streams, in one pass, without unpacking them.

Archives are not trusted. The name of a member is never used as a path, links and devices are
skipped, and no header can make the reader use more memory than the limits below.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from beam_pipeline.sources.tar_headers import (
    BLOCK,
    BrokenArchive,
    is_header,
    padded,
    read_header,
)

GZIP_MAGIC = b"\x1f\x8b"

MAX_ZEROS = 16 * 1024**2
"""Bytes of zeros that are read after a member to find what follows, or the end of the stream."""

CHUNK_BYTES = 256 * 1024
"""Bytes per read."""

ENDS_EARLY = "it ends early"


class Member:
    """A file in an archive. Read it before the next member.

    ``size`` is what the archive claims, in bytes. The content of a sparse file cannot be read:
    videos have no holes, and a few bytes can stand for any number of zeros.
    """

    def __init__(self, name: str, size: int, is_sparse: bool, content: "_Content") -> None:
        self.name = name.removeprefix("./").encode("utf-8", "backslashreplace").decode()
        self.size = size
        self.is_sparse = is_sparse
        self._content = content

    def read(self) -> bytes:
        """The whole content; BrokenArchive if the archive ends before its end."""
        content = io.BytesIO()
        self.save(content)
        return content.getvalue()

    def save(self, file: BinaryIO) -> None:
        """Write the whole content to a file; BrokenArchive if the archive ends before its end."""
        self._content.check_length(self.size)
        for chunk in self._content.chunks(self.size):
            file.write(chunk)


class TarStream:
    """A tar archive that is read from front to back; gzip is detected from the content.

    ``size`` is the length of the stream in bytes, None if unknown. ``goes_on`` becomes true once
    members were found behind an end marker, as where archives were joined.
    """

    def __init__(self, stream: "io.BufferedReader[io.RawIOBase]", size: int | None = None) -> None:
        self._stream = stream
        self._size = size
        self.goes_on = False

    def members(self) -> Iterator[Member]:
        """Every regular file.

        Raises:
            BrokenArchive: it is not a tar archive, or is damaged; members yielded before are
                complete.
        """
        with _read_errors():
            compressed = self._stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        if compressed:
            content = _Content(cast(BinaryIO, gzip.GzipFile(fileobj=self._stream)), None)
        else:
            content = _Content(cast(BinaryIO, self._stream), self._size)
        while block := self._next_block(content):
            header = read_header(block, content.exactly)
            end = content.position + padded(header.stored)
            if header.is_file:
                yield Member(header.name, header.stored, header.is_sparse, content)
            for _ in content.chunks(end - content.position):
                pass

    def _next_block(self, content: "_Content") -> bytes | None:
        """The first block of the next header; None at the end of the archive.

        Two blocks of zeros mark the end, and zeros may follow. But a damaged header may be zeros
        too, and archives are joined by writing one behind the other.
        """
        block = content.exactly(BLOCK)
        if any(block):
            return block
        for _ in range(MAX_ZEROS // BLOCK):
            block = content.read(BLOCK)
            if not any(block):
                if len(block) < BLOCK:
                    return None
            elif is_header(block):
                self.goes_on = True
                return block
            else:
                raise BrokenArchive("damaged, or there is something else behind its end")
        raise BrokenArchive(f"there are over {MAX_ZEROS:,} zeros behind a member")


def members(stream: "io.BufferedReader[io.RawIOBase]") -> Iterator[Member]:
    """See ``TarStream.members``."""
    return TarStream(stream).members()


class _Content:
    """The uncompressed bytes of an archive. Every error of reading them is BrokenArchive.

    ``position`` is the number of bytes that were read.
    """

    def __init__(self, file: BinaryIO, length: int | None) -> None:
        self._file = file
        self._length = length
        self.position = 0

    def read(self, count: int) -> bytes:
        """The next bytes, fewer only at the end of the stream.

        Never ask for more than is needed: gzip finds damage behind the last byte that was asked
        for later, and what is read in the same call as damage is lost.
        """
        with _read_errors():
            data = self._file.read(count)
        self.position += len(data)
        return data

    def exactly(self, count: int) -> bytes:
        """So many bytes; BrokenArchive if there are fewer."""
        data = self.read(count)
        if len(data) < count:
            raise BrokenArchive(ENDS_EARLY)
        return data

    def chunks(self, count: int) -> Iterator[bytes]:
        """So many bytes in pieces; BrokenArchive if there are fewer."""
        while count > 0:
            chunk = self.exactly(min(count, CHUNK_BYTES))
            yield chunk
            count -= len(chunk)

    def check_length(self, count: int) -> None:
        """Raise BrokenArchive if it is known that there are not so many bytes left."""
        if self._length is not None and self.position + count > self._length:
            raise BrokenArchive(ENDS_EARLY)


@contextmanager
def _read_errors() -> Iterator[None]:
    """Turn every error from reading an archive into BrokenArchive."""
    try:
        yield
    except FileNotFoundError as error:
        raise BrokenArchive("there is no such file") from error
    except EOFError as error:
        raise BrokenArchive(ENDS_EARLY) from error
    except zlib.error as error:
        raise BrokenArchive("its compressed data is damaged", is_doubtful=True) from error
    except gzip.BadGzipFile as error:
        if str(error).startswith("Not a gzipped file"):
            raise BrokenArchive("there is something else behind its compressed data") from error
        raise BrokenArchive("its checksum is wrong", is_doubtful=True) from error
    except OSError as error:
        raise BrokenArchive(error.strerror or str(error) or type(error).__name__) from error
    except Exception as error:  # nothing that an archive holds may end the run
        raise BrokenArchive(f"{type(error).__name__}: {error}") from error
