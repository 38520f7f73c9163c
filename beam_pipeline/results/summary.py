"""The content of ``summary.json``, computed from the manifests."""

import platform
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import av
import pyarrow as pa

from beam_pipeline import __version__
from beam_pipeline.config import Config
from beam_pipeline.elements import STATUSES
from beam_pipeline.fetch.reasons import FINAL
from beam_pipeline.privacy import one_line, public_address
from beam_pipeline.results.fingerprints import fingerprints
from beam_pipeline.results.ratios import failure_ratio, missing_ratio
from beam_pipeline.results.split_results import SplitResults
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
    fingerprint, membership = fingerprints(
        pa.concat_tables(result.listed) for result in results if result.listed
    )
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


def about_the_output(summary: dict[str, Any]) -> dict[str, Any]:
    """The part of a summary that tells what the output holds, not when and how it was made."""
    return {key: value for key, value in summary.items() if key not in ABOUT_THE_RUN}
