"""Fetch one video with yt-dlp, into files of a folder."""

import errno
import io
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import quote

from yt_dlp import YoutubeDL
from yt_dlp.cookies import CookieLoadError
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.utils import DownloadCancelled

from beam_pipeline.errors import InputError
from beam_pipeline.fetch.formats import Format, choose_formats
from beam_pipeline.fetch.package import UPGRADE
from beam_pipeline.fetch.reasons import (
    WATCH,
    Unavailability,
    Unavailable,
    reason_of,
    tidy,
    with_causes,
)
from beam_pipeline.fetch.settings import FetchSettings, secrets_of
from beam_pipeline.privacy import HIDDEN

MAX_BYTES = 4 * 1024**3
"""Bytes of one file: as much as of any other server."""

SLOWEST, PATIENCE = 256 * 1024, 30.0
"""A response has so many seconds for each further so many bytes."""

CHUNK = 64 * 1024
"""Bytes to read at once, if as many have come."""

NO_PROGRAM = os.path.join(os.devnull, "none")
"""A path that never exists: yt-dlp starts the ffmpeg of this machine even to see its version."""

NO_RUNTIME = (
    "no JavaScript runtime was found, and without one yt-dlp gets few formats of YouTube or none; "
    "install Deno (https://deno.com), or name another runtime in --fetch_options"
)

SCRIPTS = "yt_dlp_ejs"
"""What the runtime runs, a package of its own; yt-dlp loads it from elsewhere only if told to."""

NO_SCRIPTS = (
    "the package yt-dlp-ejs was not found, and without it yt-dlp gets few formats of YouTube or "
    f"none; type {UPGRADE}"
)


class VideoFiles(NamedTuple):
    """The files of a video: its pictures, and its sound if that came apart. ``bytes`` of both."""

    video: str
    sound: str | None
    bytes: int


def watch_address(youtube_id: str) -> str:
    """The public address of a video.

    >>> watch_address("--nQbRBEz2s")
    'https://www.youtube.com/watch?v=--nQbRBEz2s'
    """
    return WATCH + quote(youtube_id, safe="")


class VideoSite:
    """YouTube, as yt-dlp reads it.

    Args:
        settings: how to reach it.
        cookies: the content of a cookie file, None for none. yt-dlp writes to its file, so it
            gets one in memory: no copy of a login lies on a disk.
        short_edge: of the clips, in pixels.
        with_sound: whether the clips keep their sound.
    """

    def __init__(
        self, settings: FetchSettings, cookies: str | None, short_edge: int, with_sound: bool
    ) -> None:
        self._settings = settings
        self._cookies = cookies
        self._short_edge = short_edge
        self._with_sound = with_sound

    def note(self, youtube_id: str) -> str | None:
        """What the user should know before the first request; None if there is nothing.

        Raises:
            InputError: yt-dlp cannot use its options.
        """
        try:
            with YoutubeDL(self._params(_Watch())):  # it loads plugins, too
                pass
        except Exception as error:
            raise InputError(
                f"--fetch_options: yt-dlp cannot use them: {tidy(str(error))}; see the names and "
                "values of its options in Python"
            ) from error
        address = watch_address(youtube_id)
        extractor = next(each for each in gen_extractor_classes() if each.suitable(address))
        options = self._settings.options
        if extractor.ie_key() != "Youtube":
            return None
        if not _has_runtime(options):
            return NO_RUNTIME
        return None if options.get("remote_components") or find_spec(SCRIPTS) else NO_SCRIPTS

    def fetch(self, youtube_id: str, folder: str) -> VideoFiles:
        """Fetch as little of a video as its clips need, into an empty folder.

        Raises:
            Unavailable: it cannot be had; the folder may hold parts of it.
            InputError: a browser's cookies cannot be read.
            OSError: the folder cannot be written.
        """
        watch = _Watch()
        params = self._params(watch)
        if self._cookies is not None:
            params["cookiefile"] = io.StringIO(self._cookies)
        try:
            with _Downloader(params, folder, watch) as downloader:
                downloader.extract_info(watch_address(youtube_id), download=True)
        except Exception as error:
            if any(isinstance(each, CookieLoadError) for each in with_causes(error)):
                raise InputError(
                    "--fetch_options: the cookies of cookiesfrombrowser cannot be read; leave it "
                    "out, or write them to a file and type --cookies FILE"
                ) from error
            if (of_disk := _disk_error(error, folder)) is not None:
                raise of_disk from error
            raise self._unavailable(error, watch) from error
        video, sound = (os.path.join(folder, name) for name in ("video", "sound"))
        if not os.path.isfile(video):
            raise Unavailable(watch.reason, watch.why or "there is nothing to fetch")
        there = sound if os.path.isfile(sound) else None
        size = sum(os.path.getsize(path) for path in (video, there) if path is not None)
        return VideoFiles(video, there, size)

    def _unavailable(self, error: Exception, watch: "_Watch") -> Unavailable:
        found = Unavailable(watch.reason, watch.why) if watch.why is not None else reason_of(error)
        for secret in secrets_of(self._settings.proxy):
            whole = rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"
            found.words = re.sub(whole, HIDDEN, found.words)
        return found

    def _params(self, watch: "_Watch") -> dict[str, Any]:
        """The options of yt-dlp: none that leaves anything but the files."""

        def choose(context: Mapping[str, Any]) -> Iterator[Format]:
            formats: Sequence[Format] = context["formats"]
            chosen = choose_formats(formats, self._short_edge, self._with_sound)
            if not chosen:
                # Not final: without a JavaScript runtime it is so for every video.
                watch.end("fetch_failed", f"none of its {len(formats)} formats can be fetched")
            for name, each in chosen.items():
                yield {**each, "file_of": name}

        return {
            "retries": 3,
            "fragment_retries": 3,
            "retry_sleep_functions": dict.fromkeys(("http", "fragment"), _back_off),
            "socket_timeout": 20,
            **self._settings.options,
            "proxy": self._settings.proxy,
            "format": choose,
            "cachedir": False,
            "ffmpeg_location": NO_PROGRAM,
            "noplaylist": True,
            "playlist_items": "1",
            "fixup": "never",
            "updatetime": False,
            "overwrites": True,
            "skip_unavailable_fragments": False,
            "match_filter": watch.refuse_live,
            "progress_hooks": [watch.progress],
            "logger": _silent(),
            "noprogress": True,
            "noresizebuffer": True,
            "buffersize": CHUNK,
            "quiet": True,
            "no_warnings": True,
            "no_color": True,
        }


class _Downloader(YoutubeDL):
    """yt-dlp, with names of our own for the files, and an eye on slow responses.

    These are read as their bytes come: yt-dlp would wait for a whole block.
    """

    def __init__(self, params: dict[str, Any], folder: str, watch: "_Watch") -> None:
        super().__init__(params)
        self._folder = folder
        self._watch = watch

    def prepare_filename(self, info: Mapping[str, Any], *_: Any, **__: Any) -> str:
        """Not by a template, in which a folder's ``%``, ``$`` and ``~`` would have a meaning."""
        return os.path.join(self._folder, info.get("file_of", "video"))

    def urlopen(self, request: Any) -> Any:
        response = super().urlopen(request)
        raw = response.fp
        if not hasattr(raw, "read1"):  # it is in memory already
            return response
        read_all, pace = raw.read, _ResponsePace(self._watch)

        def read(size: int | None = None, **how: Any) -> bytes:
            data: bytes = raw.read1(size, **how) if size else read_all(size, **how)
            try:
                pace.came(len(data))
            except DownloadCancelled:
                response.close()
                raise
            return data

        raw.read = read
        return response


class _ResponsePace:
    """The time that one response still has."""

    def __init__(self, watch: "_Watch") -> None:
        self._watch = watch
        self._since = time.monotonic()
        self._left = SLOWEST

    def came(self, count: int) -> None:
        """Note bytes. Raises DownloadCancelled if they are too few."""
        now = time.monotonic()
        self._left -= count
        if self._left <= 0:
            self._since, self._left = now, SLOWEST
        elif count and now - self._since > PATIENCE:
            why = f"less than {SLOWEST // 1024} KiB came in {PATIENCE:g} s"
            raise DownloadCancelled(self._watch.end("network", why))


class _Watch:
    """Ends what is too slow, too large, or without an end.

    ``why`` says so, None if nothing was ended; ``reason`` is the word for it.
    """

    def __init__(self) -> None:
        self.why: str | None = None
        self.reason: Unavailability = "fetch_failed"

    def end(self, reason: Unavailability, why: str) -> str:
        """Note why a video is not fetched, and return it."""
        self.reason, self.why = reason, why
        return why

    def refuse_live(self, info: Mapping[str, Any], *, incomplete: bool = False) -> str | None:
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
            self.end("no_format", "it is live, or has not begun")
        return self.why

    def progress(self, status: Mapping[str, Any]) -> None:
        if max(status.get("downloaded_bytes") or 0, status.get("total_bytes") or 0) > MAX_BYTES:
            raise DownloadCancelled(self.end("no_format", f"it has more than {MAX_BYTES:,} bytes"))


def _back_off(n: int) -> float:
    """Seconds before the next try; yt-dlp names the argument."""
    return min(2.0**n, 30.0)


def _silent() -> logging.Logger:
    """A logger that says nothing: what matters is in the errors."""
    logger = logging.Logger("yt-dlp")
    logger.addHandler(logging.NullHandler())
    return logger


def _disk_error(error: BaseException, folder: str) -> OSError | None:
    """The error of this machine's disk that an error came of; None if it has another cause."""
    for each in with_causes(error):
        if isinstance(each, OSError) and (
            each.errno in _OF_A_DISK or str(each.filename).startswith(folder)
        ):
            return each
    return None


_OF_A_DISK = (errno.EIO, errno.EFBIG, errno.ENOSPC, errno.EROFS, errno.EDQUOT)
"""What a connection never says."""


def _has_runtime(options: Mapping[str, Any]) -> bool:
    """Whether one of the JavaScript runtimes that yt-dlp may use is on this machine."""
    runtimes = options.get("js_runtimes") or {"deno": {}}
    return any(
        (config or {}).get("path") or shutil.which(name) for name, config in runtimes.items()
    )
