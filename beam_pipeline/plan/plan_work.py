"""Step 4, plan: what to do for every clip."""

from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import Annotation, ResizeTask, Row, Unannotated
from beam_pipeline.output.thumbnails import ClassSizes
from beam_pipeline.plan.count_classes import CountClasses
from beam_pipeline.plan.exclude_clips import EXCLUDED, ReadExcluded
from beam_pipeline.plan.limit_clips import LastWithinLimit, LimitClips
from beam_pipeline.plan.match_clips import (
    ROWS,
    TASKS,
    UNANNOTATED,
    WANTED,
    MatchClips,
    add_unannotated,
)
from beam_pipeline.plan.plan_videos import DUPLICATES, PlanVideos, clip_id_of
from beam_pipeline.plan.sample_clips import Sample, SampleClips
from beam_pipeline.plan.take_part import TakePart
from beam_pipeline.sources.find_sources import Sources


class Plan(NamedTuple):
    """The output of step 4.

    tasks: the clips to make from files whose names are known (ResizeTask); with ``--shard`` those
        of this part.
    rows: the rows of clips that need no work, or cannot be made. A clip that may be in an
        archive has a row with the status missing, which a row from step 5 overrides.
    wanted: parts of the table of clips to look for in all other archives (bytes).
    unannotated: one element, the numbers of files that belong to no clip; empty if each does.
    size: one element, the maximum number of clips; empty if there is none.
    class_sizes: one element, about how many clips each class has (``ClassSizes``).
    """

    tasks: beam.PCollection[ResizeTask]
    rows: beam.PCollection[Row]
    wanted: beam.PCollection[bytes]
    unannotated: beam.PCollection[Unannotated]
    size: beam.PCollection[int]
    class_sizes: beam.PCollection[ClassSizes]


class PlanWork(beam.PTransform):
    """Plan the work from annotations, sources and earlier runs: see ``Plan``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, EarlierRuns]) -> Plan:
        annotations, sources, earlier = steps
        class_sizes = (annotations, sources) | "Class sizes" >> CountClasses(self._config)
        inputs = {
            "videos": sources.videos,
            "members": sources.archives.members,
            "rows": earlier.rows,
            "outputs": earlier.outputs,
        }
        tables = (
            pvalue.AsSingleton(sources.count),
            pvalue.AsSingleton(sources.archives.searched),
            pvalue.AsSingleton(class_sizes),
        )
        sample = None
        if self._config.annotations:
            planned, sample = self._match_clips(annotations, inputs, *tables)
            unannotated = planned[UNANNOTATED]
            count = beam.CombineGlobally(beam.combiners.CountCombineFn()).without_defaults()
            size = annotations.statements | "Count" >> count
        else:
            planned = inputs | PlanVideos(self._config, *tables)
            unannotated = planned[DUPLICATES]
            size = sources.count
        tasks = planned[TASKS]
        if self._config.shard is not None:
            ids = self._requested_ids(annotations, sources) if sample is None else sample.clip_ids
            tasks = {"tasks": tasks, "ids": ids} | TakePart(self._config.shard, self._config.limit)
        return Plan(
            tasks,
            planned[ROWS],
            planned[WANTED],
            unannotated
            | "Count unannotated" >> beam.CombineGlobally(add_unannotated).without_defaults(),
            size,
            class_sizes,
        )

    def _match_clips(
        self,
        annotations: Annotations,
        inputs: dict[str, beam.PCollection],
        source_count: pvalue.AsSingleton,
        searched: pvalue.AsSingleton,
        class_sizes: pvalue.AsSingleton,
    ) -> tuple[pvalue.DoOutputsTuple, Sample | None]:
        """The outputs of ``MatchClips``, and the sample of --limit_per_class, None without it."""
        label_ids = pvalue.AsSingleton(annotations.label_ids)
        sample = last_ranks = None
        if self._config.limit_per_class is None:
            last_clip_id = annotations.statements | LimitClips(self._config)
        else:
            sample = annotations.statements | SampleClips(self._config, label_ids)
            last_clip_id = sample.clip_ids | LastWithinLimit(self._config.limit)
            last_ranks = pvalue.AsSingleton(sample.last_ranks)
        if excluded := self._excluded(annotations):
            inputs = {**inputs, EXCLUDED: excluded | "All excluded" >> beam.Flatten()}
        planned = {"annotations": annotations.statements, **inputs} | MatchClips(
            self._config,
            label_ids,
            source_count,
            pvalue.AsSingleton(last_clip_id),
            searched,
            class_sizes,
            last_ranks,
        )
        return planned, sample

    def _excluded(self, annotations: Annotations) -> tuple[beam.PCollection[Annotation], ...]:
        """The statements that exclude clips, of all kinds that this run may have."""
        carried = (annotations.merge.left_out,) if annotations.merge else ()
        if not self._config.exclude_annotations:
            return carried
        pipeline = annotations.statements.pipeline
        return (*carried, pipeline | "Excluded" >> ReadExcluded(self._config))

    def _requested_ids(self, annotations: Annotations, sources: Sources) -> beam.PCollection[str]:
        """The ids of all clips that the run is asked for, some of them several times."""
        if self._config.annotations:
            requested = beam.FlatMap(_id_of, self._config).with_output_types(str)
            return annotations.statements | "Requested ids" >> requested
        every = beam.Map(clip_id_of, self._config).with_output_types(str)
        return sources.videos | "Requested ids" >> every


def _id_of(annotation: Annotation, config: Config) -> Iterator[str]:
    if config.includes(annotation):
        yield annotation.clip_id
