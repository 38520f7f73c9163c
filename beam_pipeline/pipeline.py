"""The pipeline, as a graph of its steps.

    --annotations       --videos          --output
         |                 |                  |
    ReadAnnotations   FindSources      FindEarlierRuns     fails if the output has other settings
         |                 |                  |
         +-------------> PlanWork <-----------+            joins all facts about each clip
         |                 |  |                            (rows of clips that need no work
         +--- label ids    |  |  rows                       go straight to the results)
         |                 |  |
         +------------> MakeClips                          loose files and archives, all at once,
         |                 |  |                            one codec process per core; with --fetch
         |                 |  |                            what is found nowhere, at last
         +------------> WriteResults                       lists, manifests, summary.json last

Each step is a folder; its transform is in the file that is named after it. The elements between
steps are in ``elements.py``: paths and facts, never the bytes of a video. Of archives that others
must yield to, FindSources reads the names; all others go to MakeClips unread.

Every step is idempotent on every runner: file names depend only on the data, and files are
written atomically. All work is part of the graph, because on a cluster the program that submitted
the job may be gone when it ends.
"""

from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations, ReadAnnotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns, FindEarlierRuns
from beam_pipeline.plan.plan_fetch import PlanFetch
from beam_pipeline.plan.plan_work import Plan, PlanWork
from beam_pipeline.results.keep_part import KeepPart
from beam_pipeline.results.write_results import WriteFetched, WriteResults
from beam_pipeline.sources.find_sources import FindSources, Sources
from beam_pipeline.work.fetch_clips import FetchClips
from beam_pipeline.work.make_clips import MakeClips


class Planned(NamedTuple):
    """Steps 1 to 4 of the job."""

    annotations: Annotations
    sources: Sources
    earlier: EarlierRuns
    plan: Plan


def build(pipeline: beam.Pipeline, config: Config) -> None:
    """Add all steps of the job to a pipeline.

    With ``--shard`` the last one is to keep this part for the run that writes the results.
    """
    annotations, sources, earlier, plan = build_plan(pipeline, config)
    work = (annotations, sources, plan) | "Work" >> MakeClips(config)
    if config.shard is None:
        (annotations, sources, earlier, plan, work) | "Results" >> WriteResults(config)
    else:
        (sources, work) | "Part" >> KeepPart(config)


def build_plan(pipeline: beam.Pipeline, config: Config, writes: bool = True) -> Planned:
    """Add the steps that find out what is to be done.

    Unless it ``writes``, the output is read and checked, but nothing is written there.
    """
    annotations = pipeline | "Annotations" >> ReadAnnotations(config)
    earlier = pipeline | "Earlier runs" >> FindEarlierRuns(config, writes)
    sources = earlier.names | "Sources" >> FindSources(config)
    plan = (annotations, sources, earlier) | "Plan" >> PlanWork(config)
    return Planned(annotations, sources, earlier, plan)


def build_fetch(pipeline: beam.Pipeline, config: Config) -> None:
    """Add the steps of ``fetch OUTPUT``, whose manifests stand in for annotations and sources."""
    earlier = pipeline | "Earlier runs" >> FindEarlierRuns(config)
    plan = earlier | "Plan" >> PlanFetch(config)
    fetched = (plan.rows,) | "Fetch" >> FetchClips(config, pvalue.AsSingleton(plan.class_sizes))
    (earlier, plan, fetched) | "Results" >> WriteFetched(config)
