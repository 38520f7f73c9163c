"""Which file is which clip, and what is to be done about it."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from zlib import crc32

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline import progress
from beam_pipeline.assign_label_ids import UNLABELLED_ID
from beam_pipeline.batches import gather, unpack
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, Clip, ResizeTask, Row, Video
from beam_pipeline.errors import InputError
from beam_pipeline.output import Output

ROWS = "rows"
UNANNOTATED = "unannotated"

_TIMES = re.compile(r"(_\d{6,})+$")


def group_of(name: str) -> str:
    """The key under which everything meets that could belong together.

    A file's base name is a ``clip_id`` or a bare ``youtube_id``, and an id may itself end like
    the times of a clip, so all of them are taken off.

    >>> group_of("--nQbRBEz2s_000104_000114")
    '--nQbRBEz2s'
    """
    return _TIMES.sub("", name)


def base_name(path: str) -> str:
    """A file's name without folder and extension."""
    return posixpath.splitext(posixpath.basename(path))[0]


BUCKETS = 512
"""Parts of the join: enough for many workers, few enough that each is worth a shuffle's while."""

# What meets under group_of: the elements' type, and where the name is that the group is told by.
_GATHERED: dict[str, tuple[type, Callable[[Any], str]]] = {
    "annotations": (Annotation, lambda stated: stated.youtube_id),
    "videos": (Video, lambda video: base_name(video.path)),
    "rows": (Row, lambda row: row.youtube_id),
    "made": (Video, lambda video: base_name(video.path)),
}


def bucket_of(name: str) -> int:
    """The bucket of a group; the same on every machine."""
    return crc32(group_of(name).encode()) % BUCKETS


class MatchClips(beam.PTransform):
    """Annotations, videos and earlier results to tasks, and rows for clips that need no work.

    Outputs ``tasks`` (ResizeTask), ``rows`` (Row) and ``unannotated`` (int, files of a group
    that match nothing). One shuffle of everything: what is stated about a video, its files,
    and the rows and outputs of its clips from earlier runs meet under ``group_of``.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        found: pvalue.AsSingleton,
        last: pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, found, last)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``annotations``, ``videos``, ``rows`` (Row) and ``made`` (Video, in the output)."""
        return (
            {
                name: inputs[name] | f"Gather {name}" >> gather(int, _bucket_by(name_of))
                for name, (_, name_of) in _GATHERED.items()
            }
            | "Bring together" >> beam.CoGroupByKey()
            | "Decide"
            >> beam.ParDo(_Decide(self._config), *self._side_inputs)
            .with_output_types(ResizeTask, **{ROWS: Row, UNANNOTATED: int})
            .with_outputs(ROWS, UNANNOTATED, main="tasks")
        )


def _bucket_by(name_of: Callable[[Any], str]) -> Callable[[Any], int]:
    return lambda element: bucket_of(name_of(element))


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        label_ids: dict[str, int],
        found: int,
        last: str | None,
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        if not found:
            raise InputError(
                f"no video under {', '.join(self._config.videos)}; --videos searches for "
                ".mp4 .mkv .webm .avi .mov files"
            )
        _, bucket = element
        for group in groups_of(bucket):
            yield from self._decide(group, label_ids, last)

    def _decide(
        self, group: "Group", label_ids: dict[str, int], last: str | None
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        clips = settle(group.annotations, label_ids)
        matched = match(clips, group.videos)
        finished = finished_rows(group.rows, group.made, self._config.output)
        if matched.unannotated:
            yield pvalue.TaggedOutput(UNANNOTATED, matched.unannotated)
        for settled in clips:
            within = last is None or settled.clip.clip_id <= last
            if within and self._config.asks_for(settled.clip):
                path = self._config.clip_path(settled.clip)
                _check_path(path, self._config.separator)
                decision = decide(settled, matched, finished.get(path))
                if isinstance(decision, Row):
                    yield pvalue.TaggedOutput(ROWS, decision)
                else:
                    progress.LOCAL.plan()
                    yield decision


@dataclass(frozen=True, slots=True)
class Group:
    """All that has one ``group_of``: what is stated, found, and left by earlier runs."""

    annotations: list[Annotation] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    made: list[Video] = field(default_factory=list)


def groups_of(bucket: dict[str, Iterable[bytes]]) -> Iterable[Group]:
    """A bucket's batches as groups."""
    groups: defaultdict[str, Group] = defaultdict(Group)
    for kind, (element_type, name_of) in _GATHERED.items():
        member: Callable[[Group], list[Any]] = attrgetter(kind)
        elements: Iterator[Any] = unpack(element_type, bucket[kind])
        for element in elements:
            member(groups[group_of(name_of(element))]).append(element)
    return groups.values()


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
    return Clip(youtube_id, time_start, time_end, split, label, label_id)


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
        by_id.setdefault(settled.clip.youtube_id, []).append(settled.clip.clip_id)

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


def decide(settled: Settled, matched: Matched, finished: Row | None) -> ResizeTask | Row:
    """What is to be done for one clip; ``finished`` is the row of its output, if it is made."""
    clip = settled.clip
    if settled.conflict:
        return Row.of(clip, "failed", reason="conflicting_annotations", detail=settled.conflict)
    if finished:
        return finished.reused_for(clip)
    if sources := matched.sources.get(clip.clip_id):
        return ResizeTask(clip, tuple((video.path, video.size) for video in sources))
    if files := matched.ambiguous.get(clip.youtube_id):
        return Row.of(
            clip,
            "failed",
            reason="ambiguous",
            source=files[0].path,
            detail=f"several clips are of {clip.youtube_id}; name the file by its clip, "
            f"{clip.clip_id}",
        )
    return Row.of(clip, "missing", reason="no_file")


def _check_path(path: str, separator: str) -> None:
    if separator in path:
        raise InputError(
            f"the path {path} contains the separator {separator!r}: SlowFast would cut "
            "it there; type another --separator"
        )
