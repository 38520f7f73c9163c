"""The values of yt-dlp's options: checked before anything is read, each by its name."""

from collections.abc import Mapping
from typing import Any

from beam_pipeline.fetch.reasons import tidy

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(
        (
            "concurrent_fragment_downloads", "extractor_retries", "fragment_retries",
            "http_chunk_size", "ratelimit", "retries", "sleep_interval_requests",
            "sleep_interval_subtitles", "socket_timeout", "throttledratelimit",
        ),
        ((int, float), "a number"),
    ),
    **dict.fromkeys(
        (
            "client_certificate", "client_certificate_key", "geo_bypass_country",
            "geo_bypass_ip_block", "geo_verification_proxy", "source_address",
        ),
        (str, "a text"),
    ),
    **dict.fromkeys(("geo_bypass", "legacyserverconnect", "nocheckcertificate"), (bool, "a bool")),
    "cookiesfrombrowser": (tuple, "a list such as [\"firefox\"]"),
    "remote_components": ((list, tuple, set), "a list"),
}  # fmt: skip
"""The types of the options whose values are simple, and the words for them."""


def check_values(options: Mapping[str, Any]) -> None:
    """Check the values of options, by their names in Python; imports yt-dlp.

    Raises:
        ValueError: yt-dlp cannot use one; the message names it, and never quotes its value.
    """
    for name, value in options.items():
        if value is None:
            continue
        if problem := _problem(name, value):
            raise ValueError(f"its {name} {problem}")
        if name == "impersonate":  # what can be impersonated depends on the worker's packages
            continue
        _try(name, value)


def _problem(name: str, value: Any) -> str | None:
    """What is wrong with a value by its type; None if nothing is."""
    kind, words = _KINDS.get(name, (object, ""))
    is_wrong = not isinstance(value, kind)
    if words == "a number" and not is_wrong:
        is_wrong = isinstance(value, bool) or not value >= 0
    if is_wrong:
        return f"is not {words}"
    if name == "extractor_args" and not _are_extractor_args(value):
        return 'is not of the form {"youtube": {"player_client": ["web"]}}'
    return None


def _are_extractor_args(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(of_one, dict)
        and all(
            isinstance(texts, list) and all(isinstance(text, str) for text in texts)
            for texts in of_one.values()
        )
        for of_one in value.values()
    )


def _try(name: str, value: Any) -> None:
    """Give yt-dlp one option alone. A browser's cookies are not read here, but its name is."""
    from yt_dlp import YoutubeDL, cookies

    browsers = getattr(cookies, "SUPPORTED_BROWSERS", None)
    if name == "cookiesfrombrowser" and browsers and (not value or value[0] not in browsers):
        raise ValueError(f"its {name} does not begin with one of {', '.join(sorted(browsers))}")
    try:
        with YoutubeDL({"quiet": True, "no_warnings": True, name: value}):
            pass
    except Exception as error:
        raise ValueError(f"its {name} cannot be used by yt-dlp: {tidy(str(error))}") from None
