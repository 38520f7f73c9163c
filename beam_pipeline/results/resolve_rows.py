"""Which row counts where a clip has several: from several stages, or from several archives.

A single worker reads archives one after the other and makes a clip once. Several workers may each
find the clip in an archive of their own: then the archive that is first in order counts, as if
there were one worker. If the other archive's clip is what lies in the output, the clip is made
again.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Clip, ReadArchive, Row
from beam_pipeline.sources.tar_stream import BrokenArchive, Member, members
from beam_pipeline.storage import files
from beam_pipeline.storage.streams import opened_stream
from beam_pipeline.work.make_clip import make_clip
from beam_pipeline.work.resize_members import source_of
from beam_pipeline.work.worker_pool import WorkerPool


def best_rows(stages: Iterable[Iterable[Row]], resolve: Callable[[Row, Row], Row]) -> list[Row]:
    """One row for each clip: that it is made, else why not, else that it is missing.

    Of two from one stage that say as much ``resolve`` tells which counts; of several stages the
    earliest does.
    """
    best: dict[str, Row] = {}
    for rows in stages:
        of_stage: dict[str, Row] = {}
        for row in rows:
            known = of_stage.get(row.clip_id)
            if known is None or _merit(row) > _merit(known):
                of_stage[row.clip_id] = row
            elif _merit(row) == _merit(known):
                of_stage[row.clip_id] = resolve(known, row)
        for clip_id, row in of_stage.items():
            if clip_id not in best or _merit(row) > _merit(best[clip_id]):
                best[clip_id] = row
    return list(best.values())


def _merit(row: Row) -> int:
    return 2 if row.status in LISTED else row.status == "failed"


def explain_missing(row: Row, read: Sequence[ReadArchive]) -> Row:
    """A row that says, of a missing clip, that it may have been in an archive that broke off."""
    broken = [archive for archive in read if archive.broken]
    if row.status != "missing" or not broken:
        return row
    more = f", {len(broken) - 1} more broke off" if len(broken) > 1 else ""
    return row._replace(detail=f"{broken[0].path} broke off: {broken[0].broken}{more}")


def resolve_rows(one: Row, other: Row, read: Sequence[ReadArchive], config: Config) -> Row:
    """The row that counts of two that say as much of one clip; its file is there afterwards.

    Raises:
        OutputError: the clip that counts cannot be written.
    """
    first, second = sorted((one, other), key=lambda row: _place(row, read))
    if first.status not in LISTED or first.sha256 == second.sha256:
        return first
    url = config.output.url(first.path or "")
    there = hashlib.sha256(files.read(url)).hexdigest()
    if there == first.sha256:
        return first
    # Of one source, made on two kinds of processors: both are right.
    again = None if first.source == second.source else _made_again(first, read, config)
    return again or second


def _place(row: Row, read: Sequence[ReadArchive]) -> tuple[int, str]:
    """Where a row's source stands in the order of archives; a loose file before them all."""
    archive = _archive_of(row, read)
    return (-1, "") if archive is None else (archive.rank, archive.path)


def _archive_of(row: Row, read: Sequence[ReadArchive]) -> ReadArchive | None:
    source = row.source or ""
    return next((archive for archive in read if source.startswith(f"{archive.path}/")), None)


def _made_again(row: Row, read: Sequence[ReadArchive], config: Config) -> Row | None:
    """The row of a clip that is made once more of its archive; None where that breaks off now."""
    archive = _archive_of(row, read)
    if archive is None:
        return None
    pool = WorkerPool.acquire(config)
    try:
        with opened_stream(archive.path) as stream:
            for member in members(stream):
                if f"{archive.path}/{member.name}" == row.source:
                    return _made_of(member, row, pool)
    except (BrokenArchive, OSError):
        return None
    finally:
        pool.row_log.close()
        pool.release()
    return None


def _made_of(member: Member, row: Row, pool: WorkerPool) -> Row | None:
    clip = Clip(
        row.clip_id,
        row.youtube_id,
        None if row.time_start is None else int(row.time_start),
        None if row.time_end is None else int(row.time_end),
        row.split,
        row.label,
        row.label_id,
    )
    began = time.monotonic()
    with ExitStack() as stack:
        source = source_of(member, row.source or "", pool.config.output, stack)
        made = make_clip(clip, row.path or "", source, began, pool)
    return None if made.row.status == "failed" else made.row
