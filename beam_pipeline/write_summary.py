"""The end of a run: what is missing, what failed, and what the whole amounts to."""

import hashlib
import heapq
import io
import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import av
import pyarrow as pa
from apache_beam import pvalue

from beam_pipeline import __version__, manifest, storage
from beam_pipeline.assign_label_ids import warnings_about
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, SPLITS, STATUSES, Split
from beam_pipeline.output import MANIFESTS, SUMMARY, Output
from beam_pipeline.prepare_output import leave_output


class WriteSummary(beam.PTransform):
    """Once all splits are merged: the files about the whole, ``summary.json`` last."""

    def __init__(
        self, config: Config, label_ids: pvalue.AsSingleton, unannotated: pvalue.AsSingleton
    ) -> None:
        super().__init__()
        self._config = config
        self._label_ids = label_ids
        self._unannotated = unannotated

    def expand(self, merged: beam.PCollection[Split]) -> beam.PCollection[None]:
        return (
            merged
            | "All splits" >> beam.combiners.ToList()
            | "Finish"
            >> beam.Map(
                lambda _, *whole: finish(self._config, *whole),
                self._label_ids,
                self._unannotated,
            ).with_output_types(None)
        )


def finish(config: Config, label_ids: dict[str, int], unannotated: int) -> None:
    """Write all files about the whole run from its merged manifests, then drop its state."""
    output = config.output
    output.write_if_new("label2id.json", _json(label_ids))
    for status in ("missing", "failed"):
        text = io.StringIO(newline="")
        tables = (table for split in SPLITS for table in _tables(output, split))
        manifest.write_csv(text, (manifest.with_status(table, [status]) for table in tables))
        output.write_if_new(f"{status}.csv", text.getvalue().encode())
    output.write_if_new(SUMMARY, _json(summarize(config, label_ids, unannotated)))
    leave_output(output)


def summarize(config: Config, label_ids: dict[str, int], unannotated: int) -> dict[str, Any]:
    """The content of ``summary.json``, counted over the manifests of the splits asked for."""
    splits: dict[str, dict[str, int]] = {}
    reasons: Counter[str] = Counter()
    for split in config.splits:
        statuses: Counter[str] = Counter()
        for table in _tables(config.output, split, ("status", "reason")):
            for (status, reason), count in Counter(manifest.values_of(table)).items():
                statuses[status] += count
                if status == "failed":
                    reasons[reason] += count
        splits[split] = {
            "annotated": statuses.total(),
            **{status: statuses[status] for status in STATUSES},
        }
    total = {
        key: sum(counts[key] for counts in splits.values()) for key in ("annotated", *STATUSES)
    }
    there = total["annotated"] - total["missing"]
    warnings = warnings_about(label_ids, config.label_map)
    if total["annotated"] and not there:
        warnings.append(
            "not one annotated clip has a file: files are matched by name, "
            "<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4 or <youtube_id>.mp4"
        )
    fingerprint, membership = fingerprints(config)
    return {
        "splits": splits,
        "total": total,
        "reasons": dict(sorted(reasons.items())),
        "unannotated": unannotated,
        "classes": len(label_ids),
        "failure_ratio": total["failed"] / there if there else 0.0,
        "fingerprint": fingerprint,
        "membership_fingerprint": membership,
        "warnings": warnings,
        "settings": {
            **config.identity(),
            "path_prefix": config.path_prefix,
            "separator": config.separator,
            "label_map": config.label_map,
            "limit": config.limit,
            "classes": None if config.classes is None else sorted(config.classes),
        },
        "versions": {
            "beam_pipeline": __version__,
            "python": platform.python_version(),
            "apache_beam": beam.__version__,
            "av": av.__version__,
            "ffmpeg": av.ffmpeg_version_info,
        },
    }


def fingerprints(config: Config) -> tuple[str, str]:
    """SHA-256 over the clips listed, sorted: with their bytes, and as members only.

    A line is ``clip_id label_id sha256`` (without the last for members), ended by a line feed.
    """
    whole, members = hashlib.sha256(), hashlib.sha256()
    columns = ("clip_id", "label_id", "sha256", "status")
    listed = (_listed(_tables(config.output, split, columns)) for split in config.splits)
    for clip_id, label_id, sha256, _ in heapq.merge(*listed):
        members.update(f"{clip_id} {label_id}\n".encode())
        whole.update(f"{clip_id} {label_id} {sha256}\n".encode())
    return whole.hexdigest(), members.hexdigest()


def _listed(tables: Iterable[pa.Table]) -> Iterator[tuple[Any, ...]]:
    for table in tables:
        yield from manifest.values_of(manifest.with_status(table, LISTED))


def _tables(
    output: Output, split: Split, columns: tuple[str, ...] = manifest.COLUMNS
) -> Iterator[pa.Table]:
    """The manifest of a split, if there is one: also of an earlier run."""
    url = output.url(f"{MANIFESTS}/{split}.parquet")
    if not storage.exists(url):
        return
    with storage.opened(url) as file:
        yield from manifest.read_parquet(file, columns)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
