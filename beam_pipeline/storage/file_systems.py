"""Which fsspec file system opens a path or URL, and with which options."""

import errno
import inspect
import json
from typing import Any, TypeAlias

import fsspec

from beam_pipeline.privacy import passed_options
from beam_pipeline.storage import urls
from beam_pipeline.storage.retries import Unavailable, type_and_message

FileSystem: TypeAlias = fsspec.AbstractFileSystem

EVERY_PROTOCOL = "*"

_options: dict[str, dict[str, Any]] | None = None


def configure(options: dict[str, dict[str, Any]]) -> None:
    """Set the file system options of each protocol for this process."""
    global _options
    _options = options


def parse_options(text: str | None) -> dict[str, dict[str, Any]]:
    """Parse ``--storage_options``: a JSON object per protocol, or one object for all protocols.

    Raises:
        ValueError: the text is neither.
    """
    if not text:
        return {}
    options: Any = json.loads(text)
    if not isinstance(options, dict):
        raise ValueError("not an object")
    protocols = {*urls.ALIASES, *fsspec.available_protocols()}
    with_options = {name for name, value in options.items() if isinstance(value, dict)} & protocols
    if not with_options and not options.keys() <= protocols:
        return {EVERY_PROTOCOL: options}
    if without_options := sorted(options.keys() - with_options):
        raise ValueError(f"not an object for each protocol: check {without_options[0]!r}")
    return {urls.canonical(name): value for name, value in options.items()}


def _options_of(protocol: str) -> dict[str, Any]:
    if _options is None:
        configure(parse_options(passed_options().get("storage_options")))
    assert _options is not None
    return _options.get(protocol, _options.get(EVERY_PROTOCOL, {}))


def filesystem(url: str) -> FileSystem:
    """The file system of a path or URL.

    Raises:
        Unavailable: it cannot be created with the options.
    """
    protocol = urls.protocol_of(url)
    if protocol == "file":
        return fsspec.filesystem(protocol, use_listings_cache=False)
    options = {**_options_of(protocol), "use_listings_cache": False}
    try:
        return filesystem_class(url)(**options)
    except Exception as error:
        remedy = _REMEDIES.get(protocol, "check --storage_options")
        message = f"{protocol}:// cannot be used: {_short(type_and_message(error))}; {remedy}"
        raise Unavailable(errno.EINVAL, message) from error


_REMEDIES = {
    "hdfs": "it needs Java and Hadoop's libhdfs on every machine; or copy the files to this machine"
}
"""What to do if the package of a protocol cannot be used; of others it is the options."""

_SHOWN = 160
"""Characters of a package's own words: some repeat one line for each place they have looked at."""


def _short(text: str) -> str:
    """The first words of a text."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN].rsplit(' ', 1)[0]} …"


def missing_options(url: str) -> list[str]:
    """The options without which the file system of a path or URL cannot be made, by name."""
    if (protocol := urls.protocol_of(url)) == "file":
        return []
    _, *parameters = inspect.signature(filesystem_class(url).__init__).parameters.values()
    given = _options_of(protocol)
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and parameter.name not in given
    ]


def filesystem_class(url: str) -> type[FileSystem]:
    """The class that opens a path or URL.

    Raises:
        ValueError, ImportError: the protocol is unknown, or its package is not installed.
    """
    protocol = urls.protocol_of(url)
    if protocol == urls.GOOGLE:
        from beam_pipeline.storage.google_storage import GoogleFileSystem

        return GoogleFileSystem
    if protocol in urls.WEB:
        from beam_pipeline.storage.web_storage import WebFileSystem

        return WebFileSystem
    if protocol == urls.AMAZON:
        from beam_pipeline.storage.amazon_storage import AmazonFileSystem

        return AmazonFileSystem
    fs_class: type[FileSystem] = fsspec.get_filesystem_class(protocol)
    return fs_class
