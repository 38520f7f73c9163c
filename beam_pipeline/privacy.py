"""What may be shown of addresses, options and names: the one rule for rows, files and messages.

Addresses are read as they were given. Where one is written or shown, its public name stands, and
a text that may hold one, such as the message of a package, is redacted. ``errors.py`` and
``Row.of`` do so for every message and row.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

HIDDEN = "…"
"""Stands for a value of ``--storage_options``."""

# With a raw slash in the password too, which no server would take, but people type.
USER = r"(?:[^/]*|[^/:@\[]+:(?!\d*[/?#])[^@]*)@"
"""Matches user and password of an address, from behind its ``://`` to the ``@``."""

_USER_IN_TEXT = r"(?:[^/\s]*|[^/\s:@\[]+:(?!\d*[/?#])[^\s@]*)@"

_PROTOCOL = r"[A-Za-z][A-Za-z0-9+.-]{0,30}://"
_ADDRESS = re.compile(rf"({_PROTOCOL})({USER})?(.*)", re.DOTALL)
_REQUEST = re.compile(r"([^?#]*)(?:\?([^#]*))?(#.*)?", re.DOTALL)
_MARK = re.compile(r"#[0-9a-f]{8}(/.*)?", re.DOTALL)

_WATCH = re.compile(r"https://www\.youtube\.com/watch\?v=[\w%.~-]+", re.ASCII)
"""The public address of a video, whose query is its name."""

# In a text, the path of an address may hold spaces: a query is also found without its address.
_IN_TEXT = re.compile(
    rf"(?P<address>{_PROTOCOL}(?:{_USER_IN_TEXT})?[^\s'\"<>]*)"
    r"|\?(?P<query>(?=[\w%])[^\s'\"<>]+)"
)
_PUNCTUATION = ".,:;)]}"

_SIGNATURE = {
    "signature", "sig", "expires", "token", "access_token", "auth_token", "policy", "key-pair-id",
    "awsaccesskeyid", "googleaccessid",
}  # fmt: skip
_SIGNATURE_PREFIXES = ("x-amz-", "x-goog-")
_WITH_SIG = {
    "sv", "ss", "srt", "sr", "sp", "st", "se", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks",
    "skv",
}  # fmt: skip
"""Parts of a query that sign a request and change with each signature; the last are Azure's."""

_SECRET_OPTION = re.compile(
    r"key|secret|token|pass|auth|cookie|credential|header|user|account|sas|connection|cert",
    re.IGNORECASE,
)
_NO_SECRETS = {"anon", "google_default", "cloud", "browser", "cache", "bearer", "basic"}
"""Words that gcsfs and headers give a meaning."""

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # with what ends a line, and what changes the direction of writing


class _Settings(NamedTuple):
    full: bool = False
    values: re.Pattern[str] | None = None


_settings: _Settings | None = None


def configure(full: bool, storage_options: Any) -> None:
    """Set for this process whether addresses keep query and user, and which options to hide."""
    global _settings
    _settings = _Settings(full, _pattern_of(set(_secrets_in(storage_options))))


def _current() -> _Settings:
    if _settings is None and (options := passed_options()):
        try:
            storage_options = json.loads(options.get("storage_options") or "{}")
        except ValueError:
            storage_options = {}
        configure(options.get("source_names") == "full", storage_options)
    return _settings or _Settings()


def passed_options() -> dict[str, Any]:
    """The options of the command line, as Beam has passed them to a worker on another machine."""
    beam = sys.modules.get("apache_beam.io.filesystems")  # without Beam there is no worker
    passed = beam and beam.FileSystems._pipeline_options
    return passed.get_all_options(retain_unknown_options=True) if passed else {}


def public_address(url: str, full: bool | None = None) -> str:
    """An address as it may be shown: without user, password and query; a path unchanged.

    On the web, ``#`` and 8 digits stand for a query, the beginning of its SHA-256, so that two
    addresses can be told apart. What signs a request is not counted. ``full`` keeps user and
    query, but never a password; by default ``--source_names`` decides. The public name of a
    public name is itself.

    >>> public_address("https://me:password@host/a.mp4?id=1", full=False)
    'https://host/a.mp4#d9fc91d4'
    """
    address = _ADDRESS.fullmatch(url)
    if address is None or _WATCH.fullmatch(url):
        return url
    if full is None:
        full = _current().full
    protocol, user, rest = address.groups()
    name = (user or "").rstrip("@").partition(":")[0]
    start = f"{protocol}{name}@" if full and name else protocol
    if protocol.lower() not in ("http://", "https://"):
        return start + rest
    path, query, fragment = _split(rest)
    if query is None:
        return start + path + (fragment if _MARK.fullmatch(fragment) else "")
    return start + path + (f"?{query}" if full else _mark(query))


def _split(request: str) -> tuple[str, str | None, str]:
    found = _REQUEST.fullmatch(request)
    assert found is not None
    return found[1], found[2], found[3] or ""


def _mark(query: str) -> str:
    names = {part.partition("=")[0].lower() for part in query.split("&")}
    signature = _SIGNATURE | (_WITH_SIG if "sig" in names else set())
    rest = [part for part in query.split("&") if part and not _signs(part, signature)]
    if not rest:
        return ""
    return "#" + hashlib.sha256("&".join(rest).encode("utf-8", "replace")).hexdigest()[:8]


def _signs(part: str, signature: set[str]) -> bool:
    name = part.partition("=")[0].lower()
    return name in signature or name.startswith(_SIGNATURE_PREFIXES)


def redact(text: str) -> str:
    """A text with each address in it as its public name, and no value of the storage options."""
    settings = _current()
    if settings.values is not None:
        text = settings.values.sub(HIDDEN, text)
    if "?" not in text and "://" not in text:
        return text
    has_address = "://" in text

    def public(found: re.Match[str]) -> str:
        whole = found[0].rstrip(_PUNCTUATION)
        end = found[0][len(whole) :]
        if found["address"]:
            return public_address(whole) + end
        if settings.full or not (has_address or "=" in whole):
            return found[0]
        return _mark(whole[1:]) + end

    return _IN_TEXT.sub(public, text)


def printable(text: str) -> str:
    """A text whose control characters and line breaks are escaped, for terminals and logs."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """A text for people, redacted and in one line."""
    return printable(redact(" ".join(text.split())))


def _secrets_in(options: Any, name: str = "") -> Iterator[str]:
    """The values in storage options that are hidden: what gives access, and what is no plain word.

    Short words that name a project or a region would hide words of any message.
    """
    if isinstance(options, dict):
        for key, value in options.items():
            yield from _secrets_in(value, f"{name} {key}")
    elif isinstance(options, list):
        for value in options:
            yield from _secrets_in(value, name)
    elif isinstance(options, str | int | float) and not isinstance(options, bool):
        text = str(options)
        least = 4 if _SECRET_OPTION.search(name) else 8
        for part in {text, *text.split()}:
            plain = least == 8 and part.isalpha() and part.islower()
            if len(part) >= least and part.lower() not in _NO_SECRETS and not plain:
                yield part


def _pattern_of(values: set[str]) -> re.Pattern[str] | None:
    forms = {
        form
        for value in values
        for form in (value, quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1])
    }
    if not forms:
        return None
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    # A short value hides only whole words.
    return re.compile(
        "|".join(
            re.escape(form)
            if len(form) >= 8
            else rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])"
            for form in longest_first
        )
    )
