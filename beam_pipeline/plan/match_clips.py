"""Match annotated clips with files and with the results of earlier runs, by name."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Group, JoinByBucket, JoinInputs, groups_in
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, Archive, ResizeTask, Row, Unannotated, Video
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.output.thumbnails import ClassSizes, is_kept
from beam_pipeline.plan.candidates import Candidates, find_candidates, group_of, name_of
from beam_pipeline.plan.decide import (
    decide,
    finished_rows,
    is_doubtful,
    listed_row,
    missing_row,
    without_known_failures,
)
from beam_pipeline.plan.exclude_clips import (
    EXCLUDED,
    Excluded,
    excluded_row,
    first_statements,
)
from beam_pipeline.plan.resolve_annotations import ResolvedClip, resolve_annotations
from beam_pipeline.plan.sample_clips import LastRanks, is_sampled
from beam_pipeline.plan.wanted_clips import record_of
from beam_pipeline.progress import metrics

TASKS = "tasks"
ROWS = "rows"
UNANNOTATED = "unannotated"
WANTED = "wanted"


KINDS: JoinInputs = {
    "annotations": (Annotation, lambda annotation: group_of(annotation.youtube_id)),
    "videos": (Video, lambda video: group_of(base_name(video.path))),
    "members": (Video, lambda member: group_of(base_name(name_of(member)))),
    "rows": (Row, lambda row: group_of(row.youtube_id or "")),
    "outputs": (Video, lambda video: group_of(base_name(video.path))),
}
"""The inputs of the join, each with its type and key; ``outputs`` are videos in the output."""


def kinds_of(config: Config) -> JoinInputs:
    """The inputs of a run's join: statements that exclude clips are one of them if there are any.

    What has no elements would cost a plain run a stage all the same.
    """
    excludes = config.exclude_annotations or config.releases
    return {**KINDS, EXCLUDED: KINDS["annotations"]} if excludes else KINDS


class MatchClips(beam.PTransform):
    """Make tasks for the clips that need work, and rows for those that do not.

    Outputs ``tasks`` (ResizeTask), ``rows`` (Row), ``unannotated`` (Unannotated, files of a bucket
    that match no clip) and, if archives are searched, ``wanted`` (bytes, records of every annotated
    clip). A clip with a task that names an archive also gets a row with the status missing, in
    case nothing comes of the task. One shuffle joins annotations, files, and the rows and outputs
    of earlier runs by ``group_of``.
    """

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        source_count: pvalue.AsSingleton,
        last_clip_id: pvalue.AsSingleton,
        searched: pvalue.AsSingleton,
        class_sizes: pvalue.AsSingleton,
        last_ranks: pvalue.AsSingleton | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        inputs = (label_ids, source_count, last_clip_id, searched, class_sizes)
        self._side_inputs = inputs if last_ranks is None else (*inputs, last_ranks)

    def expand(self, inputs: dict[str, beam.PCollection]) -> pvalue.DoOutputsTuple:
        """Takes ``annotations``, ``videos``, ``members``, ``rows`` and ``outputs``.

        Also ``excluded`` with --exclude_annotations, and if several releases are merged.
        """
        return (
            inputs
            | JoinByBucket(kinds_of(self._config))
            | "Decide"
            >> beam.ParDo(_Decide(self._config), *self._side_inputs)
            .with_output_types(ResizeTask, **{ROWS: Row, UNANNOTATED: Unannotated, WANTED: bytes})
            .with_outputs(ROWS, UNANNOTATED, WANTED, main=TASKS)
        )


class Limits(NamedTuple):
    """The last clip_id of --limit and the last ranks of --limit_per_class; None without them."""

    last_clip_id: str | None
    last_ranks: LastRanks | None


class _Decide(beam.DoFn):
    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        self._kinds = kinds_of(self._config)
        self._dialects = self._config.dialects()

    def process(
        self,
        element: tuple[int, dict[str, Iterable[bytes]]],
        label_ids: dict[str, int],
        _source_count: int,  # unused: makes this step wait for the check that there are files
        last_clip_id: str | None,
        searched: list[Archive],
        class_sizes: ClassSizes,
        last_ranks: LastRanks | None = None,
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        _, bucket = element
        limits = Limits(last_clip_id, last_ranks)
        records: list[bytes] = []
        unannotated: list[Unannotated] = []
        for group in groups_in(self._kinds, bucket).values():
            clips = resolve_annotations(group["annotations"], label_ids)
            candidates = find_candidates(clips, group["videos"] + group["members"])
            if any(candidates.unannotated):
                unannotated.append(candidates.unannotated)
            if clips:
                decided = self._decide(clips, candidates, group, limits, bool(searched), records)
                for output in decided:
                    if isinstance(output, ResizeTask):
                        yield output._replace(thumbnail=is_kept(output.clip, class_sizes))
                    else:
                        yield output
        if unannotated:
            yield pvalue.TaggedOutput(UNANNOTATED, add_unannotated(unannotated))
        if searched:
            yield pvalue.TaggedOutput(WANTED, b"".join(records))

    def _decide(
        self,
        clips: Sequence[ResolvedClip],
        candidates: Candidates,
        group: Group,
        limits: Limits,
        searched: bool,
        records: list[bytes],
    ) -> Iterator[ResizeTask | pvalue.TaggedOutput]:
        excluded = first_statements(group.get(EXCLUDED, ()))
        finished = finished_rows(group["rows"], group["outputs"], self._config.output)
        clips_per_video = (
            Counter(resolved.clip.youtube_id for resolved in clips) if searched else {}
        )
        for resolved in clips:
            clip = resolved.clip
            path = self._config.clip_path(clip)
            requested = self._is_requested(resolved, limits)
            left_out = self._left_out(resolved, excluded)
            made = path in finished and not is_doubtful(finished[path])
            wanted = requested and not resolved.conflict and not made and left_out is None
            decision = left_out or decide(
                resolved, candidates, path, finished.get(path), group["rows"]
            )
            if searched:
                is_only_clip = clips_per_video[clip.youtube_id] == 1
                doubtful = is_doubtful(finished.get(path))
                known = candidates.sources.get(clip.clip_id, ())
                left, _ = without_known_failures(known, group["rows"], clip)
                records.append(record_of(clip, wanted, is_only_clip, doubtful, bool(left)))
            if not requested:
                continue
            if isinstance(decision, ResizeTask) and not self._config.resize:
                decision = listed_row(decision)
            self._check_lists(path, decision)
            is_work = searched or isinstance(decision, ResizeTask) or self._config.fetches(decision)
            if wanted and is_work and self._config.shard is None:
                metrics.count_planned()
            if isinstance(decision, Row):
                yield pvalue.TaggedOutput(ROWS, decision)
                if not (wanted and path in finished):
                    continue
                # Doubtful: its row counts if it cannot be made again.
                decision = decide(resolved, candidates, path, None, group["rows"])
                if isinstance(decision, Row):
                    continue
            elif decision.archive or decision.later:
                yield pvalue.TaggedOutput(ROWS, missing_row(clip, group["rows"]))
            yield decision

    def _is_requested(self, resolved: ResolvedClip, limits: Limits) -> bool:
        clip = resolved.clip
        if limits.last_clip_id is not None and clip.clip_id > limits.last_clip_id:
            return False
        if not self._config.includes(clip):
            return False
        if limits.last_ranks is None:
            return True
        return not resolved.conflict and is_sampled(clip, self._config.seed, limits.last_ranks)

    def _left_out(self, resolved: ResolvedClip, excluded: Excluded) -> Row | None:
        """The row of a clip that is excluded; one that is in conflict has failed in any case."""
        if not excluded or resolved.conflict:
            return None
        return excluded_row(resolved.clip, excluded, self._config.exclude_from)

    def _check_lists(self, path: str, decision: ResizeTask | Row) -> None:
        """Raise InputError if a trainer would misread a path that is, or may be, in the lists."""
        if self._config.resize:
            listed = self._config.listed_path(path)
        elif isinstance(decision, Row) and decision.source and decision.status == "listed":
            listed = self._config.listed_path(None, decision.source)
        else:
            return
        for dialect in self._dialects:
            dialect.check(listed)


def add_unannotated(counts: Iterable[Unannotated]) -> Unannotated:
    """The sum of these numbers."""
    return Unannotated(*map(sum, zip(Unannotated(), *counts, strict=True)))
