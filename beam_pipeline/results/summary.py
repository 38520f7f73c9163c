"""The content of ``summary.json``, computed from the manifests."""

import hashlib
import heapq
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import av
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline import __version__
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, STATUSES, Split
from beam_pipeline.kinetics.classes import OFFICIAL_CLASS_COUNTS, UNLABELLED_ID
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, Output

FINGERPRINT_COLUMNS = ("clip_id", "label_id", "sha256")


def _broken_archives(archives: dict[str, Any]) -> Iterator[str]:
    if broken := archives["broken"]:
        share = f"{len(broken):,} of {archives['read']:,} archives"
        yield (
            f"{share} could not be read completely, first {broken[0]['archive']} "
            f"({broken[0]['detail']}): the clips before the break are made; summary.json lists "
            "these archives; run the same command again for the rest"
        )


@dataclass(frozen=True)
class SplitResults:
    """The facts from a split's manifest that ``summary.json`` needs.

    ``counts`` is the number of rows by (status, reason), ``unlabelled`` the number of clips
    without a label. ``missing`` and ``failed`` are the rows with that status. ``listed`` holds
    clip_id, label_id and sha256 of existing clips.
    """

    split: Split
    counts: Counter[tuple[str, str | None]]
    unlabelled: int
    missing: pa.Table
    failed: pa.Table
    listed: pa.Table

    @property
    def statuses(self) -> Counter[str]:
        """The number of rows by status."""
        statuses: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            statuses[status] += count
        return statuses


def read_split(output: Output, split: Split) -> SplitResults:
    """Read the manifest of a split once; a missing manifest counts as empty."""
    counts: Counter[tuple[str, str | None]] = Counter()
    missing, failed, listed = [], [], []
    unlabelled = 0
    with suppress(FileNotFoundError):
        for table in manifest.read_parquet(output.url(f"{MANIFESTS}/{split}.parquet")):
            counts.update(Counter(manifest.values_of(table.select(["status", "reason"]))))
            unlabelled += pc.sum(pc.equal(table.column("label_id"), UNLABELLED_ID)).as_py() or 0
            missing.append(manifest.with_status(table, ["missing"]))
            failed.append(manifest.with_status(table, ["failed"]))
            listed.append(manifest.with_status(table, LISTED).select(FINGERPRINT_COLUMNS))
    tables = (
        pa.concat_tables([manifest.to_table([]).select(columns), *found])
        for columns, found in (
            (manifest.COLUMNS, missing), (manifest.COLUMNS, failed), (FINGERPRINT_COLUMNS, listed),
        )
    )  # fmt: skip
    return SplitResults(split, counts, unlabelled, *tables)


def summarize(
    results: Sequence[SplitResults],
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    archives: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of ``summary.json``, counted over the requested splits."""
    counted = "annotated" if config.annotations else "found"
    splits = {
        result.split: {
            counted: result.statuses.total(),
            **{status: result.statuses[status] for status in STATUSES},
        }
        for result in results
    }
    reasons = Counter[str | None]()
    for result in results:
        for (status, reason), count in result.counts.items():
            if status == "failed":
                reasons[reason] += count
    total = {key: sum(counts[key] for counts in splits.values()) for key in (counted, *STATUSES)}
    found = total[counted] - total["missing"]
    warnings = label_id_warnings(label_ids, config.label_map) if config.annotations else []
    for result in results:
        if result.unlabelled and result.split in ("train", "val"):
            warnings.append(
                f"{result.unlabelled:,} of {result.statuses.total():,} clips of {result.split} "
                f"have no label: they are listed with {UNLABELLED_ID}; check that the header of "
                "its CSV names a column label"
            )
    if not config.annotations and unannotated:
        warnings.append(
            f"{unannotated:,} videos were left out because another video has the same output "
            "path: their paths differ only in the suffix or the --videos argument; rename them, "
            "or give each folder its own --output"
        )
    if config.annotations and not total[counted]:
        warnings.append(f"there are no annotations in {', '.join(config.annotations)}")
    broken = list(_broken_archives(archives)) if archives else []
    warnings += broken
    if total[counted] and not found and not broken:
        warnings.append(
            "no annotated clip has a file: files are matched by name, "
            "<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4 or <youtube_id>.mp4"
        )
    fingerprint, membership = fingerprints(results)
    return {
        "splits": splits,
        "total": total,
        "reasons": dict(sorted(reasons.items(), key=str)),
        "unannotated": unannotated if config.annotations else 0,
        "classes": len(label_ids),
        "failure_ratio": total["failed"] / found if found else 0.0,
        "fingerprint": fingerprint if config.resize else None,
        "membership_fingerprint": membership,
        "warnings": warnings,
        "settings": {
            **config.identity(),
            "path_prefix": config.path_prefix,
            "separator": config.separator,
            "list_format": list(config.list_formats),
            "label_map": config.label_map,
            "limit": config.limit,
            "classes": None if config.classes is None else sorted(config.classes),
            "dataset": config.dataset,
        },
        "versions": {
            "beam_pipeline": __version__,
            "python": platform.python_version(),
            "apache_beam": beam.__version__,
            "av": av.__version__,
            "ffmpeg": av.ffmpeg_version_info,
        },
    }


def fingerprints(results: Iterable[SplitResults]) -> tuple[str, str]:
    """The fingerprint and the membership fingerprint: SHA-256 over the sorted listed clips.

    A line is ``clip_id label_id sha256``, without the sha256 for membership, ended by a line
    feed. The first is meaningless if clips are listed without resizing: their sha256 is unknown.
    """
    content, membership = hashlib.sha256(), hashlib.sha256()
    for clip_id, label_id, sha256 in heapq.merge(*(_rows(result.listed) for result in results)):
        membership.update(f"{clip_id} {label_id}\n".encode())
        content.update(f"{clip_id} {label_id} {sha256}\n".encode())
    return content.hexdigest(), membership.hexdigest()


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches():  # to limit memory: Python objects are large
        yield from manifest.values_of(pa.Table.from_batches([batch]))


def label_id_warnings(label_ids: dict[str, int], label_map: str | None) -> list[str]:
    """Warnings about the label ids, for users who compare models."""
    if label_map is not None or len(label_ids) in OFFICIAL_CLASS_COUNTS:
        return []
    annotated = "1 class is" if len(label_ids) == 1 else f"{len(label_ids)} classes are"
    return [
        (
            f"{annotated} annotated, not 400, 600 or 700: the label ids are only valid for this "
            "subset and differ from those of published models; type --label_map to use those"
        )
    ]
