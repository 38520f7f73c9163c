"""Which fsspec file system opens a path or URL, and with which options."""

import errno
import json
from typing import Any, TypeAlias

import fsspec

from beam_pipeline.storage import urls
from beam_pipeline.storage.retries import Unavailable, one_line

FileSystem: TypeAlias = fsspec.AbstractFileSystem

EVERY_PROTOCOL = "*"

_options: dict[str, dict[str, Any]] | None = None


def configure(options: dict[str, dict[str, Any]]) -> None:
    """Set the options of each protocol's file system, for this process."""
    global _options
    _options = options


def parse_options(text: str | None) -> dict[str, dict[str, Any]]:
    """Parse ``--storage_options``: a JSON object per protocol, or one object for all of them.

    Raises:
        ValueError: it is something else.
    """
    if not text:
        return {}
    options: Any = json.loads(text)
    if not isinstance(options, dict):
        raise ValueError("not an object")
    protocols = {*urls.ALIASES, *fsspec.available_protocols()}
    of_protocols = {name for name, each in options.items() if isinstance(each, dict)} & protocols
    if not of_protocols and not options.keys() <= protocols:
        return {EVERY_PROTOCOL: options}
    if others := sorted(options.keys() - of_protocols):
        raise ValueError(f"not an object for each protocol: see {others[0]!r}")
    return {urls.canonical(name): each for name, each in options.items()}


def _options_of(protocol: str) -> dict[str, Any]:
    if _options is None:
        # A worker on another machine: Beam has given it the options of the command line.
        from apache_beam.io.filesystems import FileSystems

        given = FileSystems._pipeline_options
        options = given.get_all_options(retain_unknown_options=True) if given else {}
        configure(parse_options(options.get("storage_options")))
    assert _options is not None
    return _options.get(protocol, _options.get(EVERY_PROTOCOL, {}))


def filesystem(url: str) -> FileSystem:
    """The file system of a path or URL."""
    protocol = urls.protocol_of(url)
    if protocol == "file":
        return fsspec.filesystem(protocol, use_listings_cache=False)
    options = {**_options_of(protocol), "use_listings_cache": False}
    try:
        return filesystem_class(url)(**options)
    except Exception as error:
        message = f"{protocol}:// cannot be used: {one_line(error)}; see to --storage_options"
        raise Unavailable(errno.EINVAL, message) from error


def filesystem_class(url: str) -> type[FileSystem]:
    """The class that opens a path or URL.

    Raises:
        ValueError, ImportError: the protocol is unknown, or its package is not installed.
    """
    protocol = urls.protocol_of(url)
    if protocol == urls.GOOGLE:
        from beam_pipeline.storage.google_storage import GoogleStorage

        return GoogleStorage
    if protocol in urls.WEB:
        from beam_pipeline.storage.web_storage import Web

        return Web
    found: type[FileSystem] = fsspec.get_filesystem_class(protocol)
    return found
