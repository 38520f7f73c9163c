"""Make clips from archives: each is read once, front to back, and decoded on all cores."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Clip, ReadArchive, Row
from beam_pipeline.kinetics.datasets import class_of_archive
from beam_pipeline.kinetics.file_names import base_name, is_hidden, is_video
from beam_pipeline.output.output_folder import as_write_error
from beam_pipeline.output.path_limits import why_unusable
from beam_pipeline.plan.decide import ambiguous_row
from beam_pipeline.plan.plan_videos import clip_id_from_path, may_clash
from beam_pipeline.plan.wanted_clips import Match, WantedClips
from beam_pipeline.privacy import one_line
from beam_pipeline.progress import metrics
from beam_pipeline.sources.tar_headers import BrokenArchive
from beam_pipeline.sources.tar_stream import Member, TarStream
from beam_pipeline.storage import urls
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.work.make_clip import MAX_IN_MEMORY, Source, make_clip, row_of
from beam_pipeline.work.worker_pool import (
    MAX_ON_DISK,
    RETRIES,
    ROWS,
    ClipResult,
    PooledDoFn,
    WorkerPool,
)

MAX_MEMBER_BYTES = MAX_ON_DISK
"""A member whose header states more is not read."""

READ = "read"


class ResizeMembers(beam.PTransform):
    """Read archives. Outputs ``rows`` (Row), ``read`` (ReadArchive) and ``retries`` (int).

    ``wanted`` is the table of clips to look for. ``made_keys`` holds the keys of clips that
    earlier phases made. Members that are not wanted are skipped without decoding.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        wanted: pvalue.AsList,
        made_keys: pvalue.AsList,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, wanted, made_keys)

    def expand(self, archives: beam.PCollection[Archive]) -> pvalue.DoOutputsTuple:
        return archives | "Resize" >> beam.ParDo(
            _ResizeMembers(self._config), *self._side_inputs
        ).with_output_types(Row, **{READ: ReadArchive, RETRIES: int}).with_outputs(
            READ, RETRIES, main=ROWS
        )


class _ResizeMembers(PooledDoFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._search: _ArchiveSearch | None = None

    def process(
        self,
        archive: Archive,
        label_ids: dict[str, int],
        wanted: list[bytes],
        made_keys: list[bytes],
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        if self._search is None:
            annotated = bool(self._config.annotations)
            table = WantedClips(b"".join(wanted), made_keys, label_ids, annotated)
            self._search = _ArchiveSearch(table, annotated)
        label = class_of_archive(self._config.dataset, archive.path, sorted(label_ids))
        if self._search.may_be_done and self._search.is_done:
            return
        if label is None or self._search.wants_class(label):
            yield from self._read(archive, self._search)

    def _read(
        self, archive: Archive, search: "_ArchiveSearch"
    ) -> Iterator[Row | pvalue.TaggedOutput]:
        videos = unannotated = 0
        broken: str | None = None
        is_doubtful = goes_on = False
        try:
            with open_stream(archive.path) as stream:
                tar = TarStream(stream, archive.size)
                for member in tar.members():
                    goes_on = tar.goes_on
                    if not is_video(member.name) or is_hidden(member.name):
                        continue
                    videos += 1
                    match = search.find(member)
                    unannotated += not match.known
                    for clip in match.clips:
                        if match.ambiguous:
                            yield ambiguous_row(clip, urls.member(archive.path, member.name))
                        else:
                            search.add_pending(clip, self._submit(archive, member, clip))
                    yield from self._clips.collect()
                    if search.may_be_done and not search.needs_checksum:
                        yield from self._clips.collect(1)
                        if search.is_done:
                            break
        except FileNotFoundError:
            broken = "there is no such file"
        except BrokenArchive as error:
            broken, is_doubtful = one_line(str(error)), error.is_doubtful
        except OSError as error:  # not even its beginning could be read
            broken = one_line(error.strerror or str(error))
        read = ReadArchive(
            archive.path, archive.rank, videos, unannotated, broken, is_doubtful, goes_on
        )
        yield pvalue.TaggedOutput(READ, read)

    def _submit(self, archive: Archive, member: Member, clip: Clip) -> "Future[ClipResult]":
        """Read a member and submit its clip to the pool.

        Raises:
            BrokenArchive: the archive ends inside the member.
        """
        start = time.monotonic()
        path = urls.member(archive.path, member.name)
        relative = self._config.clip_path(clip)
        if not self._config.annotations or self._config.shard is not None:
            metrics.count_planned()  # it was not known before that there is such a member
        if outcome := self._refuse(member, relative):
            return self._clips.submit(_fail, clip, relative, path, outcome, start)
        with ExitStack() as stack:
            source = source_of(member, path, self._pool, stack)
            future = self._clips.submit(make_clip, clip, relative, source, start)
            cleanup = stack.pop_all()
            future.add_done_callback(lambda _: cleanup.close())
            return future

    def _refuse(self, member: Member, relative: str) -> Outcome | None:
        """The failure of a member that is not read, whatever is in it; None if it is read."""
        if not self._config.annotations and (
            problem := why_unusable(relative, self._config.output)
        ):
            return Outcome.failed("bad_name", problem)
        if member.is_sparse:
            return Outcome.failed("unreadable", "a sparse file; pack it without holes")
        if member.size > MAX_MEMBER_BYTES:
            detail = (
                f"its size in the archive is {member.size:,} bytes; at most {MAX_MEMBER_BYTES:,}"
            )
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


class _ArchiveSearch:
    """The clips that one worker still wants from its archives, and those in progress."""

    def __init__(self, wanted: WantedClips, annotated: bool) -> None:
        self._wanted = wanted
        self._annotated = annotated
        self._pending: dict[str, Future[ClipResult]] = {}

    def find(self, member: Member) -> Match:
        """The wanted clips that a member matches.

        Of two members for one clip, the first usable one counts: the second waits for its result.
        """
        name = member.name if self._annotated else clip_id_from_path(member.name)
        match = self._wanted.find(name)
        if len(match.clips) == 1 and not match.ambiguous:
            self._update(match.clips[0].clip_id)
            match = self._wanted.find(name)
        if not self._annotated:
            # Of a file and a folder of one name the first is made, whichever is done sooner.
            for clip_id in [clip_id for clip_id in self._pending if may_clash(clip_id, name)]:
                self._update(clip_id)
        return match

    def add_pending(self, clip: Clip, future: "Future[ClipResult]") -> None:
        """Record that a clip is in progress."""
        self._pending[clip.clip_id] = future
        for clip_id in [name for name, pending in self._pending.items() if pending.done()]:
            self._update(clip_id)

    def _update(self, clip_id: str) -> None:
        if (future := self._pending.pop(clip_id, None)) and future.result().row.status != "failed":
            self._wanted.mark_made(future.result().row)

    def wants_class(self, label: str) -> bool:
        return self._wanted.wants_class(label)

    @property
    def needs_checksum(self) -> bool:
        """Whether archives are read to their end, because one was wrong when clips were made."""
        return self._wanted.has_doubtful

    @property
    def may_be_done(self) -> bool:
        """Whether all wanted clips are in progress."""
        return self._annotated and len(self._wanted) <= len(self._pending)

    @property
    def is_done(self) -> bool:
        """Whether no clip is wanted any more; waits for the clips in progress."""
        for clip_id in list(self._pending):
            self._update(clip_id)
        return not self._wanted.wants_any
