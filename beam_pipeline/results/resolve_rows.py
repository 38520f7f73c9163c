"""Resolve the rows of a clip, from several stages or archives, to one row.

Archives are searched in any order, by any number of workers. So several archives of one rank may
each give the clip. Then the first archive by name counts, see ``settle_clips.py``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from beam_pipeline.codec.outcome import join_remarks
from beam_pipeline.elements import LISTED, ReadArchive, Row
from beam_pipeline.fetch.reasons import NOT_ASKED
from beam_pipeline.plan.decide import DOUBTFUL, is_doubtful
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import urls


def best_rows(stages: Iterable[Iterable[Row]], choose: Callable[[Row, Row], Row]) -> list[Row]:
    """One row per clip: made before failed before missing.

    ``choose`` chooses between two rows of equal priority from one stage. Between stages the
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
                of_stage[row.clip_id] = choose(known, row)
        for clip_id, row in of_stage.items():
            if clip_id not in best or _priority(row) > _priority(best[clip_id]):
                best[clip_id] = row
    return list(best.values())


def _priority(row: Row) -> int:
    return 2 if row.status in LISTED else row.status == "failed"


def find_conflicts(rows: Iterable[Row], read: Sequence[ReadArchive]) -> Iterator[tuple[Row, ...]]:
    """The rows of each clip that a stage has made several times, with different bytes.

    Those of a clip are in the order of their archives.
    """
    if len(read) < 2:
        return
    made: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.status in LISTED:
            made[row.clip_id].append(row)
    for of_clip in made.values():
        if len({row.sha256 for row in of_clip}) > 1:
            yield tuple(sorted(of_clip, key=lambda row: archive_order(row, read)))


def first_of(one: Row, other: Row, read: Sequence[ReadArchive]) -> Row:
    """The row from the archive that comes first."""
    return min(one, other, key=lambda row: archive_order(row, read))


def archive_order(row: Row, read: Sequence[ReadArchive]) -> tuple[int, str]:
    """Sort key of a row's source; loose files sort before all archives."""
    archive = archive_of(row, read)
    return (-1, "") if archive is None else (archive.rank, archive.path)


def archive_of(row: Row, read: Sequence[ReadArchive]) -> ReadArchive | None:
    """The archive that a row's source is in."""
    source = row.source or ""
    return next((each for each in read if source.startswith(urls.member(each.path, ""))), None)


def explain_missing(row: Row, read: Sequence[ReadArchive]) -> Row:
    """Add to the row of a missing clip that an archive could not be read completely.

    The clip may have been in the unread rest.
    """
    broken = [archive for archive in read if archive.broken]
    if row.status != "missing" or row.reason != NOT_ASKED or not broken:
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
    if row.status not in LISTED or is_doubtful(row) or not archive_of(row, doubtful):
        return row
    return row._replace(detail=join_remarks(row.detail, DOUBTFUL))
