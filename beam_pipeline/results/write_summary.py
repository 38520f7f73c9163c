"""The files about the whole output: missing.csv, failed.csv, and summary.json, written last."""

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
from beam_pipeline.results.summary import read_part, summarize
from beam_pipeline.storage.retries import RETRY_COUNT


class WriteSummary(beam.PTransform):
    """Once all splits are merged: the files about the whole, ``summary.json`` last."""

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
                lambda _, *whole: finish(self._config, *whole), *self._side_inputs
            ).with_output_types(None)
        )


def finish(
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    retries: int,
    read: Sequence[ReadArchive],
) -> None:
    """Write all files about the whole run from its merged manifests, then drop its state.

    ``retries`` are those that stages before have told of, ``read`` the archives that were read.
    """
    output = config.output
    # Those of splits that are not asked for count for the tables of what is missing and failed.
    parts = [read_part(output, split) for split in (SPLITS if config.annotations else (ALL,))]
    if config.annotations:
        output.write_if_new("label2id.json", _json(label_ids))
        output.write_if_new("missing.csv", _csv(part.missing for part in parts))
    output.write_if_new("failed.csv", _csv(part.failed for part in parts))
    asked = [part for part in parts if part.split in config.splits]
    archives = _about_archives(output, read)
    summary = summarize(asked, config, label_ids, unannotated, archives)
    if archives:
        summary["archives"] = archives
    summary["retries"] = retries + RETRY_COUNT.take()
    output.write_if_new(SUMMARY, _json(summary))
    remove_state(output)


def _about_archives(output: Output, read: Sequence[ReadArchive]) -> dict[str, Any] | None:
    """What the last run that needed an archive saw of them; None where there never was one."""
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
