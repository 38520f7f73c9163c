"""The content of ``summary.json``: what the manifests say, and what is known of the run."""

import platform
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import av

from beam_pipeline import __version__
from beam_pipeline.config import Config
from beam_pipeline.elements import STATUSES, MergedReleases, ReadArchive
from beam_pipeline.fetch.reasons import FINAL
from beam_pipeline.output.output_folder import WEBDATASET
from beam_pipeline.privacy import one_line, public_address
from beam_pipeline.results.fingerprints import fingerprints
from beam_pipeline.results.lists_of_test import LISTS_OF_TEST, other_lists_of_test
from beam_pipeline.results.merge_splits import Merged
from beam_pipeline.results.pack_webdataset import shards_summary
from beam_pipeline.results.ratios import failure_ratio, missing_ratio
from beam_pipeline.results.split_results import SplitResults
from beam_pipeline.results.tell_merge import files_of, merge_summary
from beam_pipeline.results.warnings import warnings_about

ABOUT_THE_RUN = ("date", "duration", "command", "inputs", "retries", "versions")
"""Keys about the run that wrote the summary; the others are about what the output holds."""


def summarize(
    results: Sequence[SplitResults],
    config: Config,
    label_ids: dict[str, int],
    unannotated: int,
    passed_over: dict[str, Any],
    archives: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The content of ``summary.json``, counted over all splits that the output holds."""
    counted = "annotated" if config.annotations else "found"
    splits = {
        result.split: {
            counted: result.statuses.total(),
            **{status: result.statuses[status] for status in STATUSES},
        }
        for result in results
    }
    classes = sum((result.classes for result in results), Counter[str]())
    total = {key: sum(counts[key] for counts in splits.values()) for key in (counted, *STATUSES)}
    fingerprint, membership = fingerprints(result.listed for result in results)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "duration": round(time.time() - config.started, 1),
        "command": config.command,
        "inputs": {
            name: [public_address(url) for url in getattr(config, name)]
            for name in ("annotations", "videos", "exclude_annotations")
        },
        "splits": splits,
        "total": total,
        "reasons": _reasons(results),
        "fetch": _fetch(results),
        "damaged": _damaged(results),
        "unannotated": unannotated if config.annotations else 0,
        "passed_over": passed_over,
        "classes": len(label_ids),
        "clips_by_class": dict(sorted(classes.items())) if config.annotations else {},
        "source_bytes": sum(result.source_bytes for result in results),
        "bytes": sum(result.bytes for result in results),
        "hours": round(sum(result.duration for result in results) / 3600, 4),
        "failure_ratio": failure_ratio(total),
        "missing_ratio": missing_ratio(total),
        "fingerprint": fingerprint if config.resize else None,
        "membership_fingerprint": membership,
        "warnings": [
            one_line(warning)
            for warning in (
                *warnings_about(results, config, label_ids, unannotated, passed_over, archives),
                *notes,
            )
        ],
        "settings": _settings(config),
        "versions": _versions(),
    }


def _reasons(results: Sequence[SplitResults]) -> dict[str | None, int]:
    """The number of failed clips for each reason."""
    reasons = Counter[str | None]()
    for result in results:
        for (status, reason), count in result.counts.items():
            if status == "failed":
                reasons[reason] += count
    return dict(sorted(reasons.items(), key=str))


def _damaged(results: Sequence[SplitResults]) -> dict[str, Any]:
    """How many clips were made from damaged sources."""
    damage = sum((result.damage for result in results), Counter[str]())
    return {
        "total": sum(len(table) for result in results for table in result.damaged),
        "splits": {result.split: sum(map(len, result.damaged)) for result in results},
        "kinds": dict(sorted(damage.items())),
    }


def _fetch(results: Sequence[SplitResults]) -> dict[str, Any]:
    """What came of asking a site for clips that are found nowhere.

    ``fetched`` clips are made; ``reasons`` and ``years`` count those that cannot be had, the second
    by the year in which the site first said so to a run into this output. What may pass is no
    loss, and has no year.
    """
    reasons = Counter[str]()
    years: dict[str, Counter[str]] = {}
    for result in results:
        for (reason, year), count in result.lost.items():
            reasons[reason] += count
            if reason in FINAL:
                years.setdefault(year, Counter())[reason] += count
    return {
        "fetched": sum(result.fetched for result in results),
        "reasons": dict(sorted(reasons.items())),
        "years": {year: dict(sorted(years[year].items())) for year in sorted(years)},
    }


def _settings(config: Config) -> dict[str, Any]:
    """The settings that decide what the output holds."""
    return {
        **config.identity(),
        "path_prefix": config.path_prefix and public_address(config.path_prefix),
        "separator": config.separator,
        "list_format": list(config.list_formats),
        "label_map": config.label_map and public_address(config.label_map),
        "limit": config.limit,
        "classes": None if config.classes is None else sorted(config.classes),
        "dataset": config.dataset,
        "exclude_from": list(config.exclude_from),
        "test_from": config.test_from,
        "limit_per_class": config.limit_per_class,
        "seed": config.seed,
    }


def _versions() -> dict[str, str]:
    return {
        "beam_pipeline": __version__,
        "python": platform.python_version(),
        "apache_beam": beam.__version__,
        "av": av.__version__,
        "ffmpeg": av.ffmpeg_version_info,
    }


def more_of(
    summary: dict[str, Any],
    earlier: dict[str, Any],
    merged: Iterable[Merged],
    config: Config,
    archives: dict[str, Any] | None,
    merged_releases: MergedReleases | None,
) -> dict[str, Any]:
    """The entries of the summary that only some outputs have, and the lists."""
    more: dict[str, Any] = {}
    if archives:
        more["archives"] = archives
    if merged_releases is not None:
        more["merged"] = merge_summary(merged_releases)
        more["inputs"] = {**summary["inputs"], "annotations": files_of(merged_releases)}
    if config.packs or earlier.get(WEBDATASET):
        more[WEBDATASET] = shards_summary(config.output)
    more["lists"] = _lists(earlier, merged, more)
    written = {name for each in merged for name in each.lists}
    if held := other_lists_of_test(earlier, more["lists"], written, config):
        more[LISTS_OF_TEST] = held
    return more


def _lists(
    earlier: dict[str, Any], merged: Iterable[Merged], summary: dict[str, Any]
) -> dict[str, str]:
    """The lists in the output by name, with their SHA-256: those of earlier runs and of this one.

    Indexes of shards are not among them if somebody has removed all shards, to have the room.
    """
    lists = dict(earlier.get("lists", {}))
    for each in merged:
        lists |= each.lists
    no_shards = not summary.get(WEBDATASET)
    return {
        name: sha256
        for name, sha256 in sorted(lists.items())
        if sha256 is not None and not (no_shards and name.startswith(f"{WEBDATASET}/"))
    }


def archives_summary(
    earlier: dict[str, Any] | None, read: Sequence[ReadArchive], unannotated: int
) -> dict[str, Any] | None:
    """The entry about archives: of this run, or of an earlier one that read more of them.

    A run that finds nothing to make reads only the names in archives that others yield to.
    """
    known: dict[str, Any] | None = None if earlier is None else earlier.get("archives")
    if not read:
        return known
    if known and len(read) < known["read"] and not any(archive.broken for archive in read):
        return known
    return {
        "read": len(read),
        "videos": sum(archive.videos for archive in read),
        "unannotated": unannotated + sum(archive.unannotated for archive in read),
        "broken": [
            {"archive": public_address(archive.path), "detail": archive.broken}
            for archive in read
            if archive.broken
        ],
        "goes_on": [public_address(archive.path) for archive in read if archive.goes_on],
    }


def about_the_output(summary: dict[str, Any]) -> dict[str, Any]:
    """The part of a summary that tells what the output holds, not when and how it was made."""
    return {key: value for key, value in summary.items() if key not in ABOUT_THE_RUN}
