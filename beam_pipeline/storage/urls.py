"""Functions of paths and URLs as text. None of them touches storage."""

import os
import posixpath
import re
from urllib.parse import quote

from beam_pipeline.privacy import USER, public_address

GOOGLE, AMAZON, WEB = "gs", "s3", ("http", "https")

BUCKETS = (GOOGLE, AMAZON, "az", "abfs", "abfss", "oss")
"""Protocols of buckets, as this package spells them."""

_USER = re.compile(rf"(?:{USER})?")
_MARK = re.compile(r"#([0-9a-f]{8})(?=/|$)")
_QUOTED = re.compile(r"[\s'\"<>]")

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
    return canonical(protocol.lower()) if separator else "file"


def is_on_the_web(url: str) -> bool:
    """Whether a URL is a web address. It can be read, but not listed or written."""
    return "://" in url and protocol_of(url) in WEB


def is_local(url: str) -> bool:
    """Whether a path or URL is in the file system of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> str:
    """The path of a local file."""
    return url.removeprefix("file://")


def absolute(url: str) -> str:
    """An absolute path or a canonical URL, without a slash at the end.

    A web address loses its fragment, which is no part of a request.
    """
    if is_local(url):
        return os.path.abspath(os.path.expanduser(local_path(url)))
    _, _, path = url.partition("://")
    path = _request(path) if is_on_the_web(url) else path.rstrip("/")
    return f"{protocol_of(url)}://{path}"


def _request(address: str) -> str:
    """A web address without its protocol, with spaces and quotes of user and query encoded.

    So the end of what is secret is seen in any message that quotes the address.
    """
    found = _USER.match(address)
    user = found[0] if found else ""
    path, mark, query = address[len(user) :].partition("#")[0].partition("?")
    user, query = (_QUOTED.sub(lambda c: quote(c[0]), text) for text in (user, query))
    return f"{user}{path}{mark}{query}" if query else user + path.rstrip("/")


def real(url: str) -> str:
    """A local path with its links resolved; a URL unchanged."""
    return os.path.realpath(url) if is_local(url) else url


def is_glob(argument: str) -> bool:
    """Whether an argument may be a pattern. It may also be a name that contains brackets."""
    return any(character in argument for character in "*?[")


def without_query(url: str) -> str:
    """What names a file: a web address, or its public name, without its query; else unchanged."""
    if not is_on_the_web(url):
        return url
    return _MARK.sub("", url.partition("?")[0]).partition("#")[0]


def path_of(url: str) -> str:
    """What files made of a file are named after: its path, or its address without user and query.

    On the web the query's mark, see ``public_address``, stands before the suffix.

    >>> path_of("https://me@host/clips/a.mp4?id=1")
    'https://host/clips/a-d9fc91d4.mp4'
    """
    url = public_address(url, full=False)
    mark = _MARK.search(url) if is_on_the_web(url) else None
    if mark is None:
        return url
    stem, suffix = posixpath.splitext(url[: mark.start()])
    return f"{stem}-{mark[1]}{suffix}{url[mark.end() :]}"


def member(archive: str, name: str) -> str:
    """The public name of a file in an archive: ``ARCHIVE/MEMBER``."""
    if is_on_the_web(archive):
        name = name.replace("?", "%3F").replace("#", "%23")
    return f"{public_address(archive)}/{name}"


def name_in(archive: str, path: str) -> str:
    """The name of a file in an archive, from its public name, see ``member``."""
    name = path.removeprefix(member(archive, ""))
    return name.replace("%3F", "?").replace("%23", "#") if is_on_the_web(archive) else name


def below(folder: str, name: str) -> str:
    """An address that a relative name gives; ``..`` does not lead out of the host or bucket."""
    protocol, _, place = folder.partition("://")
    host, _, path = place.partition("/")
    name, mark, query = name.partition("?") if is_on_the_web(folder) else (name, "", "")
    path = posixpath.join("/", path, name)
    if ".." in path.split("/"):
        path = posixpath.normpath(path)
    return f"{protocol}://{host}/{path.lstrip('/')}{mark}{query}"


def join(base: str, *parts: str) -> str:
    """A path or URL below a base."""
    # As posixpath joins them, in half of its time: the plan does this for each clip, twice.
    path = base
    for part in parts:
        if part.startswith("/"):
            path = part
        elif not path or path.endswith("/"):
            path += part
        else:
            path = f"{path}/{part}"
    return path
