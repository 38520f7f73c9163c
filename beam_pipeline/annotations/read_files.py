"""Find and read annotation files, also those inside archives."""

import io
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Collection, Iterator

import apache_beam as beam

from beam_pipeline.annotations.formats import parse
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.storage import files, urls

EXTENSIONS = (".csv", ".json")
"""Files that are read from a folder or an archive of annotations."""

# Magic numbers of gzip, bzip2 and xz, and that of tar with its offset in the first header.
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
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
    found = [entry for entry in files.find(argument) if _is_annotation(entry.url)]
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
    if not data.startswith(_COMPRESSED) and data[_TAR_OFFSET : _TAR_OFFSET + len(_TAR)] != _TAR:
        yield from parse(rank, path, data)
        return
    members = list(_members(path, data))
    if not members:
        raise InputError(f"{path}: no .csv or .json file in this archive")
    for name, content in members:
        yield from parse(rank, f"{path}/{name}", content)


def _is_annotation(name: str) -> bool:
    hidden = posixpath.basename(name).startswith(".")  # such as the ._ files of macOS
    return name.lower().endswith(EXTENSIONS) and not hidden


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
