"""What the whole output amounts to: the content of ``summary.json``."""

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

FINGERPRINTED = ("clip_id", "label_id", "sha256")


def _broken(archives: dict[str, Any]) -> Iterator[str]:
    if broken := archives["broken"]:
        of = f"{len(broken):,} of {archives['read']:,} archives"
        yield (
            f"{of} broke off, {broken[0]['archive']} first ({broken[0]['detail']}): the clips "
            "before that are made; summary.json lists them; run the same command again for the "
            "rest"
        )


@dataclass(frozen=True)
class Part:
    """What the manifest of a split says, as far as it matters for the whole.

    ``missing`` and ``failed`` are the rows of that status, ``listed`` the clip_id, label_id and
    sha256 of clips that exist, ``counts`` how many rows have each status and reason, and
    ``unlabelled`` how many no label is stated for.
    """

    split: Split
    counts: Counter[tuple[str, str | None]]
    unlabelled: int
    missing: pa.Table
    failed: pa.Table
    listed: pa.Table

    @property
    def statuses(self) -> Counter[str]:
        """How many rows have each status."""
        statuses: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            statuses[status] += count
        return statuses


def read_part(output: Output, split: Split) -> Part:
    """Read the manifest of a split once; one that is not there is empty."""
    counts: Counter[tuple[str, str | None]] = Counter()
    missing, failed, listed = [], [], []
    unlabelled = 0
    with suppress(FileNotFoundError):
        for table in manifest.read_parquet(output.url(f"{MANIFESTS}/{split}.parquet")):
            counts.update(Counter(manifest.values_of(table.select(["status", "reason"]))))
            unlabelled += pc.sum(pc.equal(table.column("label_id"), UNLABELLED_ID)).as_py() or 0
            missing.append(manifest.with_status(table, ["missing"]))
            failed.append(manifest.with_status(table, ["failed"]))
            listed.append(manifest.with_status(table, LISTED).select(FINGERPRINTED))
    tables = (
        pa.concat_tables([manifest.to_table([]).select(columns), *found])
        for columns, found in (
            (manifest.COLUMNS, missing), (manifest.COLUMNS, failed), (FINGERPRINTED, listed),
        )
    )  # fmt: skip
    return Part(split, counts, unlabelled, *tables)


def summarize(
    parts: Sequence[Part],
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    archives: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of ``summary.json``, counted over the splits asked for."""
    counted = "annotated" if config.annotations else "found"
    splits = {
        part.split: {
            counted: part.statuses.total(),
            **{status: part.statuses[status] for status in STATUSES},
        }
        for part in parts
    }
    reasons = Counter[str | None]()
    for part in parts:
        for (status, reason), count in part.counts.items():
            if status == "failed":
                reasons[reason] += count
    total = {key: sum(counts[key] for counts in splits.values()) for key in (counted, *STATUSES)}
    there = total[counted] - total["missing"]
    warnings = warnings_about(label_ids, config.label_map) if config.annotations else []
    for part in parts:
        if part.unlabelled and part.split in ("train", "val"):
            warnings.append(
                f"no label is stated for {part.unlabelled:,} of {part.statuses.total():,} clips of "
                f"{part.split}: they are listed with {UNLABELLED_ID}; see whether the header of "
                "its CSV names a column label"
            )
    if not config.annotations and unannotated:
        warnings.append(
            f"{unannotated:,} videos would go where another goes, and were left out: their paths "
            "differ in the suffix alone, or in the --videos argument; rename them, or give each "
            "folder an --output of its own"
        )
    if config.annotations and not total[counted]:
        warnings.append(f"no clip is annotated in {', '.join(config.annotations)}")
    broken = list(_broken(archives)) if archives else []
    warnings += broken
    if total[counted] and not there and not broken:
        warnings.append(
            "not one annotated clip has a file: files are matched by name, "
            "<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4 or <youtube_id>.mp4"
        )
    fingerprint, membership = fingerprints(parts)
    return {
        "splits": splits,
        "total": total,
        "reasons": dict(sorted(reasons.items(), key=str)),
        "unannotated": unannotated if config.annotations else 0,
        "classes": len(label_ids),
        "failure_ratio": total["failed"] / there if there else 0.0,
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


def fingerprints(parts: Iterable[Part]) -> tuple[str, str]:
    """SHA-256 over the clips listed, sorted: with their bytes, and as members only.

    A line is ``clip_id label_id sha256`` (without the last for members), ended by a line feed.
    Of clips that are listed as they are nobody knows the bytes: the first says nothing then.
    """
    whole, members = hashlib.sha256(), hashlib.sha256()
    for clip_id, label_id, sha256 in heapq.merge(*(_rows(part.listed) for part in parts)):
        members.update(f"{clip_id} {label_id}\n".encode())
        whole.update(f"{clip_id} {label_id} {sha256}\n".encode())
    return whole.hexdigest(), members.hexdigest()


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches():  # not all of them as Python's own at once
        yield from manifest.values_of(pa.Table.from_batches([batch]))


def warnings_about(label_ids: dict[str, int], label_map: str | None) -> list[str]:
    """What a user should know about these ids before comparing models."""
    if label_map is not None or len(label_ids) in OFFICIAL_CLASS_COUNTS:
        return []
    annotated = "1 class is" if len(label_ids) == 1 else f"{len(label_ids)} classes are"
    return [
        (
            f"{annotated} annotated, not 400, 600 or 700: the label ids belong "
            "to this subset alone and are not those of published models; --label_map gives those"
        )
    ]
