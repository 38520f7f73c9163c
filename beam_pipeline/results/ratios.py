"""The shares of failed and missing clips, which decide how a run ends."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from beam_pipeline.elements import STATUSES, Split


def total_of(summary: dict[str, Any], splits: Sequence[Split]) -> Counter[str]:
    """The counts of a summary, added up over these splits."""
    total: Counter[str] = Counter()
    for split in splits:
        total.update(summary["splits"].get(split, {}))
    return total


def failure_ratio(counts: Mapping[str, int]) -> float:
    """The share of failed clips among all clips that have a file."""
    found = _sought(counts) - counts["missing"]
    return counts["failed"] / found if found else 0.0


def missing_ratio(counts: Mapping[str, int]) -> float:
    """The share of annotated clips that have no file; those that are excluded do not count."""
    sought = _sought(counts)
    return counts["missing"] / sought if sought else 0.0


def _sought(counts: Mapping[str, int]) -> int:
    """The number of annotated clips that are not excluded."""
    return sum(counts[status] for status in STATUSES if status != "excluded")
