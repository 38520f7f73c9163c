"""Write the files for the whole output: missing.csv, failed.csv, and summary.json last."""

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, SPLITS, ReadArchive, Split
from beam_pipeline.output import manifest
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.output_folder import SUMMARY, Output
from beam_pipeline.results.summary import read_split, summarize
from beam_pipeline.storage.retries import RETRY_COUNT


class WriteSummary(beam.PTransform):
    """Write the files for the whole output once all splits are merged."""

    def __init__(
        self,
        config: Config,
        label_ids: pvalue.AsSingleton,
        unannotated: pvalue.AsSingleton,
        retries: pvalue.AsSingleton,
        read: pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._config = config
        self._side_inputs = (label_ids, unannotated, retries, read)

    def expand(self, merged: beam.PCollection[Split]) -> beam.PCollection[None]:
        return (
            merged
            | "All splits" >> beam.combiners.ToList()
            | "Finish"
            >> beam.Map(
                lambda _, *inputs: finish(self._config, *inputs), *self._side_inputs
            ).with_output_types(None)
        )


def finish(
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    retries: int,
    read: Sequence[ReadArchive],
) -> None:
    """Write the files for the whole output from the merged manifests, then remove the run's state.

    ``retries`` is the number of retried requests in earlier stages, ``read`` the list of archives
    that were read.
    """
    output = config.output
    # missing.csv and failed.csv also cover splits of earlier runs that are not requested now.
    results = [read_split(output, split) for split in (SPLITS if config.annotations else (ALL,))]
    if config.annotations:
        output.write_if_new("label2id.json", _json(label_ids))
        output.write_if_new("missing.csv", _csv(result.missing for result in results))
    output.write_if_new("failed.csv", _csv(result.failed for result in results))
    requested = [result for result in results if result.split in config.splits]
    archives = _archives_summary(output, read)
    summary = summarize(requested, config, label_ids, unannotated, archives)
    if archives:
        summary["archives"] = archives
    summary["retries"] = retries + RETRY_COUNT.read_and_reset()
    output.write_if_new(SUMMARY, _json(summary))
    remove_state(output)


def _archives_summary(output: Output, read: Sequence[ReadArchive]) -> dict[str, Any] | None:
    """The entry about archives: of this run, else of the last run that read any, else None."""
    if not read:
        earlier = output.read_json(SUMMARY)
        return None if earlier is None else earlier.get("archives")
    return {
        "read": len(read),
        "videos": sum(archive.videos for archive in read),
        "unannotated": sum(archive.unannotated for archive in read),
        "broken": [
            {"archive": archive.path, "detail": archive.broken}
            for archive in read
            if archive.broken
        ],
    }


def _csv(tables: Iterable[pa.Table]) -> bytes:
    text = io.StringIO(newline="")
    manifest.write_csv(text, tables)
    return text.getvalue().encode()


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
