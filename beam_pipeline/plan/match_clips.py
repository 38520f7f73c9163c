"""Which file is which clip, and what is to be done about it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.progress import metrics
from beam_pipeline.storage import files
from beam_pipeline.kinetics.classes import UNLABELLED_ID
from beam_pipeline.batches import BringTogether, Group, Kinds, groups_of
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, Clip, ResizeTask, Row, Video
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.plan.decide import split_sources
from beam_pipeline.output.output_folder import Output
from beam_pipeline.plan.wanted_clips import record_of

ROWS = "rows"
UNANNOTATED = "unannotated"
WANTED = "wanted"

_TIMES = re.compile(r"(_\d{6,})+$")


def group_of(name: str) -> str:
    """The key under which everything meets that could belong together.

    A file's base name is a ``clip_id`` or a bare ``youtube_id``, and an id may itself end like
    the times of a clip, so all of them are taken off.

    >>> group_of("--nQbRBEz2s_000104_000114")
    '--nQbRBEz2s'
    """
    return _TIMES.sub("", name)


KINDS: Kinds = {
    "annotations": (Annotation, lambda stated: group_of(stated.youtube_id)),
    "videos": (Video, lambda video: group_of(base_name(video.path))),
    "rows": (Row, lambda row: group_of(row.youtube_id or "")),
    "made": (Video, lambda video: group_of(base_name(video.path))),
}
"""What is about one clip meets under ``group_of``; ``made`` are videos in the output."""


class MatchClips(beam.PTransform):
    """Annotations, videos and earlier results to tasks, and rows for clips that need no work.

    Outputs ``tasks`` (ResizeTask), ``rows`` (Row), ``unannotated`` (int, files of a group that
    match nothing) and, where there are archives, ``wanted`` (bytes, records of every annotated
    clip): then a clip without a file has a row too, for the case that no archive has it. One
    shuffle of everything: what is stated about a video, its files,
    and the rows and outputs of its clips from earlier runs meet under ``group_of``.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        found: pvalue.AsSingleton,
        last: pvalue.AsSingleton,
        archive_ranks: pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, found, last, archive_ranks)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``annotations``, ``videos``, ``rows`` (Row) and ``made`` (Video, in the output)."""
        return (
            inputs
            | BringTogether(KINDS)
            | "Decide"
            >> beam.ParDo(_Decide(self._config), *self._side_inputs)
            .with_output_types(ResizeTask, **{ROWS: Row, UNANNOTATED: int, WANTED: bytes})
            .with_outputs(ROWS, UNANNOTATED, WANTED, main="tasks")
        )


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        self._dialects = self._config.dialects()

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        label_ids: dict[str, int],
        _found: int,  # unread: nothing is decided before there is known to be a video
        last: str | None,
        archive_ranks: tuple[int, ...],
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        _, bucket = element
        records: list[bytes] = []
        for group in groups_of(KINDS, bucket).values():
            yield from self._decide(group, label_ids, last, archive_ranks, records)
        if archive_ranks:
            yield pvalue.TaggedOutput(WANTED, b"".join(records))

    def _decide(
        self,
        group: Group,
        label_ids: dict[str, int],
        last: str | None,
        archive_ranks: tuple[int, ...],
        records: list[bytes],
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        clips = settle(group["annotations"], label_ids)
        matched = match(clips, group["videos"])
        finished = finished_rows(group["rows"], group["made"], self._config.output)
        of_id = Counter(settled.clip.youtube_id for settled in clips)
        if matched.unannotated:
            yield pvalue.TaggedOutput(UNANNOTATED, matched.unannotated)
        for settled in clips:
            clip = settled.clip
            path = self._config.clip_path(clip)
            within = last is None or clip.clip_id <= last
            asked = within and self._config.asks_for(clip)
            wanted = asked and not settled.conflict and path not in finished
            if archive_ranks:
                records.append(record_of(clip, wanted, of_id[clip.youtube_id] == 1))
            if not asked:
                continue
            decision = decide(settled, matched, path, finished.get(path))
            if isinstance(decision, ResizeTask) and not self._config.resize:
                decision = listed_row(decision)
            self._check_lists(path, decision)
            if wanted and (archive_ranks or isinstance(decision, ResizeTask)):
                metrics.planned()
            if isinstance(decision, Row):
                yield pvalue.TaggedOutput(ROWS, decision)
                continue
            if archive_ranks:
                yield pvalue.TaggedOutput(ROWS, Row.of(clip, "missing", reason="no_file"))
            yield from split_sources(decision, matched.sources[clip.clip_id], archive_ranks)

    def _check_lists(self, path: str, decision: ResizeTask | Row) -> None:
        """Raise InputError where a trainer would misread a path that is, or may be, listed."""
        if self._config.resize:
            listed = self._config.listed_path(path)
        elif isinstance(decision, Row) and decision.source and decision.status == "listed":
            listed = self._config.listed_path(None, decision.source)
        else:
            return
        for dialect in self._dialects:
            dialect.check(listed)


@dataclass(frozen=True)
class Settled:
    """A clip, and what contradicts itself about it (None: nothing)."""

    clip: Clip
    conflict: str | None


@dataclass(frozen=True)
class Matched:
    """The files of one group.

    sources: of each clip_id, the best first.
    ambiguous: of each youtube_id with several clips, the files named by it alone.
    unannotated: how many files match nothing.
    """

    sources: dict[str, tuple[Video, ...]]
    ambiguous: dict[str, tuple[Video, ...]]
    unannotated: int


def settle(annotations: Iterable[Annotation], label_ids: dict[str, int]) -> list[Settled]:
    """One clip for all that is stated of it: alike counts once, a stated label beats none.

    Two labels or two splits contradict each other; the clip stands in the split stated first.
    """
    stated: dict[str, list[Annotation]] = {}
    for annotation in sorted(annotations, key=lambda a: (a.place, a.clip_id, a.label or "")):
        stated.setdefault(annotation.clip_id, []).append(annotation)
    return [_settle_one(stated[clip_id], label_ids) for clip_id in sorted(stated)]


def _settle_one(statements: Sequence[Annotation], label_ids: dict[str, int]) -> Settled:
    first = statements[0]
    if len(statements) == 1:
        return Settled(_clip(first, first.label, label_ids), None)
    labels = {a.label: a for a in reversed(statements) if a.label is not None}
    splits = {a.split: a for a in reversed(statements)}
    conflict = next(
        (
            "; ".join(f"{value} in {_where(a)}" for value, a in reversed(stated.items()))
            for stated in (labels, splits)
            if len(stated) > 1
        ),
        None,
    )
    if conflict:
        return Settled(_clip(first, None, label_ids)._replace(label_id=None), conflict)
    return Settled(_clip(first, next(iter(labels), None), label_ids), None)


def _clip(stated: Annotation, label: str | None, label_ids: dict[str, int]) -> Clip:
    youtube_id, time_start, time_end, _, split, _ = stated
    label_id = UNLABELLED_ID if label is None else label_ids[label]
    return Clip(stated.clip_id, youtube_id, time_start, time_end, split, label, label_id)


def _where(annotation: Annotation) -> str:
    _, path, line, _ = annotation.place
    return f"{path} line {line}"


def match(clips: Sequence[Settled], videos: Iterable[Video]) -> Matched:
    """Give each file to the clip whose name it has.

    The ``clip_id`` is a full match; a bare ``youtube_id`` counts where one clip has it. Of
    several files the lower rank wins, then the full name, then the smallest path.
    """
    by_name = {settled.clip.clip_id for settled in clips}
    by_id: dict[str, list[str]] = {}
    for settled in clips:
        by_id.setdefault(settled.clip.youtube_id or "", []).append(settled.clip.clip_id)

    ranked: dict[str, list[tuple[int, bool, str, Video]]] = {}
    ambiguous: dict[str, list[Video]] = {}
    unannotated = 0
    # A file that two arguments name is one file, of the lower rank.
    files = {video.path: video for video in sorted(videos, key=lambda v: v.rank, reverse=True)}
    for video in files.values():
        name = base_name(video.path)
        if name in by_name:
            ranked.setdefault(name, []).append((video.rank, False, video.path, video))
        elif name not in by_id:
            unannotated += 1
        elif len(by_id[name]) == 1:
            ranked.setdefault(by_id[name][0], []).append((video.rank, True, video.path, video))
        else:
            ambiguous.setdefault(name, []).append(video)
    return Matched(
        {clip_id: _best_first(candidates) for clip_id, candidates in ranked.items()},
        {name: tuple(sorted(files, key=lambda v: v.path)) for name, files in ambiguous.items()},
        unannotated,
    )


def _best_first(candidates: list[tuple[int, bool, str, Video]]) -> tuple[Video, ...]:
    return tuple(video for *_, video in sorted(candidates, key=lambda c: c[:3]))


def finished_rows(rows: Iterable[Row], made: Iterable[Video], output: Output) -> dict[str, Row]:
    """By path, the rows of earlier runs whose output is there with just the row's bytes."""
    sizes = {video.path: video.size for video in made}
    return {
        row.path: row
        for row in sorted(rows, key=lambda row: row.sha256 or "")
        if row.path and row.bytes is not None and sizes.get(output.url(row.path)) == row.bytes
    }


def decide(settled: Settled, matched: Matched, path: str, finished: Row | None) -> ResizeTask | Row:
    """What is to be done for one clip, whose output is ``path``; ``finished`` if it is made."""
    clip = settled.clip
    if settled.conflict:
        return Row.of(clip, "failed", reason="conflicting_annotations", detail=settled.conflict)
    if finished:
        return finished.reused_for(clip)
    if sources := matched.sources.get(clip.clip_id):
        return ResizeTask(clip, path, tuple((video.path, video.size) for video in sources))
    if files := matched.ambiguous.get(clip.youtube_id or ""):
        return ambiguous_row(clip, files[0].path)
    return Row.of(clip, "missing", reason="no_file")


def ambiguous_row(clip: Clip, source: str) -> Row:
    """The row of a clip for which there is only a file that may be of another one too."""
    return Row.of(
        clip,
        "failed",
        reason="ambiguous",
        source=source,
        detail=f"several clips are of {clip.youtube_id}; name the file by its clip, {clip.clip_id}",
    )


def listed_row(task: ResizeTask) -> Row:
    """The row of a clip that is listed as it is: the best of its files that holds anything.

    A listing may name what is not there any more: each file that it names is looked for, but for
    addresses on the web, of which only reading them would tell.
    """
    failure: Row | None = None
    for source, size in task.sources:
        about = {"source": source, "source_bytes": size}
        try:
            if size is None:
                about["source_bytes"] = files.info(source).size
        except FileNotFoundError:
            continue
        except OSError as error:
            about |= {"reason": "unreadable", "detail": error.strerror or str(error)}
        else:
            if about["source_bytes"] != 0:
                return Row.of(task.clip, "listed", **about)
            about |= {"reason": "empty_file", "detail": "0 bytes"}
        failure = failure or Row.of(task.clip, "failed", **about)
    return failure or Row.of(task.clip, "missing", reason="no_file")
