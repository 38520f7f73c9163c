"""Take annotation files out of archives.

Archives are not trusted: what they unpack to is bounded, whatever their headers say.
"""

import bz2
import gzip
import io
import lzma
import posixpath
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any, BinaryIO, Self, cast

from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import ANNOTATION_EXTENSIONS

MAX_FILE_BYTES = 256 * 1024**2
"""Bytes of one annotation file. The largest official one has about 150 MB."""

MAX_ARCHIVE_BYTES = 1024**3
"""Bytes that one archive may unpack to."""

MAX_HEADERS = 10_000
"""Headers in a tar archive. A member has one, or some more if its name is long."""

MAX_EXTENDED_BYTES = 16 * 1024**2
"""Bytes of all headers of a tar archive that describe others."""

MAX_ZIP_DIRECTORY = 4 * 1024**2
"""Bytes of a zip archive's list of members: some 40,000 members."""

MAX_XZ_MEMORY = 128 * 1024**2
"""Bytes of memory that xz may use; its strongest preset needs half of it."""

CHUNK = 1024**2

# Magic numbers, and that of tar with its offset in the first header.
_GZIP, _BZIP2, _XZ, _ZIP = b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04"
_TAR, _TAR_OFFSET = b"ustar", 257

_EXTENDED_TYPES = (
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)  # fmt: skip


def is_annotation(name: str) -> bool:
    """Whether a file of this name in a folder or archive is an annotation file."""
    hidden = posixpath.basename(name).startswith(".")  # such as the ._ files of macOS
    return name.lower().endswith(ANNOTATION_EXTENSIONS) and not hidden


def unpack(path: str, file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of a file that is one annotation file or an archive of them.

    Contents are seekable files, no larger than the limits. A member is one until the next is
    asked for.

    Args:
        path: name of the file. Members are named below it.
        file: its content, seekable.

    Raises:
        InputError: it is damaged, holds no annotation file, or is over a limit.
    """
    with ExitStack() as stack:
        if _magic(file).startswith((_GZIP, _BZIP2, _XZ)):
            file = _decompressed(path, file, MAX_ARCHIVE_BYTES, stack)
        magic = _magic(file)
        budget = _Budget(path)
        if magic.startswith(_ZIP):
            members = _zip_members(path, file, budget)
        elif magic[_TAR_OFFSET:] == _TAR:
            members = _tar_members(path, file, budget)
        else:
            budget.check(path, file)
            yield path, file
            return
        found = False
        for name, content in members:
            found = True
            with ExitStack() as inner:
                if _magic(content).startswith(_GZIP):
                    content = _decompressed(name, content, MAX_FILE_BYTES, inner)
                    budget.check(name, content)
                yield name, content
        if not found:
            raise InputError(f"{path}: no .csv or .json file in this archive")


def _magic(file: BinaryIO) -> bytes:
    file.seek(0)
    magic = file.read(_TAR_OFFSET + len(_TAR))
    file.seek(0)
    return magic


def _too_large(path: str, limit: int) -> InputError:
    return InputError(
        f"{path}: unpacks to more than {limit:,} bytes, the most that is read of annotations; give "
        "the official files, or split it into several"
    )


class _Budget:
    """What may still be read of one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left = MAX_ARCHIVE_BYTES

    def check(self, name: str, file: BinaryIO) -> None:
        """Count an annotation file.

        Raises:
            InputError: it is too large, or all of them are together.
        """
        self._count(name, file.seek(0, io.SEEK_END))
        file.seek(0)

    def copy(self, name: str, file: IO[bytes], stack: ExitStack) -> BinaryIO:
        """A member in a temporary file that the stack removes, in memory if it is small.

        Raises:
            InputError: it is too large, or all of them are together.
        """
        copy = stack.enter_context(tempfile.SpooledTemporaryFile(CHUNK))  # noqa: SIM115
        while copy.tell() <= MAX_FILE_BYTES and (data := file.read(CHUNK)):
            copy.write(data)
        self._count(name, copy.tell())
        copy.seek(0)
        return cast(BinaryIO, copy)

    def _count(self, name: str, size: int) -> None:
        if size > MAX_FILE_BYTES:
            raise _too_large(name, MAX_FILE_BYTES)
        self._left -= size
        if self._left < 0:
            raise _too_large(self._path, MAX_ARCHIVE_BYTES)


def _damaged_tar(path: str) -> InputError:
    return InputError(
        f"{path}: not a tar archive, or a damaged one; unpack it or download it again"
    )


def _decompressed(path: str, file: BinaryIO, limit: int, stack: ExitStack) -> BinaryIO:
    """What a compressed file holds, in a temporary file that the stack removes."""
    magic = _magic(file)
    name = "gzip" if magic.startswith(_GZIP) else "bzip2" if magic.startswith(_BZIP2) else "xz"
    unpacked = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    try:
        for data in _decompress(file, name):
            if unpacked.tell() + len(data) > limit:
                raise _too_large(path, limit)
            unpacked.write(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        if name == "gzip" and _magic(unpacked)[_TAR_OFFSET:] != _TAR:
            raise InputError(f"{path}: damaged gzip data; download it again") from error
        raise _damaged_tar(path) from error
    unpacked.seek(0)
    return unpacked


def _decompress(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The decompressed bytes, never more than a chunk at once."""
    if name != "xz":
        opened = gzip.GzipFile(fileobj=file, mode="rb") if name == "gzip" else bz2.BZ2File(file)
        with opened as reader:
            yield from iter(lambda: reader.read1(CHUNK), b"")  # what comes before any damage
        return
    # LZMAFile has no limit for its memory.
    decompressor, data = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY), b""
    while True:
        if decompressor.eof:  # another stream may follow
            data = decompressor.unused_data or file.read(CHUNK)
            if not data.strip(b"\0"):
                return
            decompressor = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)
        elif decompressor.needs_input and not (data := file.read(CHUNK)):
            raise EOFError
        yield decompressor.decompress(data, CHUNK)
        data = b""


class _SmallReads:
    """A file of which zipfile reads its list of members only if that is small."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if size > MAX_ZIP_DIRECTORY:
            raise InputError(f"{self._path}: too many files in this zip archive; unpack it")
        return self._file.read(size)


def _zip_members(path: str, file: BinaryIO, budget: _Budget) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of the annotation files in a zip archive."""
    try:
        with zipfile.ZipFile(cast(BinaryIO, _SmallReads(path, file))) as members:
            for member in members.infolist():
                name = posixpath.normpath(member.filename)
                if member.is_dir() or not is_annotation(name):
                    continue
                # The other methods cannot be decompressed bit by bit.
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"{path}/{name}: compressed in a rare way; unpack it")
                with ExitStack() as stack:
                    with members.open(member) as content:
                        copy = budget.copy(f"{path}/{name}", content, stack)
                    yield f"{path}/{name}", copy
    except (
        zipfile.BadZipFile, RuntimeError, OSError, EOFError, ValueError, zlib.error
    ) as error:  # fmt: skip
        raise InputError(f"{path}: a damaged zip archive; download it again") from error


def _tar_members(path: str, file: BinaryIO, budget: _Budget) -> Iterator[tuple[str, BinaryIO]]:
    """Names and contents of the annotation files in a tar archive that is not compressed."""
    try:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_header_of(path)) as members:
            for member in members:
                name = posixpath.normpath(member.name)
                content = members.extractfile(member) if member.isfile() else None
                if content is not None and is_annotation(name):
                    with ExitStack() as stack:
                        yield f"{path}/{name}", budget.copy(f"{path}/{name}", content, stack)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise _damaged_tar(path) from error


def _header_of(path: str) -> type[tarfile.TarInfo]:
    """The class of one archive's headers. It counts them, because tarfile keeps them all."""

    class Header(tarfile.TarInfo):
        count = extended = 0

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
            header = super().frombuf(buf, encoding, errors)
            cls.count += 1
            if header.type in _EXTENDED_TYPES:
                cls.extended += max(header.size, 0)
            if cls.count > MAX_HEADERS or cls.extended > MAX_EXTENDED_BYTES:
                raise InputError(f"{path}: too many files in this tar archive; unpack it")
            if header.type == tarfile.GNUTYPE_SPARSE:
                raise tarfile.ReadError("a sparse file")
            return header

        def _proc_gnusparse_10(self, *_: Any) -> None:  # its list of holes has no limit
            raise tarfile.ReadError("a sparse file")

    return Header
