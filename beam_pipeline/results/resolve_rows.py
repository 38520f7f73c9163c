"""Resolve the rows of a clip, from several stages or archives, to one row.

A single worker reads archives one after the other and makes a clip once. Several workers may each
find the clip in a different archive. Then the first archive in order counts, as with one worker.
If the output holds the other archive's clip, the clip is made again.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from beam_pipeline.codec.outcome import join_remarks
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Clip, ReadArchive, Row
from beam_pipeline.plan.decide import DOUBTFUL, is_doubtful
from beam_pipeline.privacy import public_address
from beam_pipeline.sources.tar_headers import BrokenArchive
from beam_pipeline.sources.tar_stream import Member, members
from beam_pipeline.storage import urls
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.work.make_clip import make_clip
from beam_pipeline.work.resize_members import source_of
from beam_pipeline.work.worker_pool import WorkerPool


def best_rows(stages: Iterable[Iterable[Row]], resolve: Callable[[Row, Row], Row]) -> list[Row]:
    """One row per clip: made before failed before missing.

    ``resolve`` chooses between two rows of equal priority from one stage. Between stages the
    earliest wins.
    """
    best: dict[str, Row] = {}
    for rows in stages:
        of_stage: dict[str, Row] = {}
        for row in rows:
            known = of_stage.get(row.clip_id)
            if known is None or _priority(row) > _priority(known):
                of_stage[row.clip_id] = row
            elif _priority(row) == _priority(known):
                of_stage[row.clip_id] = resolve(known, row)
        for clip_id, row in of_stage.items():
            if clip_id not in best or _priority(row) > _priority(best[clip_id]):
                best[clip_id] = row
    return list(best.values())


def _priority(row: Row) -> int:
    return 2 if row.status in LISTED else row.status == "failed"


def explain_missing(row: Row, read: Sequence[ReadArchive]) -> Row:
    """Add to the row of a missing clip that an archive could not be read completely.

    The clip may have been in the unread rest.
    """
    broken = [archive for archive in read if archive.broken]
    if row.status != "missing" or not broken:
        return row
    more = f"; and {len(broken) - 1} more" if len(broken) > 1 else ""
    first = broken[0]
    detail = f"{public_address(first.path)} could not be read completely: {first.broken}{more}"
    return row._replace(detail=detail)


def add_doubt(row: Row, read: Sequence[ReadArchive]) -> Row:
    """Add to the row of a clip that the checksum of its archive is wrong.

    It stands at the end of the archive, where the clip has long been made.
    """
    doubtful = [archive for archive in read if archive.is_doubtful]
    if row.status not in LISTED or is_doubtful(row) or not _archive_of(row, doubtful):
        return row
    return row._replace(detail=join_remarks(row.detail, DOUBTFUL))


def resolve_rows(one: Row, other: Row, read: Sequence[ReadArchive], config: Config) -> Row:
    """Choose between two rows of equal priority for one clip, and make its file match.

    Raises:
        OutputError: the clip cannot be written.
    """
    first, second = sorted((one, other), key=lambda row: _archive_order(row, read))
    if first.status not in LISTED or first.sha256 == second.sha256:
        return first
    url = config.output.url(first.path or "")
    with open_stream(url) as existing:
        existing_sha256 = hashlib.file_digest(existing, "sha256").hexdigest()
    if existing_sha256 == first.sha256:
        return first
    # The same source, encoded on two kinds of processors: both are right.
    remade = None if first.source == second.source else _remake(first, read, config)
    return remade or second


def _archive_order(row: Row, read: Sequence[ReadArchive]) -> tuple[int, str]:
    """Sort key of a row's source in reading order; loose files sort before all archives."""
    archive = _archive_of(row, read)
    return (-1, "") if archive is None else (archive.rank, archive.path)


def _archive_of(row: Row, read: Sequence[ReadArchive]) -> ReadArchive | None:
    source = row.source or ""
    return next((each for each in read if source.startswith(urls.member(each.path, ""))), None)


def _remake(row: Row, read: Sequence[ReadArchive], config: Config) -> Row | None:
    """Make a clip again from its archive; None if the archive cannot be read now."""
    archive = _archive_of(row, read)
    if archive is None:
        return None
    pool = WorkerPool.acquire(config)
    try:
        with open_stream(archive.path) as stream:
            for member in members(stream):
                if urls.member(archive.path, member.name) == row.source:
                    return _make_from_member(member, row, pool)
    except (BrokenArchive, OSError):
        return None
    finally:
        pool.row_log.close()
        config.output.sync()
        pool.release()
    return None


def _make_from_member(member: Member, row: Row, pool: WorkerPool) -> Row | None:
    clip = Clip(
        row.clip_id,
        row.youtube_id,
        None if row.time_start is None else int(row.time_start),
        None if row.time_end is None else int(row.time_end),
        row.split,
        row.label,
        row.label_id,
    )
    start = time.monotonic()
    with ExitStack() as stack:
        source = source_of(member, row.source or "", pool, stack)
        result = make_clip(clip, row.path or "", source, start, pool)
    return None if result.row.status == "failed" else result.row
