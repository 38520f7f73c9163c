"""Paths and URLs as text: nothing here touches storage."""

import os
import posixpath

GOOGLE, WEB = "gs", ("http", "https")

_ALIASES = {"gcs": GOOGLE, "s3a": "s3"}

ALIASES = tuple(_ALIASES)
"""Other spellings of a protocol."""


def canonical(protocol: str) -> str:
    """The one spelling of a protocol that is used from here on."""
    return _ALIASES.get(protocol, protocol)


def protocol_of(url: str) -> str:
    """The protocol of a URL in its canonical spelling; ``file`` for a path.

    Only what stands before ``://`` counts: fsspec's own URL chaining (``a::b``) would make a
    file's name an instruction.
    """
    protocol, separator, _ = url.partition("://")
    return canonical(protocol) if separator else "file"


def is_on_the_web(url: str) -> bool:
    """Whether a URL is a web address, which can be read but not listed or written."""
    return protocol_of(url) in WEB


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
    return f"{protocol_of(url)}://{path}"


def real(url: str) -> str:
    """A local path with its links followed; a URL as it is."""
    return os.path.realpath(url) if is_local(url) else url


def is_glob(argument: str) -> bool:
    """Whether an argument can be a pattern. It may still be a name with brackets in it."""
    return any(character in argument for character in "*?[")


def join(base: str, *parts: str) -> str:
    """Path or URL below a base."""
    return posixpath.join(base, *parts)
