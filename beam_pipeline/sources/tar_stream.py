"""Read tar archives as streams, in one pass, without unpacking them.

Archives are not trusted. The name of a member is never used as a path, links and devices are
skipped, and no header can make the reader use more memory than the limits below.
"""

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Self, cast

GZIP_MAGIC = b"\x1f\x8b"

MAX_HEADER_BYTES = 64 * 1024
"""Limit of an extended header, which describes the next member, such as its long name."""

MAX_TRAILING_BYTES = 16 * 1024**2
"""Bytes that are read after the last member, to find the end of the compressed stream."""

CHUNK_BYTES = 1024**2
"""Bytes per read."""

_EXTENDED_TYPES = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip


class BrokenArchive(Exception):
    """An archive ends early or cannot be read any further; the message says why."""


class Member:
    """A file in an archive. Read it before the next member. ``size`` is in bytes."""

    def __init__(self, name: str, size: int, content: IO[bytes]) -> None:
        self.name = name.removeprefix("./").encode("utf-8", "backslashreplace").decode()
        self.size = size
        self._content = content

    def read(self) -> bytes:
        """The whole content; BrokenArchive if the archive ends before its end."""
        with _read_errors():
            return self._content.read()

    def save(self, file: BinaryIO) -> None:
        """Write the whole content to a file; BrokenArchive if the archive ends before its end."""
        with _read_errors():
            shutil.copyfileobj(self._content, _Destination(file), CHUNK_BYTES)


def members(stream: "io.BufferedReader[io.RawIOBase]") -> Iterator[Member]:
    """Every regular file of a tar archive; gzip is detected from the content, not the name.

    Raises:
        BrokenArchive: it is not a tar archive, or is damaged; members yielded before are complete.
    """
    with _read_errors():
        compressed = stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        file = gzip.GzipFile(fileobj=stream) if compressed else stream
        archive = tarfile.open(fileobj=cast(BinaryIO, file), mode="r|", tarinfo=_Header)  # noqa: SIM115
    while True:
        with _read_errors():
            header = archive.next()
            if header is None:
                # gzip has its checksum at the end of the stream: read on to check it.
                for _ in range(0, MAX_TRAILING_BYTES, CHUNK_BYTES):
                    if not file.read(CHUNK_BYTES):
                        break
                return
            # tarfile keeps every header, and there may be millions.
            archive.members.clear()  # type: ignore[attr-defined]
            content = archive.extractfile(header) if header.isfile() else None
        if content is not None:
            yield Member(header.name, header.size, content)
        with _read_errors():
            _skip_rest(archive)


def _skip_rest(archive: tarfile.TarFile) -> None:
    """Read past the rest of a member.

    tarfile would do it, but it reads on after the end of the stream: for minutes, if a header
    claims a terabyte.
    """
    stream = cast(BinaryIO, archive.fileobj)
    while (rest := archive.offset - stream.tell()) > 0:
        if not stream.read(min(rest, CHUNK_BYTES)):
            raise tarfile.ReadError("unexpected end of data")


class _Header(tarfile.TarInfo):
    """A header that is an error if damaged: tarfile would take it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the regular end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(_reason(error)) from error
        if header.type in _EXTENDED_TYPES and header.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {header.size:,} bytes")
        return header


class _Destination(io.RawIOBase):
    """The file that a member is saved to. Its errors are not errors of the archive."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return self._file.write(data)
        except OSError as error:
            raise _WriteError(error) from error


class _WriteError(Exception):
    """Carries an OSError of the written file through ``_read_errors``."""


@contextmanager
def _read_errors() -> Iterator[None]:
    """Turn every error from reading an archive into BrokenArchive."""
    try:
        yield
    except _WriteError as error:
        raise cast(OSError, error.__cause__) from None
    except FileNotFoundError as error:
        raise BrokenArchive("there is no such file") from error
    except OSError as error:
        raise BrokenArchive(error.strerror or _reason(error)) from error
    except Exception as error:  # malformed headers make tarfile raise errors of many types
        raise BrokenArchive(_reason(error)) from error


def _reason(error: Exception) -> str:
    message = str(error)
    if message in ("truncated header", "empty header", "unexpected end of data", "empty file"):
        return "it ends early"
    if message.startswith("Compressed file ended before"):
        return "it ends early"
    if message in ("bad checksum", "invalid header"):
        return "damaged, or not a .tar or .tar.gz archive"
    return message or type(error).__name__
