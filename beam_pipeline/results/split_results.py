"""What the manifest of a split says, for the files about the whole output."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.elements import LISTED, Split
from beam_pipeline.fetch.reasons import NOT_ASKED, WATCH
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER, UNLABELLED_ID
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import Output, manifest_of
from beam_pipeline.plan.decide import DOUBTFUL
from beam_pipeline.results.fingerprints import FINGERPRINT_COLUMNS


@dataclass
class SplitResults:
    """The facts from a split's manifest that the files about the output need.

    ``counts`` is the number of rows by (status, reason), ``damage`` that of existing clips by
    ``damage_kind``, ``classes`` that of existing clips by label. ``unlabelled`` is the number of
    clips without a label. Sizes are in bytes, ``duration`` in seconds, both of existing clips.
    ``missing`` and ``failed`` are the rows with that status, ``damaged`` those of damaged clips.
    ``fetched`` is the number of clips made from a site, ``lost`` that of clips that it does not
    have, by (reason, year of the answer).
    ``listed`` holds clip_id, label_id and sha256 of existing clips.
    """

    split: Split
    counts: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    damage: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    source_bytes: int = 0
    bytes: int = 0
    duration: float = 0.0
    fetched: int = 0
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: list[pa.Table] = field(default_factory=list)
    failed: list[pa.Table] = field(default_factory=list)
    damaged: list[pa.Table] = field(default_factory=list)
    listed: list[pa.Table] = field(default_factory=list)

    @property
    def statuses(self) -> Counter[str]:
        """The number of rows by status."""
        statuses: Counter[str] = Counter()
        for (status, _), count in self.counts.items():
            statuses[status] += count
        return statuses


def read_split(output: Output, split: Split) -> SplitResults:
    """Read the manifest of a split once; a missing manifest counts as empty."""
    results = SplitResults(split)
    with suppress(FileNotFoundError):
        for table in manifest.read_parquet(output.url(manifest_of(split))):
            _add_rows(results, table)
    return results


def _add_rows(results: SplitResults, table: pa.Table) -> None:
    for status, reason, rows in _counted(table, "status", "reason"):
        results.counts[status, reason] += rows
    results.unlabelled += _sum(pc.equal(table.column("label_id"), UNLABELLED_ID))
    results.missing.append(manifest.with_status(table, ["missing"]))
    results.lost.update(_lost(results.missing[-1]))
    results.failed.append(manifest.with_status(table, ["failed"]))
    existing = manifest.with_status(table, LISTED)
    results.listed.append(existing.select(FINGERPRINT_COLUMNS))
    results.source_bytes += _sum(existing.column("source_bytes"))
    results.fetched += _sum(pc.starts_with(existing.column("source"), WATCH))
    results.bytes += _sum(existing.column("bytes"))
    results.duration += _sum(existing.column("duration"))
    for label, rows in _counted(existing, "label"):
        results.classes[UNLABELLED_FOLDER if label is None else label] += rows
    remarks = existing.filter(
        pc.or_(
            pc.is_valid(existing.column("detail")),
            pc.greater(pc.fill_null(existing.column("decode_errors"), 0), 0),
        )
    )
    results.damaged.append(remarks)
    details = zip(remarks.column("decode_errors"), remarks.column("detail"), strict=True)
    for errors, detail in details:
        results.damage.update(damage_kinds(errors.as_py(), detail.as_py()))


def _counted(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The different values in these columns, each with the number of its rows, the first first."""
    counts = table.group_by(columns, use_threads=False).aggregate([([], "count_all")])
    return manifest.values_of(counts.select([*columns, "count_all"]))


def _lost(missing: pa.Table) -> Iterator[tuple[str, str]]:
    """Reason and year for each clip of which a site has said that it cannot be had."""
    asked = missing.filter(pc.not_equal(missing.column("reason"), NOT_ASKED))
    for reason, detail in manifest.values_of(asked.select(["reason", "detail"])):
        yield reason, (detail or "")[:4]


def _sum(column: pa.ChunkedArray) -> Any:
    return pc.sum(column).as_py() or 0


_SOUND_REMARK = re.compile(r"sound (dropped|encoded again)")


def damage_kinds(decode_errors: int | None, detail: str | None) -> set[str]:
    """What was wrong with the source of a clip that was made, from two columns of its row."""
    kinds = {"decode_errors"} if decode_errors else set()
    detail = detail or ""
    if sound := _SOUND_REMARK.search(detail):
        kinds.add("sound_dropped" if sound[1] == "dropped" else "sound_encoded_again")
    if "the file ends early" in detail:
        kinds.add("ended_early")
    if DOUBTFUL in detail:
        kinds.add("archive_checksum")
    return kinds or {"other"}
