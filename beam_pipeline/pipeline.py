"""The job, as data flows through it.

    --annotations       --videos          --output
         |                 |                  |
    ReadAnnotations   FindSources      FindEarlierRuns     refuses an output with other settings
         |                 |                  |
         +-------------> PlanWork <-----------+            all that is known of a clip meets here
                           |
                       MakeClips                           loose files and archives, one codec
                           |                               process a core
                      WriteResults                         lists, manifests, summary.json last

Each step is a folder; its transform is in the file of that name. What crosses the steps is in
``elements.py``: paths and facts, never the bytes of a video. The ids of classes go from the
first step to the last two, and archives go from the second to the fifth, unread.

Every step can be done twice with the same result, wherever it runs: names come from the data,
and a file appears whole or not at all. Nothing is left to do after the graph has run, because on
a cluster nobody may be there to do it.
"""

import apache_beam as beam

from beam_pipeline.annotations.read_annotations import ReadAnnotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import FindEarlierRuns
from beam_pipeline.plan.plan_work import PlanWork
from beam_pipeline.results.write_results import WriteResults
from beam_pipeline.sources.find_sources import FindSources
from beam_pipeline.work.make_clips import MakeClips


def build(pipeline: beam.Pipeline, config: Config) -> None:
    """Put the whole job into a pipeline."""
    annotations = pipeline | "Annotations" >> ReadAnnotations(config)
    sources = pipeline | "Sources" >> FindSources(config)
    earlier = pipeline | "Earlier runs" >> FindEarlierRuns(config)
    plan = (annotations, sources, earlier) | "Plan" >> PlanWork(config)
    work = (annotations, sources, plan) | "Work" >> MakeClips(config)
    (annotations, plan, work) | "Results" >> WriteResults(config)
