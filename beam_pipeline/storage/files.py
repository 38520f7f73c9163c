"""Reads, writes and listings of files, wherever they are. Transient faults are retried here."""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from beam_pipeline.storage import urls
from beam_pipeline.storage.file_systems import FileSystem, filesystem
from beam_pipeline.storage.retries import with_retries


class Entry(NamedTuple):
    """What a listing says of a file or folder; ``size`` is in bytes, None where unknown."""

    url: str
    is_folder: bool
    size: int | None


def _entry(fs: FileSystem, url: str, info: dict[str, Any]) -> Entry:
    # A link to a folder is listed as neither file nor folder.
    is_folder = info["type"] == "directory" or bool(info.get("islink") and fs.isdir(info["name"]))
    name = str(info["name"])
    if not urls.is_local(url):
        name = (
            f"{urls.protocol_of(url)}://{name.rstrip('/').partition('://')[2] or name.rstrip('/')}"
        )
    size = info.get("size")
    return Entry(name, is_folder, size if isinstance(size, int) else None)


@with_retries
def read(url: str, end: int | None = None, begin: int | None = None) -> bytes:
    """All bytes of a file, or those from ``begin`` up to ``end``, as far as it goes."""
    try:
        data: bytes = filesystem(url).cat_file(url, start=begin, end=end)
    except OSError as error:
        if error.errno == errno.ERANGE:  # what is asked of an empty object
            return b""
        raise
    return data


@with_retries
def info(url: str) -> Entry:
    """What there is of that name.

    Raises:
        FileNotFoundError: nothing is; of an address on the web only reading it tells.
    """
    if urls.is_on_the_web(url):
        return Entry(url, is_folder=False, size=None)
    fs = filesystem(url)
    return _entry(fs, url, fs.info(url))


def exists(url: str) -> bool:
    """Whether there is such a file or folder."""
    try:
        info(url)
    except FileNotFoundError:
        return False
    return True


@with_retries
def list_folder(url: str) -> list[Entry]:
    """What is in a folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    fs = filesystem(url)
    entries = [_entry(fs, url, info) for info in fs.ls(url, detail=True)]
    return [entry for entry in entries if entry.url != url]  # a bucket may list the folder too


def list_names(url: str) -> list[str]:
    """What is in a folder, by full path or URL; nothing where there is no such folder."""
    try:
        return sorted(entry.url for entry in list_folder(url))
    except FileNotFoundError:
        return []


@with_retries
def glob(pattern: str) -> list[Entry]:
    """What matches a pattern, sorted."""
    fs = filesystem(pattern)
    return sorted(_entry(fs, pattern, info) for info in fs.glob(pattern, detail=True).values())


@with_retries
def find(url: str) -> list[Entry]:
    """Every file below a folder, to the bottom, sorted."""
    fs = filesystem(url)
    return sorted(_entry(fs, url, info) for info in fs.find(url, detail=True).values())


@with_retries
def write(url: str, data: bytes) -> None:
    """Write an object, which appears whole; of a URL, for local files do not."""
    filesystem(url).pipe_file(url, data)


@with_retries
def upload(path: str, url: str) -> None:
    """Write an object from a local file."""
    filesystem(url).put_file(path, url)


@with_retries
def download(url: str, path: str) -> None:
    """Copy a file to a local one."""
    filesystem(url).get_file(url, path)


@with_retries
def remove(url: str) -> None:
    """Remove a file or a whole folder.

    Raises:
        FileNotFoundError: it is not there.
    """
    fs = filesystem(url)
    if urls.is_local(url):
        fs.rm(url, recursive=True)
        return
    # Name by name, for fsspec takes a name with brackets in it for a pattern.
    names = [entry.url for entry in find(url)]
    if plain := [name for name in names if not urls.is_glob(name)]:
        fs.rm(plain)
    for name in names:
        if urls.is_glob(name):
            fs.rm_file(name)


def web_stream(url: str) -> io.RawIOBase:
    """An address on the web, read from front to back."""
    from beam_pipeline.storage.web_storage import WebStream

    return WebStream(filesystem(url), url)


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """A file to read, from any place in it; what is not local is read in one go."""
    if urls.is_local(url):
        with open(urls.local_path(url), "rb") as file:
            yield file
    else:
        yield io.BytesIO(read(url))
