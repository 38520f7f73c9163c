"""Make clips from the members of archives: each is read once, and decoded on all cores."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import batch_by_key, unpack
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ReadArchive, ResizeTask, Row
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.path_limits import why_unusable
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.sources.tar_stream import Member
from beam_pipeline.storage import urls
from beam_pipeline.work.load_source import MAX_IN_MEMORY
from beam_pipeline.work.make_clip import Source, make_clip, row_of
from beam_pipeline.work.worker_pool import (
    MAX_ON_DISK,
    NEXT,
    RETRIES,
    ROWS,
    ClipResult,
    ClipsInFlight,
    PooledDoFn,
    WorkerPool,
    tagged,
)

MAX_MEMBER_BYTES = MAX_ON_DISK
"""A member whose header states more is not read."""

READ = "read"


class ResizeMembers(beam.PTransform):
    """Run tasks whose sources are members of archives, together for each archive.

    Outputs ``rows`` (Row), ``next`` (ResizeTask), ``read`` (ReadArchive) and ``retries`` (int).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "By archive" >> batch_by_key(str, archive_of)
            | "Tasks of an archive" >> beam.GroupByKey()
            | "Resize"
            >> beam.ParDo(_ResizeMembers(self._config))
            .with_output_types(Row, **{NEXT: ResizeTask, READ: ReadArchive, RETRIES: int})
            .with_outputs(NEXT, READ, RETRIES, main=ROWS)
        )


def archive_of(task: ResizeTask) -> str:
    """The path of the archive that a task's sources are in."""
    return task.archive.path if task.archive else ""


class _ResizeMembers(PooledDoFn):
    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Row | pvalue.TaggedOutput]:
        _, batches = element
        yield from resize_members(list(unpack(ResizeTask, batches)), self._clips, self._pool)


def resize_members(
    tasks: Sequence[ResizeTask], clips: ClipsInFlight, pool: WorkerPool
) -> Iterator[Row | pvalue.TaggedOutput]:
    """Make clips from the members of one archive; yields the outputs of ``ResizeMembers``.

    Of the members that a task names, the first counts that is any good. A task of which none is,
    or none was found because the archive broke off, goes on to its next sources.
    """
    start = time.monotonic()
    wanted = {path: task for task in tasks for path, _ in task.sources}
    archive = tasks[0].archive
    assert archive is not None
    tried: dict[str, Future[ClipResult]] = {}  # by the path of the clip
    with ArchiveReader.open(archive) as reader:
        for member in reader.videos():
            path = urls.member(archive.path, member.name)
            task = wanted.get(path)
            if task is None or _is_made(tried.get(task.path)):
                continue
            tried[task.path] = submit_member(member, path, task.clip, clips, pool, task.thumbnail)
            yield from tagged(clips.collect())
            if len(tried) == len(tasks):
                yield from tagged(clips.collect(1))
                if all(map(_is_made, tried.values())):
                    break
    yield from tagged(clips.collect(1))
    record = reader.record()
    yield pvalue.TaggedOutput(READ, record)
    for task in tasks:
        if not _is_made(tried.get(task.path)):
            if task.path not in tried and record.broken and not pool.config.annotations:
                # It was there when names were read. No row of the plan tells of it.
                outcome = Outcome.failed("unreadable", record.broken)
                yield row_of(task.clip, task.path, task.sources[0][0], None, outcome, start)
            yield pvalue.TaggedOutput(NEXT, task.next())


def _is_made(future: "Future[ClipResult] | None") -> bool:
    """Whether a clip is made; waits for one in progress."""
    return future is not None and future.result().row.status != "failed"


def submit_member(
    member: Member,
    path: str,
    clip: Clip,
    clips: ClipsInFlight,
    pool: WorkerPool,
    thumbnail: bool = False,
    make: Callable[..., ClipResult] = make_clip,
) -> "Future[ClipResult]":
    """Read a member, whose public name is ``path``, and make a clip from it in the pool.

    With ``thumbnail`` a small picture of it is kept.

    Raises:
        BrokenArchive: the archive ends inside the member.
    """
    start = time.monotonic()
    relative = pool.config.clip_path(clip)
    if outcome := refuse(member, relative, pool.config):
        return clips.submit(_fail, clip, relative, path, outcome, start)
    with ExitStack() as stack:
        source = source_of(member, path, pool, stack)
        future = clips.submit(partial(make, thumbnail=thumbnail), clip, relative, source, start)
        cleanup = stack.pop_all()
        future.add_done_callback(lambda _: cleanup.close())
        return future


def refuse(member: Member, relative: str, config: Config) -> Outcome | None:
    """The failure of a member that is not read, whatever is in it; None if it is read."""
    if not config.annotations and (problem := why_unusable(relative, config.output)):
        return Outcome.failed("bad_name", problem)
    if member.is_sparse:
        return Outcome.failed("unreadable", "a sparse file; pack it without holes")
    if member.size > MAX_MEMBER_BYTES:
        detail = f"its size in the archive is {member.size:,} bytes; at most {MAX_MEMBER_BYTES:,}"
        return Outcome.failed("too_large", detail)
    return None


def source_of(member: Member, path: str, pool: WorkerPool, stack: ExitStack) -> Source:
    """A member's content, in memory or in a temporary file that the stack removes.

    Waits until the clips in progress leave room for it.

    Raises:
        BrokenArchive: the archive ends inside the member.
        OutputError: the temporary file cannot be written.
    """
    if member.size <= MAX_IN_MEMORY:
        stack.enter_context(pool.memory.hold(member.size))
        return Source(path, member.read(), member.size, base_name(member.name))
    stack.enter_context(pool.disk.hold(member.size))
    copy = stack.enter_context(pool.config.output.temporary_path())
    with as_write_error(copy), open(copy, "wb") as file:
        member.save(file)
    return Source(path, copy, member.size, base_name(member.name))


def _fail(
    clip: Clip, relative: str, path: str, outcome: Outcome, start: float, _: WorkerPool
) -> ClipResult:
    """The row of a member that is not read. Its size is a claim, so the row has none."""
    return ClipResult(row_of(clip, relative, path, None, outcome, start), None)
