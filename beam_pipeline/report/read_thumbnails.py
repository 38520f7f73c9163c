"""Thumbnails of clips that were made before, read from the clips themselves."""

import os
import stat
import time

from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import ThumbnailOf
from beam_pipeline.errors import RunError
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.storage import files, urls
from beam_pipeline.work.budget import Budget
from beam_pipeline.work.load_source import MAX_IN_MEMORY
from beam_pipeline.work.worker_pool import MAX_IN_FLIGHT

AT_ONCE = 16
"""Clips that are read at once: from a bucket most of the time is waiting."""

CLIP_SECONDS = 20.0
"""In which a clip has to be decoded to its middle. It takes some hundredths of one."""


class ThumbnailReader:
    """Reads clips, and has child processes decode a picture of each, until a time.

    ``until`` is a ``time.monotonic()``. ``read`` may be called from ``at_once`` threads.
    """

    at_once = AT_ONCE

    def __init__(self, output: Output, codecs: CodecPool, until: float) -> None:
        self._output = output
        self._codecs = codecs
        self._until = until
        self._memory = Budget(MAX_IN_FLIGHT)

    def read(self, path: str) -> bytes | None:
        """The thumbnail of a clip, as JPEG; None if it cannot be read, or not in time.

        ``path`` is relative to the output, or that of a listed source. Sources on the web are not
        read: only a run that makes clips reads from there.
        """
        url = self._url_of(path)
        if url is None or time.monotonic() > self._until:
            return None
        try:
            if urls.is_local(url):
                return self._read_local(urls.local_path(url))
            size = files.info(url).size
            if size is None or size > MAX_IN_MEMORY:
                return None
            return self._read_into_memory(url, size)
        except (OSError, RunError):
            return None

    def _url_of(self, path: str) -> str | None:
        if path.startswith(f"{VIDEOS}/"):
            return None if ".." in path.split("/") else self._output.url(path)
        is_listed = path.startswith("/") or ("://" in path and not urls.is_on_the_web(path))
        return path if is_listed else None

    def _read_local(self, path: str) -> bytes | None:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe may never end
            return None
        if status.st_size > MAX_IN_MEMORY:
            return self._decoded(path)
        return self._read_into_memory(path, status.st_size)

    def _read_into_memory(self, url: str, size: int) -> bytes | None:
        with self._memory.hold(size):
            return self._decoded(files.read(url, size))

    def _decoded(self, source: bytes | str) -> bytes | None:
        left = self._until - time.monotonic()
        if left <= 0:
            return None
        return self._codecs.run(ThumbnailOf(source), min(CLIP_SECONDS, left)).thumbnail
