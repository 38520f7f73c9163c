"""Count what a search for videos did not take, for the summary."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from beam_pipeline.elements import PassedOver

SHOWN = 10
"""Folders that are named; the others are counted."""

Counts = Counter[tuple[str, str]]


class CountPassedOver(beam.CombineFn):
    """Combine PassedOver elements into one entry of ``summary.json``.

    ``suffixes`` is the number of files by suffix, ``folders`` the number of folders that could
    not be read, ``first_folders`` the names of the first of them, with the reason.
    """

    def create_accumulator(self) -> Counts:
        return Counter()

    def add_input(self, counts: Counts, passed: PassedOver) -> Counts:
        counts[passed.kind, passed.name] += passed.files
        return counts

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        return sum(accumulators, Counter())

    def extract_output(self, counts: Counts) -> dict[str, Any]:
        folders = sorted(name for kind, name in counts if kind == "folders")
        return {
            "suffixes": {
                name: count for (kind, name), count in sorted(counts.items()) if kind == "suffixes"
            },
            "folders": len(folders),
            "first_folders": folders[:SHOWN],
        }


NOTHING = CountPassedOver().extract_output(Counter())
"""What stands in the summary if everything was taken."""
