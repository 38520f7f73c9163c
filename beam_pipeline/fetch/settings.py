"""The settings of fetching, and the file of yt-dlp's options that is passed on."""

import contextlib
import io
import json
import optparse
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from beam_pipeline.fetch.option_values import check_values

Site = Literal["youtube"]
SITES: tuple[str, ...] = get_args(Site)

PAUSE = (5.0, 10.0)
"""Seconds between two requests, at least and at most: each pause is a random time between them."""

PASSED_ON = (
    "client_certificate", "client_certificate_key", "concurrent_fragment_downloads",
    "cookiesfrombrowser", "extractor_args", "extractor_retries", "fragment_retries", "geo_bypass",
    "geo_bypass_country", "geo_bypass_ip_block", "geo_verification_proxy", "http_chunk_size",
    "impersonate", "js_runtimes", "legacyserverconnect", "nocheckcertificate", "ratelimit",
    "remote_components", "retries", "sleep_interval_requests", "sleep_interval_subtitles",
    "socket_timeout", "source_address", "throttledratelimit",
)  # fmt: skip
"""The options of yt-dlp that do not change what this program relies on, by their names in
Python."""

_OF_OURS = ("sleep_interval", "max_sleep_interval")
"""yt-dlp's names for the pause, which is made here: also after a video that cannot be had."""

_FLAGS = {
    "cookiefile": "type --cookies FILE",
    "proxy": "type --proxy URL",
    "format": "the format follows from --short_edge and --audio",
    "outtmpl": "nothing but the clip stays",
    "cachedir": "nothing but the clip stays",
}
"""What to do instead of some options."""


_FILES = {"load_info_filename": "--load-info-json", "plugin_dirs": "--plugin-dirs"}
"""Options that are none of its interface in Python, and would be left out without a word."""


@dataclass(frozen=True)
class FetchSettings:
    """How clips that are found nowhere are fetched.

    site: where from.
    cookies: path or URL of a cookie file in Netscape's format, None for none.
    proxy: address of a proxy, with its user and password; never shown.
    options: yt-dlp's options, by their names in Python.
    pause: seconds between two requests, at least and at most.
    again: whether what cannot be had by a final answer is asked for once more.
    """

    site: Site
    cookies: str | None = None
    proxy: str | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pause: tuple[float, float] = PAUSE
    again: bool = False


def parse_options(text: str) -> tuple[dict[str, Any], tuple[float, float]]:
    """The options in a file, and the pause in seconds.

    The file holds JSON, with yt-dlp's options by their names in Python, or the lines of a config
    file of yt-dlp.

    Raises:
        ValueError: it is neither, or holds an option that is not passed on; the message says so.
    """
    options = _json(text) if text.lstrip().startswith("{") else _config_lines(text)
    for name in options:
        if name not in (*PASSED_ON, *_OF_OURS):
            instead = _FLAGS.get(name, f"those that may be given are {', '.join(PASSED_ON)}")
            raise ValueError(f"it holds {name}, which cannot be passed on; {instead}")
    check_values({name: value for name, value in options.items() if name not in _OF_OURS})
    least = _seconds(options.pop("sleep_interval", None), "sleep_interval")
    most = _seconds(options.pop("max_sleep_interval", None), "max_sleep_interval")
    if least is None and most is None:
        return options, PAUSE
    least = min(PAUSE[0], most or 0) if least is None else least
    most = least if most is None else most
    if most < least:
        raise ValueError("its max_sleep_interval is less than its sleep_interval")
    return options, (least, most)


def check_proxy(proxy: str) -> str | None:
    """What is wrong with the address of a proxy; None if nothing is. It quotes nothing of it."""
    try:
        parts = urlsplit(proxy)
        known = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
        is_right = known and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_right = False
    return None if is_right else "it is no address such as http://HOST:PORT or socks5://HOST:PORT"


def secrets_of(proxy: str | None) -> tuple[str, ...]:
    """What must not be shown of a proxy's address."""
    if proxy is None:
        return ()
    parts = urlsplit(proxy)
    return tuple(filter(None, (parts.username, parts.password)))


def _json(text: str) -> dict[str, Any]:
    try:
        options = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    assert isinstance(options, dict)  # it begins with a brace
    for name, value in options.items():
        if name == "cookiesfrombrowser" and isinstance(value, list):
            options[name] = tuple(value)
        if name == "impersonate":
            options[name] = _impersonated(value)
    return options


def _impersonated(value: Any) -> Any:
    from yt_dlp.networking.impersonate import ImpersonateTarget

    try:
        return ImpersonateTarget.from_str(value)
    except (ValueError, TypeError):
        raise ValueError("its impersonate is not a browser such as chrome") from None


def _config_lines(text: str) -> dict[str, Any]:
    """What the lines of a config file change in yt-dlp's options.

    The options are compared with those of no line at all: yt-dlp's own command reads them so.
    """
    import yt_dlp

    said = io.StringIO()
    try:
        words = shlex.split(text, comments=True)
        if any(word.startswith("--config-loc") for word in words):
            raise ValueError("it names another config file; write its lines here")
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            plain = yt_dlp.parse_options([])
            given = yt_dlp.parse_options(words)
    except (ValueError, optparse.OptParseError, SystemExit) as error:
        why = f"{said.getvalue()}\n{error}".strip().splitlines()[-1]
        raise ValueError(f"yt-dlp cannot read it: {why.rpartition('error: ')[2]}") from None
    for name, flag in _FILES.items():
        if getattr(given.options, name, None) != getattr(plain.options, name, None):
            raise ValueError(f"it holds {flag}, which cannot be passed on; leave it out")
    if given.urls:
        raise ValueError("it holds something that is no option of yt-dlp")
    return {
        name: value for name, value in given.ydl_opts.items() if value != plain.ydl_opts.get(name)
    }


def _seconds(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86400:
        raise ValueError(f"its {name} is not a number of seconds from 0 to 86400")
    return float(value)
