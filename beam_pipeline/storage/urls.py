"""Functions of paths and URLs as text. None of them touches storage."""

import os
import posixpath

GOOGLE, AMAZON, WEB = "gs", "s3", ("http", "https")

_ALIASES = {"gcs": GOOGLE, "s3a": AMAZON}

ALIASES = tuple(_ALIASES)
"""Alternative spellings of protocols."""


def canonical(protocol: str) -> str:
    """The spelling of a protocol that this package uses."""
    return _ALIASES.get(protocol, protocol)


def protocol_of(url: str) -> str:
    """The protocol of a URL in its canonical spelling; ``file`` for a path.

    Only the part before ``://`` counts. fsspec's URL chaining (``a::b``) is not supported,
    because it would interpret a file's name as an instruction.
    """
    protocol, separator, _ = url.partition("://")
    return canonical(protocol) if separator else "file"


def is_on_the_web(url: str) -> bool:
    """Whether a URL is a web address. It can be read, but not listed or written."""
    return protocol_of(url) in WEB


def is_local(url: str) -> bool:
    """Whether a path or URL is in the file system of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """The path of a local file."""
    return url.removeprefix("file://")


def absolute(url: str) -> str:
    """An absolute path or a canonical URL, without a slash at the end."""
    if is_local(url):
        return os.path.abspath(os.path.expanduser(local_path(url)))
    _, _, path = url.rstrip("/").partition("://")
    return f"{protocol_of(url)}://{path}"


def real(url: str) -> str:
    """A local path with its links resolved; a URL unchanged."""
    return os.path.realpath(url) if is_local(url) else url


def is_glob(argument: str) -> bool:
    """Whether an argument may be a pattern. It may also be a name that contains brackets."""
    return any(character in argument for character in "*?[")


def without_secrets(url: str) -> str:
    """An address without user and password and, on the web, without its query."""
    protocol, remote, rest = url.partition("://")
    if not remote:
        return url
    host, slash, path = rest.partition("/")
    if is_on_the_web(url):
        path = path.partition("#")[0].partition("?")[0]
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path}"


def join(base: str, *parts: str) -> str:
    """A path or URL below a base."""
    return posixpath.join(base, *parts)
