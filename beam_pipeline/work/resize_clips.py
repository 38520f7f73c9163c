"""The work: tasks to clips in the output, and a row for each."""

import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.progress import metrics
from beam_pipeline.storage import retries
from beam_pipeline.storage import files
from beam_pipeline.storage import urls
from beam_pipeline.codec.child import Request
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.timestamps import Segment
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.plan.match_clips import ROWS
from beam_pipeline.output.output_folder import refusals
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.plan.wanted_clips import key_of, split_keys

IN_MEMORY = 64 * 1024**2
"""Bytes; larger sources go through a temporary file."""

RETRIES = "retries"

READ_AHEAD = 2
"""Clips that are read or written while every child is busy with another."""


class ResizeClips(beam.PTransform):
    """Tasks to ``rows`` (Row), as many at once as there are cores, and ``retries`` (int).

    The latter are all that the processes of this stage have asked storage again, for whatever.
    ``made`` are keys of clips that turns before have made: they are left alone.

    The shuffle in front spreads the tasks evenly over the workers, and is where a runner takes
    up again when a worker dies: what comes before is not done twice.
    """

    def __init__(self, config: Config, made: pvalue.AsList) -> None:
        super().__init__()
        self._config = config
        self._made = made

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "Spread the work" >> beam.Reshuffle()
            | "Resize"
            >> beam.ParDo(_Resize(self._config), self._made)
            .with_output_types(Row, **{RETRIES: int})
            .with_outputs(RETRIES, main=ROWS)
        )


class CrewFn(beam.DoFn):
    """Feeds a crew; rows come out as clips get done, in any order."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        self._crew = Crew.join(self._config)

    def start_bundle(self) -> None:
        self._work = Work(self._crew)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        yield from self._work.finish()

    def teardown(self) -> None:
        self._crew.leave()


class _Resize(CrewFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._made: frozenset[bytes] | None = None

    def process(self, task: ResizeTask, made: list[bytes]) -> Iterator[Row]:
        if self._made is None:
            self._made = frozenset(split_keys(made))
        if not self._made or key_of(task.clip) not in self._made:
            self._work.submit(resize_clip, task)
            yield from self._work.done()


class Crew:
    """What makes clips in this process: children that hold codecs, threads that feed them.

    All stages of a run share it.
    """

    _crews: ClassVar[dict[str, "Crew"]] = {}
    _joining: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, config: Config) -> None:
        workers = config.workers or usable_cores()
        self.config = config
        self.pool = CodecPool(workers)
        self.log = RowLog(config.output)
        self.in_flight = workers + READ_AHEAD
        self.threads = ThreadPoolExecutor(self.in_flight)
        self._stages = 0

    @classmethod
    def join(cls, config: Config) -> "Crew":
        """The crew of a run; as often as it is joined it has to be left."""
        with cls._joining:
            name = config.output.url(config.output.state)
            crew = cls._crews.get(name) or cls._crews.setdefault(name, cls(config))
            crew._stages += 1
            return crew

    def leave(self) -> None:
        """End it, if this was its last stage."""
        with self._joining:
            self._stages -= 1
            if not self._stages:
                del self._crews[self.config.output.url(self.config.output.state)]
                self.pool.close()
                self.threads.shutdown(wait=False, cancel_futures=True)


class Made(NamedTuple):
    """The end of the work on a clip.

    ``cpu_seconds`` is the processor time it took, None if nobody knows.
    """

    row: Row
    cpu_seconds: float | None


class Work:
    """The clips of one bundle that are under way."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._pending: set[Future[Made]] = set()

    def submit(self, make: Callable[..., Made], *about: Any) -> "Future[Made]":
        """Have ``make(*about, crew)`` done by a thread of the crew."""
        future = self._crew.threads.submit(make, *about, self._crew)
        self._pending.add(future)
        return future

    def done(self, most: int | None = None) -> list[Row]:
        """Rows of finished clips; waits until fewer than ``most`` are under way."""
        rows = []
        while len(self._pending) >= (most or self._crew.in_flight):
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                row, cpu_seconds = future.result()
                metrics.worked(row, cpu_seconds)
                rows.append(row)
        return rows

    def finish(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        """All rows that are left, and the retries there have been, for ``finish_bundle``."""
        while self._pending:
            for row in self.done(1):
                yield at_the_end(row)
        self._crew.log.close()
        times = retries.RETRIES.take()
        metrics.retried(times)
        yield pvalue.TaggedOutput(RETRIES, at_the_end(times))


def at_the_end(element: Any) -> WindowedValue:
    """What ``finish_bundle`` may yield: an element with a window."""
    return WindowedValue(element, MIN_TIMESTAMP, (GlobalWindow(),))


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resize_clip(task: ResizeTask, crew: Crew) -> Made:
    """Make one clip of the best of its sources that can be read and decoded.

    Raises:
        OutputError: the clip cannot be written.
    """
    began = time.monotonic()
    failures: list[Row] = []
    cpu_seconds = 0.0
    for path, size in task.sources:
        with ExitStack() as stack:
            try:
                content, size = _fetch(path, size, stack)
            except OSError as error:
                outcome = Outcome.failed("unreadable", error.strerror or str(error))
                row = row_of(task.clip, task.path, path, size, outcome, began)
            else:
                source = Source(path, content, size)
                row, its_seconds = make_clip(task.clip, task.path, source, began, crew)
                cpu_seconds += its_seconds or 0.0
        if row.status != "failed":
            return Made(row, cpu_seconds)
        failures.append(row)
    return Made(failures[0], cpu_seconds or None)


class Source(NamedTuple):
    """A file that a clip is made of.

    ``path`` says for people where it is, ``content`` is its bytes or a local path to them, and
    ``size`` counts them.
    """

    path: str
    content: bytes | str
    size: int


def make_clip(clip: Clip, relative: str, source: Source, began: float, crew: Crew) -> Made:
    """Make a clip at ``relative`` in the output; the work on it began at that monotonic time.

    Raises:
        OutputError: it cannot be written.
    """
    output = crew.config.output
    with ExitStack() as stack:
        made = None
        if isinstance(source.content, str):
            made = stack.enter_context(output.temporary_path())
        segment = _segment(clip, source.path)
        request = Request(source.content, made, crew.config.clip, segment)
        outcome = crew.pool.run(request, crew.config.timeout_of(clip, source.size))
        if outcome.refusal is not None:
            with refusals(output.url(relative)):
                raise outcome.refusal
        row = row_of(clip, relative, source.path, source.size, outcome, began)
        if row.status == "failed":
            return Made(row, outcome.cpu_seconds)
        if output.is_local:
            output.displace(relative, row.bytes, row.sha256)
            crew.log.add(row)
        if made is not None:
            output.publish(made, relative)
        elif outcome.output is not None:
            output.write(relative, outcome.output)
        if not output.is_local:
            crew.log.add(row)  # what another run has left there is gone by now
        return Made(row, outcome.cpu_seconds)


def row_of(
    clip: Clip, relative: str, source: str, size: int | None, outcome: Outcome, began: float
) -> Row:
    """The row of a clip whose work is at its end."""
    return Row.of(
        clip,
        outcome.status,
        reason=outcome.reason,
        detail=outcome.detail,
        source=source,
        path=None if outcome.status == "failed" else relative,
        source_bytes=size,
        seconds=time.monotonic() - began,
        **asdict(outcome.facts),
    )


def _segment(clip: Clip, path: str) -> Segment | None:
    """Where a clip is in a source that is named by the video's id, and so may be all of it."""
    if clip.time_start is None or clip.time_end is None or base_name(path) == clip.clip_id:
        return None
    return Segment(Fraction(clip.time_start), Fraction(clip.time_end))


def _fetch(path: str, size: int | None, stack: ExitStack) -> tuple[bytes | str, int]:
    """A source's bytes, or a local path to it where it is too large for memory; its size."""
    if urls.is_local(path):
        found = os.stat(urls.local_path(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a file")  # to read a pipe or a device may never end
        size = found.st_size
    if size is None or size <= IN_MEMORY:
        data = files.read(path, IN_MEMORY + 1)  # of what a listing names nobody knows the size
        if len(data) <= IN_MEMORY:
            return data, len(data)
    if urls.is_local(path):
        return urls.local_path(path), os.path.getsize(urls.local_path(path))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    copy = os.path.join(folder, "source")
    files.download(path, copy)
    return copy, os.path.getsize(copy)
