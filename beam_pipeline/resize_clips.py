"""The work: tasks to clips in the output, and a row for each."""

import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline import progress, storage
from beam_pipeline.codec.child import Request
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.timestamps import Segment
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.match_clips import ROWS, base_name
from beam_pipeline.output import refusals
from beam_pipeline.row_log import RowLog

IN_MEMORY = 64 * 1024**2
"""Bytes; larger sources go through a temporary file."""

RETRIES = "retries"

READ_AHEAD = 2
"""Clips that are read or written while every child is busy with another."""


class ResizeClips(beam.PTransform):
    """Tasks to ``rows`` (Row), as many at once as there are cores, and ``retries`` (int).

    The latter are all that the processes of this stage have asked storage again, for whatever.

    The shuffle in front spreads the tasks evenly over the workers, and is where a runner takes
    up again when a worker dies: what comes before is not done twice.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "Spread the work" >> beam.Reshuffle()
            | "Resize"
            >> beam.ParDo(_Resize(self._config))
            .with_output_types(Row, **{RETRIES: int})
            .with_outputs(RETRIES, main=ROWS)
        )


class _Resize(beam.DoFn):
    """Feeds a pool of child processes; rows come out as clips get done, in any order."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        workers = self._config.workers or usable_cores()
        self._pool = CodecPool(workers)
        self._log = RowLog(self._config.output)
        self._in_flight = workers + READ_AHEAD
        self._threads = ThreadPoolExecutor(self._in_flight)

    def start_bundle(self) -> None:
        self._pending: set[Future[Row]] = set()

    def process(self, task: ResizeTask) -> Iterator[Row]:
        self._pending.add(
            self._threads.submit(resize_clip, task, self._config, self._pool, self._log)
        )
        yield from self._done(self._in_flight)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        while self._pending:
            for row in self._done(1):
                yield WindowedValue(row, MIN_TIMESTAMP, (GlobalWindow(),))
        self._log.close()
        retries = WindowedValue(storage.RETRIES.take(), MIN_TIMESTAMP, (GlobalWindow(),))
        yield pvalue.TaggedOutput(RETRIES, retries)

    def teardown(self) -> None:
        self._pool.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, most: int) -> Iterable[Row]:
        """Rows of finished clips; waits until fewer than ``most`` are under way."""
        rows = []
        while len(self._pending) >= most:
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                row = future.result()
                progress.LOCAL.finish(row)
                rows.append(row)
        return rows


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resize_clip(task: ResizeTask, config: Config, pool: CodecPool, log: RowLog) -> Row:
    """Make one clip of the best of its sources that can be read and decoded.

    Raises:
        OutputError: the clip cannot be written.
    """
    began = time.monotonic()
    relative = task.path
    failures: list[Row] = []
    for path, size in task.sources:
        with ExitStack() as stack:
            made: str | None = None
            try:
                source, size = _fetch(path, size, stack)
            except (OSError, ValueError, ImportError) as error:  # the latter of URLs in listings
                detail = getattr(error, "strerror", None) or str(error)
                outcome = Outcome.failed("unreadable", detail)
            else:
                if isinstance(source, str):
                    made = stack.enter_context(config.output.temporary_path())
                request = Request(source, made, config.clip, _segment(task.clip, path))
                outcome = pool.run(request, config.timeout_of(task.clip, size))
                if outcome.refusal is not None:
                    with refusals(config.output.url(relative)):
                        raise outcome.refusal
            row = Row.of(
                task.clip,
                outcome.status,
                reason=outcome.reason,
                detail=outcome.detail,
                source=path,
                path=None if outcome.status == "failed" else relative,
                source_bytes=size,
                seconds=time.monotonic() - began,
                **asdict(outcome.facts),
            )
            if outcome.status == "failed":
                failures.append(row)
                continue
            if config.output.is_local:
                config.output.displace(relative, row.bytes, row.sha256)
                log.add(row)
            if made is not None:
                config.output.publish(made, relative)
            elif outcome.output is not None:
                config.output.write(relative, outcome.output)
            if not config.output.is_local:
                log.add(row)  # what another run has left there is gone by now
            return row
    return failures[0]


def _segment(clip: Clip, path: str) -> Segment | None:
    """Where a clip is in a source that is named by the video's id, and so may be all of it."""
    if clip.time_start is None or clip.time_end is None or base_name(path) == clip.clip_id:
        return None
    return Segment(Fraction(clip.time_start), Fraction(clip.time_end))


def _fetch(path: str, size: int | None, stack: ExitStack) -> tuple[bytes | str, int]:
    """A source's bytes, or a local path to it where it is too large for memory; its size."""
    if storage.is_local(path):
        found = os.stat(storage.local_path(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a file")  # to read a pipe or a device may never end
        size = found.st_size
    if size is None or size <= IN_MEMORY:
        data = storage.read(path, IN_MEMORY + 1)  # of what a listing names nobody knows the size
        if len(data) <= IN_MEMORY:
            return data, len(data)
    if storage.is_local(path):
        return storage.local_path(path), os.path.getsize(storage.local_path(path))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    copy = os.path.join(folder, "source")
    storage.download(path, copy)
    return copy, os.path.getsize(copy)
