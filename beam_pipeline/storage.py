"""Files wherever they are: fsspec, opened where the work is."""

import errno
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

import fsspec
import tenacity

FileSystem: TypeAlias = fsspec.AbstractFileSystem

# What another try cannot change.
_FINAL = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS,
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL,
}  # fmt: skip


def _passing(error: BaseException) -> bool:
    return (
        isinstance(error, OSError)
        and not isinstance(error, FileNotFoundError)
        and error.errno not in _FINAL
    )


retrying = tenacity.retry(
    retry=tenacity.retry_if_exception(_passing),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
    stop=tenacity.stop_after_attempt(5),
    reraise=True,
)
"""Tries a storage call again, with back-off, while its error may pass."""


def filesystem(url: str) -> FileSystem:
    """The file system of a path or URL.

    Only the protocol in front of ``://`` counts: fsspec's own URL chaining (``a::b``) would
    make a file's name an instruction.
    """
    return fsspec.filesystem(_protocol(url), use_listings_cache=False)


def filesystem_class(url: str) -> type[FileSystem]:
    """What would open a path or URL.

    Raises:
        ValueError, ImportError: nobody knows the protocol, or its package is not installed.
    """
    found: type[FileSystem] = fsspec.get_filesystem_class(_protocol(url))
    return found


def _protocol(url: str) -> str:
    protocol, separator, _ = url.partition("://")
    return protocol if separator else "file"


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
    return url.rstrip("/")


def real(url: str) -> str:
    """A local path with its links followed; a URL as it is."""
    return os.path.realpath(url) if is_local(url) else url


def is_glob(argument: str) -> bool:
    """Whether an argument can be a pattern; it may still be a name with brackets in it."""
    return any(character in argument for character in "*?[")


def url_of(fs: FileSystem, path: str) -> str:
    """The path or URL of what a file system has listed."""
    return path if "file" in fs.protocol else str(fs.unstrip_protocol(path))


def join(base: str, *parts: str) -> str:
    """Path or URL below a base."""
    return posixpath.join(base, *parts)


@retrying
def read(url: str) -> bytes:
    """All bytes of a file."""
    data: bytes = filesystem(url).cat_file(url)
    return data


@retrying
def size_of(url: str) -> int:
    """Bytes of a file."""
    return int(filesystem(url).info(url)["size"])


def exists(url: str) -> bool:
    """Whether there is such a file or folder."""
    return bool(filesystem(url).exists(url))


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """A file to read, from any place in it."""
    with filesystem(url).open(url, "rb") as file:
        yield file


def list_names(url: str) -> list[str]:
    """What is in a folder, by full path or URL; nothing where there is no such folder."""
    fs = filesystem(url)
    try:
        return sorted(url_of(fs, path) for path in fs.ls(url, detail=False))
    except FileNotFoundError:
        return []
