"""Find and read annotation files, also those inside archives."""

import gzip
import io
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress

import apache_beam as beam

from beam_pipeline.annotations.formats import parse
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import ANNOTATION_EXTENSIONS, is_video
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files, urls

# Magic numbers of gzip, bzip2 and xz, of zip, and that of tar with its offset in the first header.
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_COMPRESSED = (_GZIP, b"BZh", b"\xfd7zXZ")
_TAR, _TAR_OFFSET = b"ustar", 257


class ReadFiles(beam.PTransform):
    """Read every annotation in the files of the ``--annotations`` arguments.

    The input is (rank, argument); ranks number the arguments in order. ``lists`` are files that
    this run writes: none of them may be an annotation file.
    """

    def __init__(self, lists: Collection[str] = ()) -> None:
        super().__init__()
        self._lists = frozenset(urls.real(path) for path in lists)

    def expand(self, arguments: beam.PCollection[tuple[int, str]]) -> beam.PCollection[Annotation]:
        return (
            arguments
            | "Find files"
            >> beam.FlatMapTuple(find_files, self._lists).with_output_types(tuple[int, str])
            | "Spread files" >> beam.Reshuffle()
            | "Read files" >> beam.FlatMapTuple(read_file).with_output_types(Annotation)
        )


def find_files(rank: int, argument: str, lists: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """The annotation files that an argument names: a file, a folder or a glob.

    Raises:
        InputError: there is no such file, or this run would overwrite it, as it is in ``lists``.
    """
    try:
        found = _find(argument)
    except OSError as error:
        raise InputError(f"--annotations {argument}: {error.strerror or error}") from error
    for path in sorted(found):
        if urls.real(path) in lists:
            raise InputError(
                f"--annotations {path}: this run writes the list of a split to this file; type "
                "another --output"
            )
        yield rank, path


def _find(argument: str) -> list[str]:
    try:
        named = files.info(argument)
    except FileNotFoundError:
        found = files.glob(argument) if urls.is_glob(argument) else []
        if not found:
            raise InputError(f"--annotations {argument}: there is no such file or folder") from None
        return [entry.url for entry in found]
    if not named.is_folder:
        return [argument]
    below = files.find(argument)
    found = [entry for entry in below if _is_annotation(entry.url)]
    if not found and any(is_video(entry.url) for entry in below):
        raise InputError(
            f"--annotations {argument}: this folder holds videos, no annotations; type --videos "
            f"{argument}, and the folder of the annotation files as --annotations"
        )
    if not found:
        raise InputError(
            f"--annotations {argument}: no .csv or .json file in this folder; to read an "
            "archive, type its path"
        )
    return [entry.url for entry in found]


def read_file(rank: int, path: str) -> Iterator[Annotation]:
    """Every annotation in one file, or in all annotation files of an archive."""
    try:
        data = files.read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if data.startswith(_GZIP) and not _is_tar(data):
        data = _decompress(path, data)
    if data.startswith(_ZIP):
        members = list(_zip_members(path, data))
    elif not data.startswith(_COMPRESSED) and data[_TAR_OFFSET : _TAR_OFFSET + len(_TAR)] != _TAR:
        yield from parse(rank, public_address(path), data)
        return
    else:
        members = list(_members(path, data))
    if not members:
        raise InputError(f"{path}: no .csv or .json file in this archive")
    shown = public_address(path, full=False)
    for name, content in members:
        if content.startswith(_GZIP):
            content = _decompress(f"{path}/{name}", content)
        yield from parse(rank, f"{shown}/{name}", content)


def _is_annotation(name: str) -> bool:
    hidden = posixpath.basename(name).startswith(".")  # such as the ._ files of macOS
    return name.lower().endswith(ANNOTATION_EXTENSIONS) and not hidden


def _is_tar(data: bytes) -> bool:
    """Whether gzip data holds a tar archive, by its first header."""
    with suppress(OSError, EOFError, zlib.error), gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(_TAR_OFFSET + len(_TAR))[_TAR_OFFSET:] == _TAR
    return False


def _decompress(path: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip data; download it again") from error


def _zip_members(path: str, archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the annotation files in a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as members:
            for member in members.infolist():
                name = posixpath.normpath(member.filename)
                if not member.is_dir() and _is_annotation(name):
                    yield name, members.read(member)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: a damaged zip archive; download it again") from error


def _members(path: str, archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the annotation files in a tar archive, compressed or not."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member in members:
                name = posixpath.normpath(member.name)
                if member.isfile() and _is_annotation(name):
                    content = members.extractfile(member)
                    yield name, content.read() if content else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: not a tar archive, or a damaged one; unpack it or download it again"
        ) from error
