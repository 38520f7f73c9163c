"""Step 6, results: manifests, lists, and the summary."""

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import Unannotated
from beam_pipeline.plan.plan_work import Plan
from beam_pipeline.results.merge_splits import MergeSplits
from beam_pipeline.results.write_shards import WriteShards
from beam_pipeline.results.write_summary import WriteSummary
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.sources.passed_over import NOTHING
from beam_pipeline.work.make_clips import Work


class WriteResults(beam.PTransform):
    """Write every output file except the clips from all rows; ``summary.json`` last."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, steps: tuple[Annotations, Sources, EarlierRuns, Plan, Work]
    ) -> beam.PCollection[None]:
        annotations, sources, earlier, plan, work = steps
        archives = pvalue.AsSingleton(work.archives)
        notes = (earlier.notes, *work.notes) | "Notes" >> beam.Flatten()
        return (
            (*work.rows, plan.rows)
            | WriteShards(self._config, pvalue.AsSingleton(plan.size, 0), archives)
            | MergeSplits(self._config)
            | WriteSummary(
                self._config,
                pvalue.AsSingleton(annotations.label_ids),
                pvalue.AsSingleton(plan.unannotated, Unannotated()),
                pvalue.AsSingleton(sources.passed_over, NOTHING),
                pvalue.AsSingleton(work.retries, 0),
                archives,
                pvalue.AsList(notes),
                pvalue.AsList(earlier.row_files),
            )
        )
