"""Make one clip: read the source, resize it in a codec child, publish it, and log its row."""

import time
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from beam_pipeline.codec.outcome import Outcome, Reason, join_remarks
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.timestamps import Segment
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.errors import OutputError
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.path_limits import why_refused
from beam_pipeline.storage.retries import TooLarge
from beam_pipeline.work.load_source import load_source
from beam_pipeline.work.worker_pool import ClipResult, WorkerPool


class Source(NamedTuple):
    """The video file that a clip is made from.

    ``path`` is its location, for rows and messages. ``content`` is its bytes, or a local path to
    them. ``size`` is in bytes. ``name`` is its base name, which the path may not end with: an
    address may have a query. ``is_whole_video`` if it is known to be the whole video. ``remark``
    is what the row says of it besides, None if nothing.
    """

    path: str
    content: bytes | str
    size: int
    name: str
    is_whole_video: bool = False
    remark: str | None = None


def resize_clip(task: ResizeTask, pool: WorkerPool) -> ClipResult:
    """Make one clip from the best of its loose files that can be read and decoded.

    Raises:
        OutputError: the clip cannot be written.
    """
    start = time.monotonic()
    failures: list[Row] = []
    cpu_seconds = 0.0
    for path, size in task.sources:
        with ExitStack() as stack:
            try:
                content, size = load_source(path, size, pool, stack)
            except OSError as error:
                reason: Reason = "too_large" if isinstance(error, TooLarge) else "unreadable"
                outcome = Outcome.failed(reason, error.strerror or str(error))
                row = row_of(task.clip, task.path, path, size, outcome, start)
                result = ClipResult(row, None)
            else:
                source = Source(path, content, size, base_name(path))
                result = make_clip(task.clip, task.path, source, start, pool, task.thumbnail)
        cpu_seconds += result.cpu_seconds or 0.0
        if result.row.status != "failed":
            return ClipResult(result.row, cpu_seconds)
        failures.append(result.row)
    return ClipResult(failures[0], cpu_seconds or None, task)


def make_clip(
    clip: Clip,
    relative: str,
    source: Source,
    start: float,
    pool: WorkerPool,
    thumbnail: bool = False,
) -> ClipResult:
    """Make a clip at ``relative`` in the output, unless this run has made it from this source.

    ``start`` is the ``time.monotonic()`` at which work on the clip began. With ``thumbnail`` a
    small picture of the clip is kept.

    Raises:
        OutputError: the clip cannot be written.
    """
    if (made := pool.rows_of_run.find(relative, source.path)) is not None:
        return ClipResult(made, None)
    return make_clip_anew(clip, relative, source, start, pool, thumbnail)


def make_clip_anew(
    clip: Clip,
    relative: str,
    source: Source,
    start: float,
    pool: WorkerPool,
    thumbnail: bool = False,
) -> ClipResult:
    """Make a clip whatever is there; see ``make_clip``.

    Raises:
        OutputError: the clip cannot be written.
    """
    output = pool.config.output
    with ExitStack() as stack:
        temporary: str | None = None
        if isinstance(source.content, str):
            temporary = stack.enter_context(output.temporary_path())
        outcome = encode(clip, source, temporary, pool, thumbnail)
        if outcome.write_error is not None:
            with as_write_error(output.url(relative)):
                raise outcome.write_error
        row = row_of(clip, relative, source.path, source.size, outcome, start)
        if row.status == "failed":
            is_final = row.reason != "unreadable" and not outcome.killed
            if is_final and pool.config.shard is not None:
                # The run that writes the results need not decode this source again.
                pool.row_log.add(row)
            return ClipResult(row, outcome.cpu_seconds)
        try:
            _publish(row, relative, temporary, outcome.output, pool)
        except OutputError as error:
            problem = why_refused(relative, output, error) if clip.split is None else None
            if problem is None:
                raise
            refused = Outcome.failed("bad_name", problem, outcome.facts)
            row = row_of(clip, relative, source.path, source.size, refused, start)
        else:
            if outcome.thumbnail is not None:
                pool.thumbnails.add(clip.clip_id, row.sha256, outcome.thumbnail)
        return ClipResult(row, outcome.cpu_seconds)


def _publish(
    row: Row, relative: str, temporary: str | None, content: bytes | None, pool: WorkerPool
) -> None:
    """Put a clip into the output, from its temporary file or its content, and log its row."""
    output = pool.config.output
    if output.is_local:
        output.remove_stale(relative, row.bytes, row.sha256)
        pool.row_log.add(row)
    if temporary is not None:
        output.publish(temporary, relative)
    elif content is not None:
        output.write(relative, content)
    if not output.is_local:
        pool.row_log.add(row)  # any file of another run is replaced by now


def encode(
    clip: Clip, source: Source, temporary: str | None, pool: WorkerPool, thumbnail: bool = False
) -> Outcome:
    """Run the codecs on one clip, within its limits.

    ``temporary`` is where a clip goes that is made from a file; others are in the outcome. So is
    the thumbnail, if one is asked for.
    """
    segment = _segment(clip, source.name, source.is_whole_video)
    request = Request(source.content, temporary, pool.config.clip, segment, thumbnail)
    outcome = _run(request, pool.config.timeout_of(clip, source.size), pool.codecs)
    if source.remark is None:
        return outcome
    return replace(outcome, detail=join_remarks(source.remark, outcome.detail))


def _run(request: Request, timeout: float, codecs: CodecPool) -> Outcome:
    """Run a request. If its child dies, run it again without sound, which must not cost a clip.

    A clip whose child was killed from outside keeps its sound: the next run makes it again.
    """
    outcome = codecs.run(request, timeout)
    if outcome.reason != "crashed" or outcome.killed or request.settings.audio == "drop":
        return outcome
    silent = codecs.run(replace(request, settings=replace(request.settings, audio="drop")), timeout)
    if silent.status == "failed":
        return outcome
    remark = f"sound dropped: with it {outcome.detail}"
    return replace(silent, detail=join_remarks(remark, silent.detail))


def row_of(
    clip: Clip, relative: str, source: str, size: int | None, outcome: Outcome, start: float
) -> Row:
    """The row of a finished clip, made or failed."""
    # Nothing else was asked for.
    assert outcome.status in ("resized", "copied", "failed")
    return Row.of(
        clip,
        outcome.status,
        reason=outcome.reason,
        detail=outcome.detail,
        source=source,
        path=None if outcome.status == "failed" else relative,
        source_bytes=size,
        seconds=time.monotonic() - start,
        **vars(outcome.facts),
    )


def _segment(clip: Clip, name: str, is_whole_video: bool = False) -> Segment | None:
    """The segment to cut from the source; None if the source is named by the clip's own id.

    A source named by the video's id may be the whole video.
    """
    if clip.time_start is None or clip.time_end is None or name == clip.clip_id:
        return None
    times = Fraction(clip.time_start), Fraction(clip.time_end)
    return Segment(*times, of_whole_video=is_whole_video)
