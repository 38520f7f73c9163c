"""Decide what to do for one clip: a task, or a row that says why there is nothing to do."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from beam_pipeline.elements import Archive, Clip, ResizeTask, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.fetch.reasons import FINAL, is_answer
from beam_pipeline.output.output_folder import Output
from beam_pipeline.plan.candidates import Candidates
from beam_pipeline.plan.resolve_annotations import ResolvedClip
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files

DOUBTFUL = "the checksum of its archive is wrong"
"""In the ``detail`` of a clip that may be wrong. The next run makes it again if it can."""


def is_doubtful(row: Row | None) -> bool:
    """Whether a clip was made from an archive whose checksum is wrong."""
    return row is not None and DOUBTFUL in (row.detail or "")


def finished_rows(rows: Iterable[Row], outputs: Iterable[Video], output: Output) -> dict[str, Row]:
    """By path, the rows of earlier runs whose output file exists and has the row's size.

    None for a clip that was made from several archives, by a run that was stopped before it has
    settled which of them counts.
    """
    by_path: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.sha256 or ""):
        if row.path and row.bytes is not None:
            by_path.setdefault(row.path, []).append(row)
    if not by_path:  # most groups of a large data set that is being prepared
        return {}
    sizes = {video.path: video.size for video in outputs}
    finished = {}
    for path, of_clip in by_path.items():
        size = sizes.get(output.url(path))
        there = [row for row in of_clip if row.bytes == size]
        if there and not any(row.contradicts(of_clip[0]) for row in of_clip):
            finished[path] = there[-1]
    return finished


def decide(
    resolved: ResolvedClip,
    candidates: Candidates,
    path: str,
    finished: Row | None,
    earlier: Iterable[Row] = (),
) -> ResizeTask | Row:
    """Decide for one clip, whose output is ``path``; ``finished`` is its row if it is made.

    ``earlier`` are rows of earlier runs, which may tell of files that hold no clip.
    """
    clip = resolved.clip
    if resolved.conflict:
        return Row.of(clip, "failed", reason="conflicting_annotations", detail=resolved.conflict)
    if finished:
        return finished.reused_for(clip)
    sources, failure = without_known_failures(
        candidates.sources.get(clip.clip_id, ()), earlier, clip
    )
    if sources:
        return task_of(clip, path, sources)
    if failure is not None:
        return failure
    if ambiguous := candidates.ambiguous.get(clip.youtube_id or ""):
        return ambiguous_row(clip, ambiguous[0].path)
    return missing_row(clip, earlier)


def missing_row(clip: Clip, earlier: Iterable[Row]) -> Row:
    """The row of a clip without a file, with what a site has said of it to an earlier run.

    Of several answers a final one counts, then the first that was given: their details begin with
    the date.
    """
    answers = [
        row
        for row in earlier
        if row.clip_id == clip.clip_id and is_answer(row.status, row.reason, row.source)
    ]
    if not answers:
        return Row.of(clip, "missing", reason="no_file")
    first = min(answers, key=lambda row: (row.reason not in FINAL, row.detail or ""))
    return first.for_clip(clip)


def without_known_failures(
    videos: Sequence[Video], rows: Iterable[Row], clip: Clip
) -> tuple[tuple[Video, ...], Row | None]:
    """The files of a clip that may hold it, and the failed row of the best one that does not.

    Some ``rows`` of earlier runs tell of files that hold no clip, whoever reads them. A file counts
    as the same if it has the same path and, where that is known, the same size.
    """
    failed = {
        row.source: row for row in rows if row.status == "failed" and row.clip_id == clip.clip_id
    }
    left, failures = [], []
    for video in videos if failed else ():
        row = failed.get(public_address(video.path))
        if row is not None and video.size in (None, row.source_bytes):
            failures.append(row.for_clip(clip))
        else:
            left.append(video)
    return tuple(left if failed else videos), next(iter(failures), None)


def ambiguous_row(clip: Clip, source: str) -> Row:
    """The row of a clip whose only file may also belong to another clip."""
    return Row.of(
        clip,
        "failed",
        reason="ambiguous",
        source=source,
        detail=f"several clips have the id {clip.youtube_id}; rename the file to {clip.clip_id}",
    )


def listed_row(task: ResizeTask) -> Row:
    """The row of a clip that is listed as it is, with its best file that is not empty.

    A listing may name files that no longer exist, so each of its files is looked up. Addresses
    on the web are not: only reading them would show whether they exist.

    Raises:
        InputError: the file's address holds secrets, which no list may hold.
    """
    failure: Row | None = None
    for source, size in task.sources:
        details = {"source": source, "source_bytes": size}
        try:
            if size is None:
                details["source_bytes"] = files.info(source).size
        except FileNotFoundError:
            continue
        except OSError as error:
            details |= {"reason": "unreadable", "detail": error.strerror or str(error)}
        else:
            if details["source_bytes"] != 0:
                _check_listable(source)
                return Row.of(task.clip, "listed", **details)
            details |= {"reason": "empty_file", "detail": "0 bytes"}
        failure = failure or Row.of(task.clip, "failed", **details)
    return failure or Row.of(task.clip, "missing", reason="no_file")


def _check_listable(source: str) -> None:
    """Raise InputError if a list would name an address that cannot be read without its secrets."""
    shown = public_address(source)
    if shown == source:
        return
    if public_address(source, full=True) == source:
        raise InputError(
            f"the lists would name {shown} without its user and query; type --source_names full, "
            "or leave out --resize false"
        )
    raise InputError(
        f"the lists would name {shown} without its password; name an address without one, or "
        "leave out --resize false"
    )


def task_of(clip: Clip, path: str, videos: Sequence[Video]) -> ResizeTask:
    """The task to make a clip from these files, the best first."""

    def archive_of(video: Video) -> Archive | None:
        return video.archive

    later = tuple(
        (archive, tuple((video.path, video.size) for video in together))
        for archive, together in groupby(videos, archive_of)
    )
    return ResizeTask(clip, path, (), later=later).next()
