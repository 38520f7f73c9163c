"""Make clips as a run would, and throw them away: what the time of a run is estimated from."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from beam_pipeline.codec.outcome import Outcome, Reason
from beam_pipeline.codec.request import Request
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, ResizeTask, Row
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.storage import urls
from beam_pipeline.storage.retries import TooLarge
from beam_pipeline.work.load_source import MAX_IN_MEMORY, load_source
from beam_pipeline.work.make_clip import Source, encode, row_of
from beam_pipeline.work.resize_members import refuse
from beam_pipeline.work.worker_pool import WorkerPool

EARLY_BYTES = 32 * 1024**2
"""Bytes that are read of the beginning of an archive for the sample."""

START_TIMEOUT = 120.0
"""Seconds in which a child answers that it has started."""


class Trial(NamedTuple):
    """A clip that was made and thrown away.

    ``row`` is what the run would record. ``source_seconds`` is the time to read the sources that
    were tried, ``codec_seconds`` that of the codecs, both while all workers are busy;
    ``cpu_seconds`` is the processor time, None if a child died.
    """

    row: Row
    source_seconds: float
    codec_seconds: float
    cpu_seconds: float | None


class Glance(NamedTuple):
    """What the beginning of an archive holds: videos and those wanted, and bytes of all videos.

    ``seconds`` is the time that reading took; ``broken`` says why it stopped early.
    """

    archive: Archive
    videos: int
    wanted: int
    bytes: int
    seconds: float
    broken: str | None


class Bench:
    """Workers as a run has them, without an output: nothing that is made here is kept.

    ``start_seconds`` is the time in which the codecs' processes have started.
    """

    def __init__(self, config: Config) -> None:
        # Not WorkerPool.acquire, which takes the output for this run.
        self._pool = WorkerPool(config)
        self.workers = self._pool.workers
        # As many as there are children, so that the time of a clip is not that of waiting for one.
        self._turns = threading.BoundedSemaphore(self.workers)
        self.start_seconds = self._start_children()

    def close(self) -> None:
        """End the children."""
        self._pool.codecs.close()
        self._pool.threads.shutdown(wait=False, cancel_futures=True)

    def _start_children(self) -> float:
        start = time.monotonic()
        nothing = Request(b"", None, self._pool.config.clip)
        with ThreadPoolExecutor(self.workers) as threads:
            for _ in range(self.workers):
                threads.submit(self._pool.codecs.run, nothing, START_TIMEOUT)
        return time.monotonic() - start

    def submit(self, task: ResizeTask) -> "Future[Trial]":
        """Make a clip from the best of its loose files that is any good."""
        return self._pool.threads.submit(self._try_files, task)

    def glance(
        self, archive: Archive, find: Callable[[str], Clip | None], most: int
    ) -> "tuple[Glance, list[Future[Trial]]]":
        """Make the first clips of an archive, ``most`` at most, within ``EARLY_BYTES``.

        ``find`` gives the clip of a member's name, None if it is not wanted.
        """
        trials: list[Future[Trial]] = []
        videos = wanted = count = 0
        start = time.monotonic()
        with ArchiveReader.open(archive) as reader:
            for member in reader.videos():
                if count + member.size > EARLY_BYTES and count:
                    break
                videos += 1
                count += member.size
                if (clip := find(member.name)) is None or member.size > MAX_IN_MEMORY:
                    continue
                wanted += 1
                path = urls.member(archive.path, member.name)
                outcome = refuse(member, self._pool.config.clip_path(clip), self._pool.config)
                if outcome is None:
                    content = member.read()
                    source = Source(path, content, len(content), base_name(member.name))
                    trials.append(self._pool.threads.submit(self._try_member, clip, source))
                if len(trials) >= most:
                    break
        seconds = time.monotonic() - start
        broken = reader.record().broken
        return Glance(archive, videos, wanted, count, seconds, broken), trials

    def _try_member(self, clip: Clip, source: Source) -> Trial:
        return self._encode(clip, source, 0.0)

    def _try_files(self, task: ResizeTask) -> Trial:
        trials: list[Trial] = []
        for path, size in task.sources:
            with ExitStack() as stack:
                start = time.monotonic()
                try:
                    content, size = load_source(path, size, self._pool, stack)
                except OSError as error:
                    reason: Reason = "too_large" if isinstance(error, TooLarge) else "unreadable"
                    outcome = Outcome.failed(reason, error.strerror or str(error))
                    row = row_of(task.clip, task.path, path, size, outcome, start)
                    trials.append(Trial(row, time.monotonic() - start, 0.0, 0.0))
                else:
                    source = Source(path, content, size, base_name(path))
                    trials.append(self._encode(task.clip, source, time.monotonic() - start))
            if trials[-1].row.status != "failed":
                break
        return together(trials)

    def _encode(self, clip: Clip, source: Source, source_seconds: float) -> Trial:
        with ExitStack() as stack:
            temporary = None
            if isinstance(source.content, str):
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                temporary = os.path.join(folder, "clip.mp4")
                open(temporary, "xb").close()
            with self._turns:
                start = time.monotonic()
                outcome = encode(clip, source, temporary, self._pool)
                seconds = time.monotonic() - start
            if outcome.write_error is not None and temporary is not None:
                with as_write_error(temporary):
                    raise outcome.write_error
            # Its bytes are thrown away here.
            outcome = replace(outcome, output=None)
            row = row_of(clip, "", source.path, source.size, outcome, start)
            return Trial(row, source_seconds, seconds, outcome.cpu_seconds)


def together(trials: "list[Trial]") -> Trial:
    """The trials of one clip's sources as one, with the row that counts and the time of all."""
    last = trials[-1] if trials[-1].row.status != "failed" else trials[0]
    return Trial(
        last.row,
        sum(trial.source_seconds for trial in trials),
        sum(trial.codec_seconds for trial in trials),
        sum(trial.cpu_seconds or 0.0 for trial in trials),
    )


def finished(trials: "Iterable[Future[Trial]]") -> Iterator[Trial]:
    """The trials, as they end."""
    for future in as_completed(trials):
        yield future.result()
