"""One clip: fetched, resized by a codec child, put into the output, and noted in a row."""

import os
import stat
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from typing import NamedTuple

from beam_pipeline.codec.child import Request
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.timestamps import Segment
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output.output_folder import write_errors
from beam_pipeline.storage import files, urls
from beam_pipeline.work.worker_pool import ClipResult, WorkerPool

IN_MEMORY = 64 * 1024**2
"""Bytes; larger sources go through a temporary file."""


class Source(NamedTuple):
    """A file that a clip is made of.

    ``path`` says for people where it is, ``content`` is its bytes or a local path to them, and
    ``size`` counts them.
    """

    path: str
    content: bytes | str
    size: int


def resize_clip(task: ResizeTask, pool: WorkerPool) -> ClipResult:
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
                row, its_seconds = make_clip(task.clip, task.path, source, began, pool)
                cpu_seconds += its_seconds or 0.0
        if row.status != "failed":
            return ClipResult(row, cpu_seconds)
        failures.append(row)
    return ClipResult(failures[0], cpu_seconds or None)


def make_clip(
    clip: Clip, relative: str, source: Source, began: float, pool: WorkerPool
) -> ClipResult:
    """Make a clip at ``relative`` in the output; the work on it began at that monotonic time.

    Raises:
        OutputError: it cannot be written.
    """
    output = pool.config.output
    with ExitStack() as stack:
        made: str | None = None
        if isinstance(source.content, str):
            made = stack.enter_context(output.temporary_path())
        segment = _segment(clip, source.path)
        request = Request(source.content, made, pool.config.clip, segment)
        outcome = pool.codecs.run(request, pool.config.timeout_of(clip, source.size))
        if outcome.write_error is not None:
            with write_errors(output.url(relative)):
                raise outcome.write_error
        row = row_of(clip, relative, source.path, source.size, outcome, began)
        if row.status == "failed":
            return ClipResult(row, outcome.cpu_seconds)
        if output.is_local:
            output.remove_stale(relative, row.bytes, row.sha256)
            pool.row_log.add(row)
        if made is not None:
            output.publish(made, relative)
        elif outcome.output is not None:
            output.write(relative, outcome.output)
        if not output.is_local:
            pool.row_log.add(row)  # what another run has left there is gone by now
        return ClipResult(row, outcome.cpu_seconds)


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
