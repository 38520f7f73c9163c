"""Two rows for one clip, where workers have read several archives at once.

A single worker reads archives one after the other and makes a clip once. Of several each may find
the clip in an archive of its own: then the archive that is first in order counts, as if there
were one worker. If the other's clip is what is there, the clip is made again.
"""

import hashlib
import time
from collections.abc import Sequence
from contextlib import ExitStack

from beam_pipeline.storage import files
from beam_pipeline.sources.tar_stream import BrokenArchive, Member, members
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Clip, ReadArchive, Row
from beam_pipeline.work.make_clip import make_clip
from beam_pipeline.work.worker_pool import Crew
from beam_pipeline.work.resize_members import source_of
from beam_pipeline.storage.streams import opened_stream


def settle(one: Row, other: Row, read: Sequence[ReadArchive], config: Config) -> Row:
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
    crew = Crew.join(config)
    try:
        with opened_stream(archive.path) as stream:
            for member in members(stream):
                if f"{archive.path}/{member.name}" == row.source:
                    return _made_of(member, row, crew)
    except (BrokenArchive, OSError):
        return None
    finally:
        crew.log.close()
        crew.leave()
    return None


def _made_of(member: Member, row: Row, crew: Crew) -> Row | None:
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
        source = source_of(member, row.source or "", crew.config.output, stack)
        made = make_clip(clip, row.path or "", source, began, crew)
    return None if made.row.status == "failed" else made.row
