"""How a measure of clips is spread: counted in bins, table by table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Measure(NamedTuple):
    """What is counted: a column, and the bounds of its bins from the smallest up.

    A bin holds ``bound <= value < next bound``. The first and the last are open to their sides.
    """

    column: str
    title: str
    unit: str
    bounds: tuple[float, ...]


SHORT_EDGE = "source_short_edge"
"""A column that is computed: the shorter of a source's two edges, in pixels."""

MEASURES = (
    Measure(
        SHORT_EDGE, "Short edge of the sources", "pixels",
        (144, 180, 240, 256, 288, 320, 360, 480, 720, 1080, 2160),
    ),
    Measure(
        "source_fps", "Frame rate of the sources", "frames per second",
        (10, 15, 20, 23.5, 24.5, 25.5, 29.5, 30.5, 49.5, 50.5, 59.5, 60.5),
    ),
    Measure(
        "duration", "Duration of the clips", "seconds",
        (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9.5, 10.5, 11, 15, 30, 60, 300),
    ),
    Measure(
        "bytes", "Size of the clips", "kB",
        tuple(1000 * kb for kb in (20, 50, 100, 200, 300, 500, 700, 1000, 2000, 5000, 20_000)),
    ),
    Measure(
        "source_bytes", "Size of the sources", "kB",
        tuple(1000 * kb for kb in (50, 100, 200, 500, 1000, 2000, 5000, 20_000, 100_000)),
    ),
    Measure(
        "ssim", "Likeness to the source (SSIM)", "SSIM",
        (0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99),
    ),
)  # fmt: skip
"""What the page shows, where the manifests have it."""


@dataclass
class Histogram:
    """The number of clips in each bin of a measure, and of those of which it is not known."""

    measure: Measure
    counts: list[int] = field(default_factory=list)
    unknown: int = 0

    def __post_init__(self) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.measure.bounds) + 1)

    def add(self, values: pa.ChunkedArray) -> None:
        """Count the clips of one more table; null and NaN are not known."""
        known = pc.drop_null(pc.cast(values, pa.float64())).to_numpy()
        known = known[~np.isnan(known)]
        self.unknown += len(values) - len(known)
        bins = np.searchsorted(np.asarray(self.measure.bounds), known, side="right")
        found = np.bincount(bins, minlength=len(self.counts))
        self.counts = [count + int(more) for count, more in zip(self.counts, found, strict=True)]

    @property
    def known(self) -> int:
        """The number of clips that were counted in a bin."""
        return sum(self.counts)

    def bins(self) -> list[tuple[str, int]]:
        """Names and counts of the bins, from the first that has a clip to the last."""
        taken = [number for number, count in enumerate(self.counts) if count]
        if not taken:
            return []
        scale = 1000 if self.measure.unit == "kB" else 1
        names = bin_names([bound / scale for bound in self.measure.bounds])
        return list(zip(names, self.counts, strict=True))[taken[0] : taken[-1] + 1]


def bin_names(bounds: Sequence[float]) -> list[str]:
    """The names of the bins between bounds.

    >>> bin_names([1, 2.5, 1000])
    ['under 1', '1 to 2.5', '2.5 to 1,000', '1,000 and more']
    """
    texts = [f"{bound:,g}" if bound < 1e4 else f"{bound:,.0f}" for bound in bounds]
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"under {texts[0]}", *between, f"{texts[-1]} and more"]


def short_edge(table: pa.Table) -> pa.ChunkedArray:
    """The shorter edge of each source in pixels; null if one of them is."""
    width, height = table.column("source_width"), table.column("source_height")
    return pc.min_element_wise(width, height, skip_nulls=False)
