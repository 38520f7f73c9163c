"""The content of ``summary.json``, computed from the manifests."""

import platform
from collections import Counter
from collections.abc import Iterator, Sequence
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
from beam_pipeline.kinetics.classes import OFFICIAL_CLASS_COUNTS, UNLABELLED_FOLDER, UNLABELLED_ID
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, Output
from beam_pipeline.results.fingerprints import FINGERPRINT_COLUMNS, fingerprints


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
    warnings += _unlabelled_folder_warnings(results, config)
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
    fingerprint, membership = fingerprints(result.listed for result in results)
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


def _unlabelled_folder_warnings(results: Sequence[SplitResults], config: Config) -> Iterator[str]:
    """A warning if there are class folders, and one of them holds clips without a label."""
    if not (config.annotations and config.resize and config.layout == "class"):
        return
    listed = sum(result.listed.num_rows for result in results)
    unlabelled = sum(
        pc.sum(pc.equal(result.listed.column("label_id"), UNLABELLED_ID)).as_py() or 0
        for result in results
    )
    if 0 < unlabelled < listed:
        yield (
            f"{unlabelled:,} clips without a label are in the class folder {UNLABELLED_FOLDER}: a "
            "loader that numbers the folders, such as Hugging Face's videofolder, takes it for a "
            "class and shifts the ids after it; leave that folder out there"
        )


def label_id_warnings(label_ids: dict[str, int], label_map: str | None) -> list[str]:
    """Warnings about the label ids, for users who compare models."""
    if label_map is not None or len(label_ids) in OFFICIAL_CLASS_COUNTS:
        return []
    annotated = "1 class is" if len(label_ids) == 1 else f"{len(label_ids)} classes are"
    return [
        (
            f"{annotated} annotated, not 400, 600 or 700: the label ids are only valid for this "
            "subset; to use those of a published model, type --label_map"
        )
    ]
