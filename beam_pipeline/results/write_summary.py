"""Write the files for the whole output: the CSV files, and summary.json last."""

import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import (
    ALL,
    SPLITS,
    MergedReleases,
    ReadArchive,
    Split,
    Unannotated,
)
from beam_pipeline.errors import DamagedError, OutputError
from beam_pipeline.output import manifest
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.output_folder import (
    LABEL_IDS,
    MANIFESTS,
    SUMMARY,
    Output,
    manifest_of,
)
from beam_pipeline.report.write_report import mark_of, update_report
from beam_pipeline.results.lists_of_test import LISTS_OF_TEST, notes_on
from beam_pipeline.results.merge_splits import Merged
from beam_pipeline.results.spent_runs import is_spent
from beam_pipeline.results.split_results import SplitResults, read_split
from beam_pipeline.results.summary import about_the_output, archives_summary, more_of, summarize
from beam_pipeline.results.tell_merge import merge_notes
from beam_pipeline.storage import files, urls
from beam_pipeline.storage.retries import RETRY_COUNT


class WriteSummary(beam.PTransform):
    """Write the files for the whole output once all splits are merged."""

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        unannotated: pvalue.AsSingleton,
        passed_over: pvalue.AsSingleton,
        retries: pvalue.AsSingleton,
        read: pvalue.AsSingleton,
        notes: pvalue.AsList,
        row_files: pvalue.AsList | tuple[()] = (),
        merged_releases: pvalue.AsSingleton | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        inputs = (label_ids, unannotated, passed_over, retries, read, notes)
        self._side_inputs = (*inputs, row_files, merged_releases)

    def expand(self, merged: beam.PCollection[Merged]) -> beam.PCollection[None]:
        return (
            merged
            | "All splits" >> Gather()
            | "Finish"
            >> beam.Map(
                lambda merged, *inputs: finish(merged, self._config, *inputs), *self._side_inputs
            ).with_output_types(None)
        )


def finish(
    merged: Iterable[Merged],
    config: Config,
    label_ids: dict[str, int],
    unannotated: Unannotated,
    passed_over: dict[str, Any],
    retries: int,
    read: Sequence[ReadArchive],
    earlier_notes: Sequence[str] = (),
    row_files: Iterable[tuple[str, int]] = (),
    merged_releases: MergedReleases | None = None,
) -> None:
    """Write the files for the whole output from the merged manifests, then remove the run's state.

    They cover all splits in the output, those of other runs too. A run for another split may
    write a manifest at the same time: then the files are written once more.

    ``passed_over`` is as ``CountPassedOver`` gives it, ``retries`` the number of retried requests
    in earlier stages, ``read`` the list of archives that were read, ``earlier_notes`` the notes
    about what earlier runs have left, ``row_files`` those of their row files that were read, with
    their size in bytes, ``merged_releases`` what the merge of several releases has done.

    On a disk everything is synced before the summary appears, and the summary before the state
    goes, so that a power cut leaves a finished output or one that the next run can finish. After
    the run a power cut does not bring the state back.

    The service may run this on two workers at once. Then the one that ends first removes the state,
    in which the other writes; both have the same to write.
    """
    output = config.output
    with _unless_another_finishes(output):
        notes = sorted({*earlier_notes})
        if merged_releases is not None:
            notes += merge_notes(merged_releases)
        if config.annotations:
            notes += _write(output, LABEL_IDS, _json(label_ids))
        notes += [note for each in merged for note in each.notes]
        manifests = None
        while manifests != (manifests := files.list_folder(output.url(MANIFESTS))):
            results, unread = _read_splits(_splits_in(manifests, config), output)
            notes += unread + _write_tables(results, config)
            earlier, damaged = _earlier_summary(output)
            notes = list(dict.fromkeys(notes + damaged))  # each once, also if this is done again
            archives = archives_summary(earlier, read, unannotated.members)
            summary = summarize(
                results, config, label_ids, unannotated.files, passed_over, archives, notes
            )
            summary |= more_of(summary, earlier or {}, merged, config, archives, merged_releases)
            summary["warnings"] += notes_on(summary.get(LISTS_OF_TEST, {}), config)
            is_new = earlier is None or about_the_output(earlier) != about_the_output(summary)
            told = summary if earlier is None or is_new else earlier
            mark = mark_of(about_the_output(told))
            summary["warnings"] += update_report(output, told, mark, config.report, config.workers)
            retries += RETRY_COUNT.read_and_reset()
            summary["retries"] = retries
            output.sync()
            if earlier is None or about_the_output(earlier) != about_the_output(summary):
                output.write(SUMMARY, _json(summary))
                output.sync()
    read_row_files = dict(row_files)
    remove_state(output, lambda run: is_spent(run, output, read_row_files))
    output.sync()  # that the state is gone


def _write_tables(results: Sequence[SplitResults], config: Config) -> list[str]:
    """Write ``missing.csv``, ``failed.csv`` and ``damaged.csv``; notes about what was there."""
    notes = []
    for name in ("missing", "failed", "damaged"):
        if name != "missing" or config.annotations:
            tables = (table for result in results for table in getattr(result, name))
            notes += _write(config.output, f"{name}.csv", csv_of(tables))
    return notes


def _earlier_summary(output: Output) -> tuple[dict[str, Any] | None, list[str]]:
    """The summary that is there, None if there is none, and a note if it is damaged."""
    try:
        return output.read_json(SUMMARY), []
    except DamagedError as error:
        return None, [f"{error.what}; it was written anew"]


@contextmanager
def _unless_another_finishes(output: Output) -> Iterator[None]:
    """Take no error for one where another worker of this run has finished the output meanwhile."""
    try:
        yield
    except OutputError:
        if not _is_finished(output):
            raise


def _is_finished(output: Output) -> bool:
    """Whether another worker of this run has written the summary and removed the run's state."""
    return (
        output.is_local
        and not os.path.exists(urls.local_path(output.url(output.state)))
        and output.read_json(SUMMARY) is not None
    )


def _read_splits(splits: Sequence[Split], output: Output) -> tuple[list[SplitResults], list[str]]:
    """What the manifests say, and notes about those that cannot tell."""
    results, notes = [], []
    for split in splits:
        try:
            results.append(read_split(output, split))
        except DamagedError as error:
            notes.append(
                f"{error.what}; {split} is not counted here, and its files are left as they are; "
                f"to make its manifest again, run with --splits {split}"
            )
    return results, notes


def _write(output: Output, relative: str, data: bytes) -> list[str]:
    """Write a file unless it is there already; a note if what was there was no such file."""
    earlier = output.write_if_new(relative, data)
    start = data[:1] if relative.endswith(".json") else data[: data.index(b"\n")]
    if earlier is None or (earlier.startswith(start) and b"\0" not in earlier):
        return []
    return [f"{output.url(relative)} was damaged; it was written anew"]


def _splits_in(manifests: Iterable[files.Entry], config: Config) -> list[Split]:
    """The splits that the output holds, and those that were requested, in their usual order."""
    names = {entry.url for entry in manifests}
    return [
        split
        for split in (SPLITS if config.annotations else (ALL,))
        if split in config.splits or config.output.url(manifest_of(split)) in names
    ]


def csv_of(tables: Iterable[pa.Table]) -> bytes:
    """The content of missing.csv, failed.csv or damaged.csv."""
    text = io.StringIO(newline="")
    manifest.write_csv(text, tables)
    return text.getvalue().encode()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
