"""Files wherever they are: fsspec, opened where the work is, and asked again where a fault is."""

import errno
import io
import json
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import fsspec

from beam_pipeline.storage.retries import Unavailable, told, tried

FileSystem: TypeAlias = fsspec.AbstractFileSystem

GOOGLE, WEB = "gs", ("http", "https")
EVERY_PROTOCOL = "*"
_SPELLINGS = {"gcs": GOOGLE, "s3a": "s3"}

# File systems

_options: dict[str, dict[str, Any]] | None = None


def configure(options: dict[str, dict[str, Any]]) -> None:
    """Set what fsspec is told, by protocol, in this process."""
    global _options
    _options = options


def parse_options(text: str | None) -> dict[str, dict[str, Any]]:
    """``--storage_options``: JSON of an object for each protocol, or of one for whatever is used.

    Raises:
        ValueError: it is something else.
    """
    if not text:
        return {}
    options: Any = json.loads(text)
    if not isinstance(options, dict):
        raise ValueError("not an object")
    protocols = {*_SPELLINGS, *fsspec.available_protocols()}
    of_protocols = {name for name, each in options.items() if isinstance(each, dict)} & protocols
    if not of_protocols and not options.keys() <= protocols:
        return {EVERY_PROTOCOL: options}
    if others := sorted(options.keys() - of_protocols):
        raise ValueError(f"not an object for each protocol: see {others[0]!r}")
    return {_spelt(name): each for name, each in options.items()}


def _options_of(protocol: str) -> dict[str, Any]:
    if _options is None:
        # A worker elsewhere: Beam has given it the command line's options.
        from apache_beam.io.filesystems import FileSystems

        given = FileSystems._pipeline_options
        options = given.get_all_options(retain_unknown_options=True) if given else {}
        configure(parse_options(options.get("storage_options")))
    assert _options is not None
    return _options.get(protocol, _options.get(EVERY_PROTOCOL, {}))


def filesystem(url: str) -> FileSystem:
    """The file system of a path or URL.

    Only the protocol in front of ``://`` counts: fsspec's own URL chaining (``a::b``) would
    make a file's name an instruction.
    """
    protocol = _protocol(url)
    if protocol == "file":
        return fsspec.filesystem(protocol, use_listings_cache=False)
    options = {**_options_of(protocol), "use_listings_cache": False}
    try:
        return filesystem_class(url)(**options)
    except Exception as error:
        message = f"{protocol}:// cannot be used: {told(error)}; see to --storage_options"
        raise Unavailable(errno.EINVAL, message) from error


def filesystem_class(url: str) -> type[FileSystem]:
    """What would open a path or URL.

    Raises:
        ValueError, ImportError: nobody knows the protocol, or its package is not installed.
    """
    protocol = _protocol(url)
    if protocol == GOOGLE:
        from beam_pipeline.storage.google_storage import GoogleStorage

        return GoogleStorage
    if protocol in WEB:
        from beam_pipeline.storage.web_storage import Web

        return Web
    found: type[FileSystem] = fsspec.get_filesystem_class(protocol)
    return found


def _protocol(url: str) -> str:
    protocol, separator, _ = url.partition("://")
    return _spelt(protocol) if separator else "file"


def _spelt(protocol: str) -> str:
    return _SPELLINGS.get(protocol, protocol)


# Paths and URLs


def is_on_the_web(url: str) -> bool:
    """Whether a URL is an address that can be read and nothing else."""
    return _protocol(url) in WEB


def is_local(url: str) -> bool:
    """Whether a path or URL is a plain file of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """The path of a local file."""
    return url.removeprefix("file://")


def absolute(url: str) -> str:
    """A path or URL that means the same from anywhere, without a slash at the end."""
    if is_local(url):
        return os.path.abspath(os.path.expanduser(local_path(url)))
    _, _, path = url.rstrip("/").partition("://")
    return f"{_protocol(url)}://{path}"


def real(url: str) -> str:
    """A local path with its links followed; a URL as it is."""
    return os.path.realpath(url) if is_local(url) else url


def is_glob(argument: str) -> bool:
    """Whether an argument can be a pattern; it may still be a name with brackets in it."""
    return any(character in argument for character in "*?[")


def join(base: str, *parts: str) -> str:
    """Path or URL below a base."""
    return posixpath.join(base, *parts)


# Calls


class Entry(NamedTuple):
    """What a listing says of a file or folder; ``size`` is in bytes, None where unknown."""

    url: str
    is_folder: bool
    size: int | None


def _entry(fs: FileSystem, url: str, info: dict[str, Any]) -> Entry:
    # A link to a folder is listed as neither file nor folder.
    is_folder = info["type"] == "directory" or bool(info.get("islink") and fs.isdir(info["name"]))
    name = str(info["name"])
    if not is_local(url):
        name = f"{_protocol(url)}://{name.rstrip('/').partition('://')[2] or name.rstrip('/')}"
    size = info.get("size")
    return Entry(name, is_folder, size if isinstance(size, int) else None)


@tried
def read(url: str, end: int | None = None, begin: int | None = None) -> bytes:
    """All bytes of a file, or those from ``begin`` up to ``end``, as far as it goes."""
    try:
        data: bytes = filesystem(url).cat_file(url, start=begin, end=end)
    except OSError as error:
        if error.errno == errno.ERANGE:  # what is asked of an empty object
            return b""
        raise
    return data


@tried
def info(url: str) -> Entry:
    """What there is of that name.

    Raises:
        FileNotFoundError: nothing is; of an address on the web only reading it tells.
    """
    if is_on_the_web(url):
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


@tried
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


@tried
def glob(pattern: str) -> list[Entry]:
    """What matches a pattern, sorted."""
    fs = filesystem(pattern)
    return sorted(_entry(fs, pattern, info) for info in fs.glob(pattern, detail=True).values())


@tried
def find(url: str) -> list[Entry]:
    """Every file below a folder, to the bottom, sorted."""
    fs = filesystem(url)
    return sorted(_entry(fs, url, info) for info in fs.find(url, detail=True).values())


@tried
def write(url: str, data: bytes) -> None:
    """Write an object, which appears whole; of a URL, for local files do not."""
    filesystem(url).pipe_file(url, data)


@tried
def upload(path: str, url: str) -> None:
    """Write an object from a local file."""
    filesystem(url).put_file(path, url)


@tried
def download(url: str, path: str) -> None:
    """Copy a file to a local one."""
    filesystem(url).get_file(url, path)


@tried
def remove(url: str) -> None:
    """Remove a file or a whole folder.

    Raises:
        FileNotFoundError: it is not there.
    """
    fs = filesystem(url)
    if is_local(url):
        fs.rm(url, recursive=True)
        return
    # Name by name, for fsspec takes a name with brackets in it for a pattern.
    names = [entry.url for entry in find(url)]
    if plain := [name for name in names if not is_glob(name)]:
        fs.rm(plain)
    for name in names:
        if is_glob(name):
            fs.rm_file(name)


def web_stream(url: str) -> io.RawIOBase:
    """An address on the web, read from front to back."""
    from beam_pipeline.storage.web_storage import WebStream

    return WebStream(filesystem(url), url)


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """A file to read, from any place in it; what is not local is read in one go."""
    if is_local(url):
        with open(local_path(url), "rb") as file:
            yield file
    else:
        yield io.BytesIO(read(url))
