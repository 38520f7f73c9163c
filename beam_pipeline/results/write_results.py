"""Step 6, results: manifests, lists, and the summary."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.earlier.find_earlier_runs import EarlierRuns
from beam_pipeline.elements import MergedReleases, ReadArchive, Row, Unannotated
from beam_pipeline.output.list_formats import HUGGINGFACE
from beam_pipeline.plan.plan_fetch import FetchPlan
from beam_pipeline.plan.plan_work import Plan
from beam_pipeline.results.merge_splits import MergeSplits
from beam_pipeline.results.pack_webdataset import PackWebDataset
from beam_pipeline.results.tell_merge import told_merge
from beam_pipeline.results.write_shards import WriteShards
from beam_pipeline.results.write_summary import WriteSummary
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.sources.passed_over import NOTHING
from beam_pipeline.work.fetch_clips import Fetched
from beam_pipeline.work.make_clips import Work


class Told(NamedTuple):
    """What is told of a run besides its rows; the fields are those of the steps they come from."""

    label_ids: beam.PCollection[dict[str, int]]
    size: beam.PCollection[int]
    unannotated: beam.PCollection[Unannotated]
    passed_over: beam.PCollection[dict[str, Any]]
    retries: beam.PCollection[int]
    archives: beam.PCollection[list[ReadArchive]]
    notes: beam.PCollection[str]
    row_files: beam.PCollection[tuple[str, int]]
    merged: beam.PCollection[MergedReleases] | None


class WriteResults(beam.PTransform):
    """Write every output file except the clips from all rows; ``summary.json`` last.

    Shards, where asked for, come between the manifests that they are made of and the summary.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, steps: tuple[Annotations, Sources, EarlierRuns, Plan, Work]
    ) -> beam.PCollection[None]:
        annotations, sources, earlier, plan, work = steps
        notes, merged = (earlier.notes, *work.notes), None
        if annotations.merge:
            notes = (*notes, annotations.merge.notes)
            merged = annotations.merge.merged
        told = Told(
            annotations.label_ids,
            plan.size,
            plan.unannotated,
            sources.passed_over,
            work.retries,
            work.archives,
            notes | "Notes" >> beam.Flatten(),
            earlier.row_files,
            merged,
        )
        return _write((*work.rows, plan.rows), told, self._config)


class WriteFetched(beam.PTransform):
    """Write the same files after ``fetch OUTPUT``, from what was fetched and what was there."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[EarlierRuns, FetchPlan, Fetched]) -> beam.PCollection[None]:
        earlier, plan, fetched = steps
        root, merged = earlier.rows.pipeline, None
        if self._config.releases:
            output = root | "Merged output" >> beam.Create([self._config.output])
            merged = output | "Merged releases" >> beam.Map(told_merge).with_output_types(
                MergedReleases
            )
        no_archives = root | "No archives" >> beam.Create([]).with_output_types(ReadArchive)
        told = Told(
            plan.label_ids,
            plan.size,
            plan.unannotated,
            plan.passed_over,
            fetched.retries | "Count retries" >> beam.CombineGlobally(sum).without_defaults(),
            no_archives | "All read archives" >> Gather(),
            (earlier.notes, fetched.notes) | "Notes" >> beam.Flatten(),
            earlier.row_files,
            merged,
        )
        return _write((fetched.rows, plan.rows), told, self._config)


def _write(
    stages: Sequence[beam.PCollection[Row]], told: Told, config: Config
) -> beam.PCollection[None]:
    """Write the rows of all stages, the first that tells most of a clip."""
    archives = pvalue.AsSingleton(told.archives)
    label_ids = pvalue.AsSingleton(told.label_ids)
    named = label_ids if HUGGINGFACE in config.list_formats else None
    merged = (
        tuple(stages)
        | WriteShards(config, pvalue.AsSingleton(told.size, 0), archives)
        | MergeSplits(config, named)
    )
    if config.packs:
        merged = merged | PackWebDataset(config)
    return merged | WriteSummary(
        config,
        label_ids,
        pvalue.AsSingleton(told.unannotated, Unannotated()),
        pvalue.AsSingleton(told.passed_over, NOTHING),
        pvalue.AsSingleton(told.retries, 0),
        archives,
        pvalue.AsList(told.notes),
        pvalue.AsList(told.row_files),
        None if told.merged is None else pvalue.AsSingleton(told.merged),
    )
