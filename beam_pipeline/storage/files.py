"""Read, write and list files in any storage. Transient errors are retried here."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from beam_pipeline.storage import responses, urls
from beam_pipeline.storage.file_systems import FileSystem, filesystem
from beam_pipeline.storage.retries import with_retries

if TYPE_CHECKING:
    from beam_pipeline.storage.web_storage import WebStream


class Entry(NamedTuple):
    """A file or folder in a listing. ``size`` is in bytes, None if unknown.

    ``version`` is an object's generation or ETag, if ``read`` can hold to it.
    """

    url: str
    is_folder: bool
    size: int | None
    version: str | None = None


_VERSIONS = {urls.GOOGLE: "generation", urls.AMAZON: "ETag"}
"""What tells the versions of an object from each other."""


def _entry(fs: FileSystem, url: str, info: dict[str, Any]) -> Entry:
    # fsspec lists a link to a folder as neither file nor folder.
    is_folder = info["type"] == "directory" or bool(info.get("islink") and fs.isdir(info["name"]))
    name = str(info["name"])
    if not urls.is_local(url):
        name = (
            f"{urls.protocol_of(url)}://{name.rstrip('/').partition('://')[2] or name.rstrip('/')}"
        )
    size = info.get("size")
    version = info.get(_VERSIONS.get(urls.protocol_of(url), ""))
    return Entry(
        name, is_folder, size if isinstance(size, int) else None, str(version) if version else None
    )


@with_retries
def read(
    url: str, end: int | None = None, begin: int | None = None, version: str | None = None
) -> bytes:
    """The bytes of a file from ``begin`` up to ``end``; fewer if the file is shorter.

    Raises:
        TooLarge: there is no ``end``, and a remote file has more than ``responses.MAX_READ`` bytes.
        Changed: the file has another ``version`` now.
    """
    if urls.is_local(url):
        with open(urls.local_path(url), "rb") as file:  # fsspec would take half as long again
            file.seek(begin or 0)
            return file.read(-1 if end is None else end - (begin or 0))
    options = {} if version is None else {"version": version}
    try:
        data: bytes = filesystem(url).cat_file(url, start=begin, end=end, **options)
    except OSError as error:
        if error.errno == errno.ERANGE:  # a range of an empty object
            return b""
        raise
    return data


@with_retries
def info(url: str) -> Entry:
    """The file or folder of that name. For a web address it is not checked that it exists.

    Raises:
        FileNotFoundError: there is none.
    """
    if urls.is_on_the_web(url):
        return Entry(url, is_folder=False, size=None)
    fs = filesystem(url)
    return _entry(fs, url, fs.info(url))


def size_of(url: str) -> int | None:
    """The size of a file in bytes; None if a server does not state it.

    Raises:
        FileNotFoundError: there is none.
    """
    return _stated_size(url) if urls.is_on_the_web(url) else info(url).size


@with_retries
def _stated_size(url: str) -> int | None:
    with web_stream(url) as stream:
        stream.read(1)
        return stream.length


def exists(url: str) -> bool:
    """Whether a file or folder exists."""
    try:
        info(url)
    except FileNotFoundError:
        return False
    return True


@with_retries
def list_folder(url: str) -> list[Entry]:
    """The files and folders in a folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    fs = filesystem(url)
    entries = [_entry(fs, url, info) for info in fs.ls(url, detail=True)]
    return [entry for entry in entries if entry.url != url]  # a bucket may list the folder too


def list_names(url: str) -> list[str]:
    """The full paths or URLs of what is in a folder, sorted; empty if there is no such folder."""
    try:
        return sorted(entry.url for entry in list_folder(url))
    except FileNotFoundError:
        return []


@with_retries
def glob(pattern: str) -> list[Entry]:
    """The files and folders that match a pattern, sorted."""
    fs = filesystem(pattern)
    return sorted(_entry(fs, pattern, info) for info in fs.glob(pattern, detail=True).values())


@with_retries
def find(url: str) -> list[Entry]:
    """All files below a folder, at any depth, sorted."""
    fs = filesystem(url)
    return sorted(_entry(fs, url, info) for info in fs.find(url, detail=True).values())


@with_retries
def write(url: str, data: bytes) -> None:
    """Write an object at a URL. It appears in one step; a local file would not."""
    filesystem(url).pipe_file(url, data)


@with_retries
def upload(path: str, url: str) -> None:
    """Upload a local file as an object."""
    filesystem(url).put_file(path, url)


@with_retries
def download(url: str, path: str, limit: int | None = None) -> None:
    """Download a file to a local path.

    Raises:
        TooLarge: it has more than ``limit`` bytes, ``responses.MAX_DOWNLOAD`` if that is None.
    """
    limit = responses.MAX_DOWNLOAD if limit is None else limit
    if urls.protocol_of(url) in _VERSIONS:
        filesystem(url).get_file(url, path, limit=limit)
        return
    if not urls.is_on_the_web(url):
        responses.check_size(info(url).size or 0, limit)
        filesystem(url).get_file(url, path)
        return
    with web_stream(url) as stream, open(path, "wb") as file:
        size = 0
        while data := stream.read(responses.CHUNK):
            size += len(data)
            responses.check_size(max(size, stream.length or 0), limit)
            file.write(data)


@with_retries
def remove(url: str) -> None:
    """Remove a file or a whole folder.

    Raises:
        FileNotFoundError: there is none.
    """
    fs = filesystem(url)
    if urls.is_local(url):
        fs.rm(url, recursive=True)
        return
    # fsspec would take a name with brackets for a pattern, so these are removed one by one.
    names = [entry.url for entry in find(url)]
    if plain := [name for name in names if not urls.is_glob(name)]:
        fs.rm(plain)
    for name in names:
        if urls.is_glob(name):
            fs.rm_file(name)


def web_stream(url: str) -> "WebStream":
    """A web address as a stream, read from front to back."""
    from beam_pipeline.storage.web_storage import WebStream

    return WebStream(filesystem(url), url)


@contextmanager
def open_file(url: str, limit: int | None = None) -> Iterator[BinaryIO]:
    """A seekable file for reading. A file that is not local is copied to a temporary one.

    Raises:
        TooLarge: it is not local, and too large, see ``download``.
    """
    with ExitStack() as stack:
        if urls.is_local(url):
            path = urls.local_path(url)
        else:
            path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "copy")
            download(url, path, limit)
        yield stack.enter_context(open(path, "rb"))
