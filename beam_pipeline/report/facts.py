"""What the manifests of an output say, counted for its report."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.elements import ALL, LISTED, NOT_MADE, SPLITS, Split
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, Output, manifest_of
from beam_pipeline.report import equal_content
from beam_pipeline.report.equal_content import EqualContent, Prefixes, prefixes_of
from beam_pipeline.report.histograms import MEASURES, SHORT_EDGE, Histogram, short_edge
from beam_pipeline.report.shown_clips import Gallery, SheetClips, ShownClip, shown

EXAMPLES = 5
"""Clips that are named for each reason."""

VERY_SHORT_SHARE = 0.5
"""A clip that is shorter than this share of its annotated time is very short."""

VERY_SHORT_SECONDS = 1.0
"""Where no time is annotated, a clip is very short if it has fewer seconds."""


class Unclipped(NamedTuple):
    """Clips without a file, for one reason: how many, and the first of them."""

    status: str
    reason: str | None
    clips: int
    examples: list[ShownClip]


class ClassCoverage(NamedTuple):
    """How many clips of a class are annotated, have a file, are missing, and failed."""

    label: str | None
    annotated: int
    listed: int
    missing: int
    failed: int

    @property
    def coverage(self) -> float:
        """The share of the annotated clips that have a file."""
        return self.listed / self.annotated if self.annotated else 0.0


@dataclass
class Facts:
    """What is counted over all splits. ``statuses`` has the number of rows by status.

    ``excluded`` is the number of clips that --exclude_annotations left out, which count nowhere
    else. ``codecs`` and ``sound`` are of listed clips; the key None stands for what is not known.
    ``unreadable`` names the manifests that are damaged, with what is wrong, and what else cannot
    be shown.
    """

    sheet: SheetClips
    statuses: dict[Split, Counter[str]] = field(default_factory=dict)
    excluded: int = 0
    by_class: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    by_reason: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    examples: dict[tuple[str, str | None], list[ShownClip]] = field(default_factory=dict)
    codecs: Counter[str | None] = field(default_factory=Counter)
    sound: Counter[bool | None] = field(default_factory=Counter)
    histograms: list[Histogram] = field(default_factory=lambda: [Histogram(m) for m in MEASURES])
    bytes: int = 0
    source_bytes: int = 0
    seconds: float = 0.0
    damaged: Gallery = field(default_factory=Gallery)
    very_short: Gallery = field(default_factory=Gallery)
    upscaled: Gallery = field(default_factory=Gallery)
    equal: EqualContent = equal_content.NOTHING_EQUAL
    unreadable: list[str] = field(default_factory=list)

    def unclipped(self) -> list[Unclipped]:
        """Why clips have no file, the commonest reason first."""
        return [
            Unclipped(*key, count, self.examples.get(key, []))
            for key, count in sorted(
                self.by_reason.items(), key=lambda each: (-each[1], str(each[0]))
            )
        ]

    def classes(self) -> list[ClassCoverage]:
        """The classes, those with the lowest coverage first."""
        by_label: dict[str | None, Counter[str]] = {}
        for (label, status), count in self.by_class.items():
            by_label.setdefault(label, Counter())[status] += count
        covered = [
            ClassCoverage(
                label, counts.total(), sum(counts[status] for status in LISTED),
                counts["missing"], counts["failed"],
            )
            for label, counts in by_label.items()
        ]  # fmt: skip
        return sorted(covered, key=lambda each: (each.coverage, each.label is None, each.label))


def read_facts(output: Output, splits: Sequence[Split]) -> Facts:
    """Count what the manifests of these splits say, one table at a time.

    A manifest that is damaged is counted as far as it can be read, and named in ``unreadable``.

    Raises:
        OutputError: a manifest cannot be read.
    """
    facts = Facts(SheetClips(with_annotations=ALL not in splits))
    prefixes: list[Prefixes] = []
    for split in splits:
        facts.statuses[split] = Counter()
        of_split = [np.empty(0, np.uint64)]
        try:
            for table in _tables(output, split):
                prefixes_of_table = add_table(facts, split, table)
                of_split.append(prefixes_of_table)
        except DamagedError as error:
            facts.unreadable.append(error.what)
        prefixes.append(np.concatenate(of_split))
    facts.equal = equal_content.find_equal(prefixes, lambda: _listed_again(output, splits))
    return facts


def splits_with_manifest(output: Output) -> list[Split]:
    """The splits of which an output has a manifest, in their usual order."""
    there = set(output.urls_in(MANIFESTS))
    return [split for split in (*SPLITS, ALL) if output.url(manifest_of(split)) in there]


COLUMNS = tuple(
    sorted(
        {
            *ShownClip._fields,
            *("status", "source_codec", "bytes", "source_bytes", "has_audio"),
            *(measure.column for measure in MEASURES if measure.column != SHORT_EDGE),
        }
    )
)


def _tables(output: Output, split: Split) -> Iterator[pa.Table]:
    with suppress(FileNotFoundError):
        yield from manifest.read_parquet(output.url(manifest_of(split)), COLUMNS)


def _listed_again(output: Output, splits: Sequence[Split]) -> Iterator[pa.Table]:
    for split in splits:
        with suppress(FileNotFoundError, DamagedError):  # it is in ``unreadable`` already
            for table in manifest.read_parquet(
                output.url(manifest_of(split)), equal_content.COLUMNS
            ):
                yield manifest.with_status(table, LISTED)


def add_table(facts: Facts, split: Split, table: pa.Table) -> Prefixes:
    """Count one more table of a split; returns the beginnings of its clips' SHA-256."""
    _add_counts(facts, split, table)
    for status in NOT_MADE:
        _add_reasons(facts, status, manifest.with_status(table, [status]))
    listed = manifest.with_status(table, LISTED)
    facts.bytes += pc.sum(listed.column("bytes")).as_py() or 0
    facts.source_bytes += pc.sum(listed.column("source_bytes")).as_py() or 0
    facts.seconds += pc.sum(listed.column("duration")).as_py() or 0.0
    facts.codecs.update(_counted(listed.column("source_codec")))
    facts.sound.update(_counted(listed.column("has_audio")))
    edges = short_edge(listed)
    for histogram in facts.histograms:
        column = histogram.measure.column
        histogram.add(edges if column == SHORT_EDGE else listed.column(column))
    _add_galleries(facts, listed, edges)
    facts.sheet.add(listed)
    return prefixes_of(listed.column("sha256"))


def _counted(column: pa.ChunkedArray) -> dict[Any, int]:
    counts = pc.value_counts(column)
    return dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )


def _add_counts(facts: Facts, split: Split, table: pa.Table) -> None:
    names = ("label", "status", "reason")
    groups = table.select(names).group_by(names).aggregate([([], "count_all")])
    columns = (groups.column(name).to_pylist() for name in ("count_all", *names))
    for count, label, status, reason in zip(*columns, strict=True):
        if status == "excluded":  # it is in no share
            facts.excluded += count
            continue
        facts.statuses[split][status] += count
        if reason != "conflicting_annotations":  # its class is what is in conflict
            facts.by_class[label, status] += count


def _add_reasons(facts: Facts, status: str, rows: pa.Table) -> None:
    for reason, count in _counted(rows.column("reason")).items():
        key = (status, reason)
        facts.by_reason[key] += count
        examples = facts.examples.setdefault(key, [])
        if (room := EXAMPLES - len(examples)) > 0:
            column = rows.column("reason")
            same = pc.is_null(column) if reason is None else pc.equal(column, reason)
            examples += shown(rows.filter(same).slice(0, room))


def _add_galleries(facts: Facts, listed: pa.Table, edges: pa.ChunkedArray) -> None:
    errors = pc.fill_null(listed.column("decode_errors"), 0)
    remarked = pc.is_valid(listed.column("detail"))
    facts.damaged.add(listed, pc.or_(remarked, pc.greater(errors, 0)), pc.negate(errors))
    duration = listed.column("duration")
    annotated = pc.subtract(listed.column("time_end"), listed.column("time_start"))
    least = pc.fill_null(pc.multiply(annotated, VERY_SHORT_SHARE), VERY_SHORT_SECONDS)
    facts.very_short.add(listed, pc.less(duration, least), duration)
    edge = pc.min_element_wise(listed.column("width"), listed.column("height"), skip_nulls=False)
    # Even sizes may add a pixel, which is no enlargement.
    larger = pc.greater(edge, pc.add(edges, 1))
    facts.upscaled.add(listed, larger, edges)
