"""Step 4, plan: what to do for every clip."""

from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import ResizeTask, Row, Unannotated
from beam_pipeline.plan.limit_clips import LimitClips
from beam_pipeline.plan.match_clips import (
    ROWS,
    TASKS,
    UNANNOTATED,
    WANTED,
    MatchClips,
    add_unannotated,
)
from beam_pipeline.plan.plan_videos import DUPLICATES, PlanVideos
from beam_pipeline.sources.find_sources import Sources


class Plan(NamedTuple):
    """The output of step 4.

    tasks: the clips to make from files whose names are known (ResizeTask).
    rows: the rows of clips that need no work, or cannot be made. A clip that may be in an
        archive has a row with the status missing, which a row from step 5 overrides.
    wanted: parts of the table of clips to look for in all other archives (bytes).
    unannotated: one element, the numbers of files that belong to no clip; empty if each does.
    size: one element, the maximum number of clips; empty if there is none.
    """

    tasks: beam.PCollection[ResizeTask]
    rows: beam.PCollection[Row]
    wanted: beam.PCollection[bytes]
    unannotated: beam.PCollection[Unannotated]
    size: beam.PCollection[int]


class PlanWork(beam.PTransform):
    """Plan the work from annotations, sources and earlier runs: see ``Plan``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, EarlierRuns]) -> Plan:
        annotations, sources, earlier = steps
        source_count = pvalue.AsSingleton(sources.count)
        searched = pvalue.AsSingleton(sources.archives.searched)
        inputs = {
            "videos": sources.videos,
            "members": sources.archives.members,
            "rows": earlier.rows,
            "outputs": earlier.outputs,
        }
        if self._config.annotations:
            last_clip_id = annotations.statements | LimitClips(self._config)
            planned = {"annotations": annotations.statements, **inputs} | MatchClips(
                self._config,
                pvalue.AsSingleton(annotations.label_ids),
                source_count,
                pvalue.AsSingleton(last_clip_id),
                searched,
            )
            unannotated = planned[UNANNOTATED]
            count = beam.CombineGlobally(beam.combiners.CountCombineFn()).without_defaults()
            size = annotations.statements | "Count" >> count
        else:
            planned = inputs | PlanVideos(self._config, source_count, searched)
            unannotated = planned[DUPLICATES]
            size = sources.count
        return Plan(
            planned[TASKS],
            planned[ROWS],
            planned[WANTED],
            unannotated
            | "Count unannotated" >> beam.CombineGlobally(add_unannotated).without_defaults(),
            size,
        )
