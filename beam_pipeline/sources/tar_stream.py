"""Tar archives as streams: one pass, nothing unpacked, whatever they hold.

Members are data. No name is ever a path here, links and devices are passed over, and a header
cannot make the reader hold more than it means to.
"""

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Self, cast

GZIP = b"\x1f\x8b"

LONGEST_NAME = 64 * 1024
"""Bytes of a header that says more of the next member, such as a long name."""

LONGEST_END = 16 * 1024**2
"""Bytes of nothing that may follow the last member."""

AT_ONCE = 1024**2
"""Bytes that are read at once."""

_EXTENDED = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip


class BrokenArchive(Exception):
    """An archive ends, or cannot be read on; the message says why."""


class Member:
    """A file in an archive, to be read before the next is asked for. ``size`` is in bytes."""

    def __init__(self, name: str, size: int, content: IO[bytes]) -> None:
        self.name = name.removeprefix("./").encode("utf-8", "backslashreplace").decode()
        self.size = size
        self._content = content

    def read(self) -> bytes:
        """All of it; BrokenArchive where the archive ends before."""
        with _breaks():
            return self._content.read()

    def save(self, file: BinaryIO) -> None:
        """Write all of it to a file; BrokenArchive where the archive ends before."""
        with _breaks():
            shutil.copyfileobj(self._content, _Target(file), AT_ONCE)


def members(stream: "io.BufferedReader[io.RawIOBase]") -> Iterator[Member]:
    """Every regular file of a tar archive, compressed or not: its content tells, not its name.

    Raises:
        BrokenArchive: it is none, or breaks off; what came before is whole.
    """
    with _breaks():
        compressed = stream.peek(len(GZIP)).startswith(GZIP)
        file = gzip.GzipFile(fileobj=stream) if compressed else stream
        archive = tarfile.open(fileobj=cast(BinaryIO, file), mode="r|", tarinfo=_Header)  # noqa: SIM115
    while True:
        with _breaks():
            header = archive.next()
            if header is None:
                # Only what is compressed knows whether it is whole, and that at its own end.
                for _ in range(0, LONGEST_END, AT_ONCE):
                    if not file.read(AT_ONCE):
                        break
                return
            # Nobody will ask for them, and there may be millions.
            archive.members.clear()  # type: ignore[attr-defined]
            content = archive.extractfile(header) if header.isfile() else None
        if content is not None:
            yield Member(header.name, header.size, content)


class _Header(tarfile.TarInfo):
    """A header; tarfile takes one that is damaged in the middle for the end, and we do not."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the end that it should have
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(_why(error)) from error
        if header.type in _EXTENDED and header.size > LONGEST_NAME:
            raise tarfile.ReadError(f"a header claims {header.size:,} bytes")
        return header


class _Target(io.RawIOBase):
    """Where a member is saved: what it raises is no fault of the archive."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return self._file.write(data)
        except OSError as error:
            raise _Refused(error) from error


class _Refused(Exception):
    """Carries the refusal of a file that is written past those of the one that is read."""


@contextmanager
def _breaks() -> Iterator[None]:
    """Whatever goes wrong while an archive is read is its end."""
    try:
        yield
    except _Refused as refused:
        raise cast(OSError, refused.__cause__) from None
    except FileNotFoundError as error:
        raise BrokenArchive("there is no such file") from error
    except OSError as error:
        raise BrokenArchive(error.strerror or _why(error)) from error
    except Exception as error:  # tarfile meets hostile headers with errors of every kind
        raise BrokenArchive(_why(error)) from error


def _why(error: Exception) -> str:
    said = str(error)
    if said in ("truncated header", "empty header", "unexpected end of data", "empty file"):
        return "it ends early"
    if said.startswith("Compressed file ended before"):
        return "it ends early"
    if said in ("bad checksum", "invalid header"):
        return "damaged, or no archive of a kind that is known (.tar, .tar.gz)"
    return f"{said or type(error).__name__}"
