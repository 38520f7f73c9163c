"""Step 4, plan: what is to be done for every clip."""

from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import ResizeTask, Row
from beam_pipeline.plan.limit_clips import LimitClips
from beam_pipeline.plan.match_clips import ROWS, TASKS, UNANNOTATED, WANTED, MatchClips
from beam_pipeline.plan.plan_videos import LEFT_OUT, PlanVideos
from beam_pipeline.sources.find_sources import Sources


class Plan(NamedTuple):
    """What is to be done.

    tasks: the clips to make from loose files (ResizeTask).
    rows: the rows of clips that need no work, or cannot be made. A clip that may be in an
        archive has a row that says that it is missing; a row from the work takes its place.
    wanted: the table by which archives are searched, in parts (bytes).
    unannotated: one element, how many files belong to no clip.
    size: one element, how many clips there may be.
    """

    tasks: beam.PCollection[ResizeTask]
    rows: beam.PCollection[Row]
    wanted: beam.PCollection[bytes]
    unannotated: beam.PCollection[int]
    size: beam.PCollection[int]


class PlanWork(beam.PTransform):
    """What is annotated, what there is, and what has been made, to what is to be done."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, EarlierRuns]) -> Plan:
        annotations, sources, earlier = steps
        found = pvalue.AsSingleton(sources.count)
        ranks = pvalue.AsSingleton(sources.archive_ranks)
        there = {"videos": sources.videos, "rows": earlier.rows, "made": earlier.outputs}
        if self._config.annotations:
            last = annotations.statements | LimitClips(self._config)
            planned = {"annotations": annotations.statements, **there} | MatchClips(
                self._config,
                pvalue.AsSingleton(annotations.label_ids),
                found,
                pvalue.AsSingleton(last),
                ranks,
            )
            unannotated = planned[UNANNOTATED]
            size = annotations.statements | "Count" >> beam.combiners.Count.Globally()
        else:
            planned = there | PlanVideos(self._config, found, ranks)
            unannotated = planned[LEFT_OUT]
            size = sources.count
        return Plan(
            planned[TASKS],
            planned[ROWS],
            planned[WANTED],
            unannotated | "Count unannotated" >> beam.CombineGlobally(sum),
            size,
        )
