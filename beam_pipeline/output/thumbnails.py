"""The small pictures of clips that a run keeps for the contact sheet of its report."""

import json
import threading
import time
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import TypeAlias

from beam_pipeline.codec.thumbnail import is_thumbnail
from beam_pipeline.elements import Clip
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import THUMBNAILS, Output
from beam_pipeline.output.row_log import checked_line, close_at_stop, parse_lines
from beam_pipeline.output.runs import runs_in
from beam_pipeline.storage import files

ClassSizes: TypeAlias = Mapping[str | None, int]
"""About how many clips of each class a run includes; those without a label are a class too. Empty
if no thumbnails are kept."""

KEPT_PER_CLASS = 8
"""Thumbnails that are kept of a class, on average. A sheet shows the two of lowest rank that are
made: of 1,000 classes, 3 keep fewer than two if all clips are made, 17 if a quarter is missing."""

KEPT_WITHOUT_CLASSES = 250
"""Thumbnails that are kept where there are no annotations, on average."""

MAX_KEPT = 20_000
"""Thumbnails that one process keeps, about 100 MB: where sizes were not known, there may be many
more clips than was thought."""

PER_FILE = 64

FLUSH_INTERVAL = 30.0
"""Seconds. A killed run loses no more thumbnails than it has made in that time."""

THREADS = 16
"""Files that are read at once: in a bucket each is a request."""


def rank(clip_id: str) -> bytes:
    """The order in which clips are shown: the same on every machine, and like no other order."""
    return sha256(clip_id.encode(errors="surrogatepass")).digest()


def is_kept(clip: Clip, sizes: ClassSizes) -> bool:
    """Whether a thumbnail of a clip is kept, if it is made.

    This depends on data alone, so that every worker, and every run, decides alike.
    """
    if not sizes:
        return False
    kept = KEPT_WITHOUT_CLASSES if clip.split is None else KEPT_PER_CLASS
    return int.from_bytes(rank(clip.clip_id)[:8]) * sizes.get(clip.label, 1) < kept << 64


class ThumbnailLog:
    """Thumbnails of finished clips, in small files that are written atomically.

    They are not synced, and a fault costs no more than to read a few clips again: it is not the
    end of a run.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        self._count = 0
        self._flushed = time.monotonic()
        close_at_stop(self)

    def add(self, clip_id: str, sha256: str | None, jpeg: bytes) -> None:
        """Add the thumbnail of a clip that has been published. ``sha256`` is the clip's."""
        with self._lock:
            if self._count >= MAX_KEPT:
                return
            self._count += 1
            content = json.dumps([clip_id, sha256, b64encode(jpeg).decode()]).encode()
            self._lines.append(checked_line(content))
            due = time.monotonic() - self._flushed > FLUSH_INTERVAL
            if due or len(self._lines) >= PER_FILE:
                self._flush()

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            if self._lines:
                self._flush()

    def _flush(self) -> None:
        name = f"{self._output.state}/{THUMBNAILS}/{uuid.uuid4().hex}.jsonl"
        with suppress(OutputError):
            self._output.write(name, b"".join(self._lines), synced=False)
        self._lines = []
        self._flushed = time.monotonic()


def kept_thumbnails(output: Output, wanted: Mapping[str, str | None]) -> dict[str, bytes]:
    """The JPEGs that this run and unfinished earlier ones have kept, by clip_id.

    ``wanted`` has the SHA-256 of clips by their clip_id: a thumbnail of other bytes is not taken.
    What cannot be read is left out.
    """
    try:
        names = [url for run in runs_in(output) for url in output.urls_in(f"{run}/{THUMBNAILS}")]
    except OutputError:
        return {}
    found: dict[str, bytes] = {}
    with ThreadPoolExecutor(THREADS) as threads:
        at_once = 4 * THREADS  # so that few files are held at once
        for begin in range(0, len(names), at_once):
            for data in threads.map(_read, names[begin : begin + at_once]):
                for clip_id, content, jpeg in _thumbnails_in(data):
                    if content is not None and wanted.get(clip_id) == content:
                        found[clip_id] = min(jpeg, found.get(clip_id, jpeg))
    return found


def _read(url: str) -> bytes:
    with suppress(OSError):  # another worker may be removing the state
        return files.read(url)
    return b""


def _thumbnails_in(data: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    """The clip_id, the SHA-256 of the clip, and the JPEG of every thumbnail that is whole."""
    for content in parse_lines(data):
        with suppress(ValueError, TypeError):
            if content is not None:
                clip_id, clip_sha256, encoded = json.loads(content)
                jpeg = b64decode(encoded)
                if is_thumbnail(jpeg):
                    yield clip_id, clip_sha256, jpeg
