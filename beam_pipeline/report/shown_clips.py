"""The few clips that the page shows one by one: the first by some order, of all tables."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.output import manifest
from beam_pipeline.report.contact_sheet import Pictured, sheet_rank


class ShownClip(NamedTuple):
    """A clip that is shown, with some columns of its row."""

    clip_id: str
    split: str | None
    label: str | None
    reason: str | None
    detail: str | None
    source: str | None
    path: str | None
    width: int | None
    height: int | None
    source_width: int | None
    source_height: int | None
    decode_errors: int | None
    duration: float | None
    time_start: float | None
    time_end: float | None
    sha256: str | None

    @property
    def pictured(self) -> Pictured | None:
        """The picture that is wanted of it; None if it has no file."""
        if place := self.path or self.source:
            return Pictured(self.clip_id, place, self.duration, self.sha256)
        return None


def shown(table: pa.Table) -> list[ShownClip]:
    """The rows of a table as clips that are shown."""
    return [ShownClip(*values) for values in manifest.values_of(table.select(ShownClip._fields))]


GALLERY_CLIPS = 24
"""Clips in a gallery."""


@dataclass
class Gallery:
    """The clips of a kind: how many there are, and the first by a measure that is the lowest."""

    count: int = 0
    clips: list[tuple[float, ShownClip]] = field(default_factory=list)

    def add(self, table: pa.Table, belongs: pa.ChunkedArray, order: pa.ChunkedArray) -> None:
        """Add the rows of a table that belong to the kind; null counts as no."""
        belongs = pc.fill_null(belongs, False)
        order = pc.fill_null(pc.cast(order, pa.float64()), 0.0).filter(belongs)
        self.count += len(order)
        numbers = order.to_numpy()
        first = np.argsort(numbers, kind="stable")[:GALLERY_CLIPS]
        clips = shown(table.filter(belongs).take(first))
        self.clips = heapq.nsmallest(
            GALLERY_CLIPS,
            [*self.clips, *zip(numbers[first].tolist(), clips, strict=True)],
            key=lambda each: (each[0], each[1].clip_id),
        )


SHEET_CLIPS = 2
"""Clips of each class on the contact sheet."""

SHEET_CLIPS_WITHOUT_CLASSES = 120
"""Clips on the contact sheet of an output without annotations."""

_Ranked = tuple[bytes, ShownClip]


@dataclass
class SheetClips:
    """The clips of the contact sheet: of each class those with the lowest ``sheet_rank``.

    Without annotations there are no classes. Else clips without a label are left out, for the
    sheet is there to compare pictures with labels.
    """

    with_annotations: bool
    by_class: dict[str, list[_Ranked]] = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Add the listed clips of one table."""
        names = table.column("clip_id"), table.column("label")
        rows = table.take(_lowest(*names, self)) if len(table) else table
        for clip in shown(rows):
            if clip.label is not None or not self.with_annotations:
                ranked = self.by_class.setdefault(clip.label or "", [])
                ranked.append((sheet_rank(clip.clip_id), clip))
                ranked.sort(key=lambda each: each[0])
                del ranked[self.most :]

    @property
    def most(self) -> int:
        """The number of clips that are shown of a class."""
        return SHEET_CLIPS if self.with_annotations else SHEET_CLIPS_WITHOUT_CLASSES

    def classes(self) -> list[tuple[str, list[ShownClip]]]:
        """The clips of each class, by class."""
        return [(label, [clip for _, clip in self.by_class[label]]) for label in sorted(
            self.by_class
        )]  # fmt: skip


def _lowest(
    clip_ids: pa.ChunkedArray, labels: pa.ChunkedArray, sheet: SheetClips
) -> npt.NDArray[np.int64]:
    """The numbers of the rows of a table that may be shown: of each class the lowest."""
    ranks = np.array([sheet_rank(clip_id)[:8] for clip_id in clip_ids.to_pylist()], "S8")
    ranks = ranks.view(">u8")
    classes = pc.fill_null(labels, "").combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.lexsort((ranks, classes))
    in_order = classes[order]
    starts = np.searchsorted(in_order, in_order, side="left")
    place = np.arange(len(order)) - starts
    # One more than is shown: the whole rank decides between two whose beginnings are equal.
    return np.sort(order[place <= sheet.most])


def pictured(clips: Sequence[ShownClip]) -> list[Pictured]:
    """The pictures that are wanted of some clips, each clip once."""
    wanted = {clip.clip_id: clip.pictured for clip in clips}
    return [picture for picture in wanted.values() if picture is not None]
