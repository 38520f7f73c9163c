"""Whether yt-dlp is there, and is one that this program knows."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter

MIN_VERSION = "2026.10"
"""Older ones do not know today's YouTube, and nothing here was tried with them."""

UPGRADE = "python -m pip install --upgrade 'yt-dlp[default]'"

_NEEDED = {
    "yt_dlp": (
        "YoutubeDL.extract_info", "YoutubeDL.prepare_filename", "YoutubeDL.urlopen",
        "parse_options",
    ),
    "yt_dlp.cookies": ("CookieLoadError",),
    "yt_dlp.utils": ("DownloadCancelled",),
    "yt_dlp.extractor": ("gen_extractor_classes",),
    "yt_dlp.networking.impersonate": ("ImpersonateTarget.from_str",),
}  # fmt: skip
"""What is used of it, by module."""


def package_problem() -> str | None:
    """What is wrong with the installed yt-dlp, and what to type; None if nothing is."""
    try:
        found = version("yt-dlp")
    except PackageNotFoundError:
        return f"--fetch needs the package yt-dlp; type {UPGRADE}"
    if _parts(found) < _parts(MIN_VERSION):
        return f"yt-dlp {found} is too old, {MIN_VERSION} is needed; type {UPGRADE}"
    return None


def interface_problem() -> str | None:
    """What yt-dlp lacks of what is used here, and what to type; None if it has everything.

    Imports it, which takes a second.
    """
    for module, names in _NEEDED.items():
        try:
            imported = import_module(module)
        except ImportError as error:
            return f"yt-dlp {_version()} cannot be imported: {error}; type {UPGRADE}"
        for name in names:
            try:
                attrgetter(name)(imported)
            except AttributeError:
                return (
                    f"yt-dlp {_version()} has no {module}.{name}, which this program uses; "
                    "upgrade this program, or type python -m pip install "
                    f"'yt-dlp=={MIN_VERSION}.*'"
                )
    return None


def _version() -> str:
    try:
        return version("yt-dlp")
    except PackageNotFoundError:
        return "without a version"


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())
