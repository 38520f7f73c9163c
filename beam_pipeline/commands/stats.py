"""``stats``: how many clips of which kind an output holds, and how long and large they are."""

import csv
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from beam_pipeline.commands.arguments import (
    WHOLE,
    output_at,
    parser_of,
    print_json,
    print_table,
    say,
)
from beam_pipeline.commands.prepared import Prepared, find_prepared, tables_of
from beam_pipeline.elements import LISTED
from beam_pipeline.errors import UsageError
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER
from beam_pipeline.output import manifest
from beam_pipeline.output.csv_fields import as_text
from beam_pipeline.privacy import one_line

By = Literal["split", "class", "size", "duration"]
"""What clips are grouped by: their split, class, size of the source, or duration."""

UNKNOWN = "unknown"
"""The group of clips of which that is not known, as of missing ones."""


KEYS: dict[By, tuple[str, ...]] = {
    "split": ("split",),
    "class": ("label",),
    "size": ("source_width", "source_height"),
    "duration": ("second",),
}
"""The columns that say in which group a clip is; ``second`` is its duration without fractions."""

MEASURES = {
    "duration": "seconds",
    "bytes": "clip takes",
    "source_bytes": "source took",
    "width": "width, pixels",
    "height": "height, pixels",
    "source_width": "source width",
    "source_height": "source height",
}
"""The columns of which the distribution is shown, and what stands there for people."""

READ = ("split", "label", "status", *MEASURES)
"""The columns of the manifest that are read."""

SUMMED = ("duration", "bytes", "source_bytes")


@dataclass
class Group:
    """Clips of one kind by what became of them; ``seconds`` and bytes are of those listed."""

    name: str
    listed: int = 0
    missing: int = 0
    excluded: int = 0
    failed: int = 0
    seconds: float = 0.0
    bytes: int = 0
    source_bytes: int = 0

    def add(
        self,
        status: str,
        clips: int,
        seconds: float | None,
        size: int | None,
        source_size: int | None,
    ) -> None:
        """Count more clips with one status; sizes are their bytes, None if no row states any."""
        if status in LISTED:
            self.listed += clips
            self.seconds += seconds or 0.0
            self.bytes += size or 0
            self.source_bytes += source_size or 0
        elif status == "missing":
            self.missing += clips
        elif status == "excluded":
            self.excluded += clips
        elif status == "failed":
            self.failed += clips


class Distribution(NamedTuple):
    """How a measure is spread over the clips that have it."""

    measure: str
    clips: int
    min: float
    median: float
    mean: float
    max: float
    total: float

    @classmethod
    def of(cls, measure: str, values: Sequence[float]) -> "Distribution":
        """The distribution of at least one value; all are whole numbers, or none is."""
        total = sum(values) if isinstance(values[0], int) else math.fsum(values)
        return cls(
            measure, len(values), min(values), median(values), total / len(values), max(values),
            total,
        )  # fmt: skip


@dataclass
class Stats:
    """The groups of an output's clips in their order, all of them as one, and distributions."""

    by: By
    groups: list[Group]
    total: Group
    distributions: list[Distribution] = field(default_factory=list)


def main(argv: list[str]) -> int:
    """Run ``stats`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        OutputError: the output cannot be read, or is damaged.
    """
    parser = parser_of(
        "stats",
        "OUTPUT",
        "Count the clips of an output by split, class, size of the source or duration, and show "
        "how long and how large they are.",
        "The exit status is 0; 2 if the command line is wrong or the output cannot be read.",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the --output of a finished run")
    parser.add_argument(
        "--by",
        choices=get_args(By),
        default="split",
        help="what to group the clips by; duration is in whole seconds (default: %(default)s)",
    )
    parser.add_argument("--csv", action="store_true", help="print the groups as CSV")
    options = parser.parse_args(argv)
    if options.csv and options.json:
        raise UsageError("--csv and --json are two forms of one output; type one of them")
    prepared = find_prepared(output_at(options.output, options.storage_options))
    stats = read_stats(prepared, options.by)
    if options.json:
        print_json(as_json(prepared, stats))
    elif options.csv:
        _write_csv(stats)
    else:
        _print(prepared, stats)
    return WHOLE


def read_stats(prepared: Prepared, by: By) -> Stats:
    """Count the clips in the manifests of an output.

    Raises:
        OutputError: a manifest cannot be read, or is damaged.
    """
    tables = (tables_of(prepared, split, READ) for split in prepared.splits)
    return count(chain.from_iterable(tables), by)


def count(tables: Iterable[pa.Table], by: By) -> Stats:
    """Count clips, and see how their measures are spread."""
    groups: dict[Any, Group] = {}
    total = Group("total")
    parts: dict[str, list[Any]] = {name: [] for name in MEASURES}
    for table in tables:
        for stated, counts in _counts(table, by):
            key, name = _group_of(stated, by)
            for group in (groups.setdefault(key, Group(name)), total):
                group.add(*counts)
        listed = manifest.with_status(table, LISTED)
        for name, of_measure in parts.items():
            of_measure.append(listed.column(name).drop_null().to_numpy())
    in_order = list(groups) if by == "split" else sorted(groups)
    values = ((name, np.concatenate(each)) for name, each in parts.items() if each)
    spread = [Distribution.of(name, np.sort(some).tolist()) for name, some in values if len(some)]
    return Stats(by, [groups[key] for key in in_order], total, spread)


def _counts(table: pa.Table, by: By) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """For the clips of each group and status, what states the group, and what ``add`` takes."""
    keys = KEYS[by]
    table = table.append_column("second", pc.floor(table.column("duration")))
    # With one thread the groups come in the order of their first rows.
    grouped = table.group_by([*keys, "status"], use_threads=False)
    sums = grouped.aggregate([([], "count_all"), *((name, "sum") for name in SUMMED)])
    columns = [*keys, "status", "count_all", *(f"{name}_sum" for name in SUMMED)]
    for values in manifest.values_of(sums.select(columns)):
        yield values[: len(keys)], values[len(keys) :]


def _group_of(stated: Sequence[Any], by: By) -> tuple[Any, str]:
    """By what a group is sorted, and its name, from what its rows state in the columns of KEYS."""
    match by:
        case "split":
            (split,) = stated
            return split, split or "all"
        case "class":
            (label,) = stated
            name = UNLABELLED_FOLDER if label is None else label
            return (label is None, name), name
        case "size":
            width, height = stated
            size = width or 0, height or 0
            return size, "{}x{}".format(*size) if all(size) else UNKNOWN
        case "duration":
            (seconds,) = stated
            if seconds is None:
                return -1, UNKNOWN
            return math.floor(seconds), str(math.floor(seconds))


COLUMNS = ("listed", "missing", "excluded", "failed", "seconds", "bytes", "source_bytes")


def as_json(prepared: Prepared, stats: Stats) -> dict[str, Any]:
    """The counts as one object."""
    return {
        "output": prepared.output.root,
        "by": stats.by,
        "groups": [{stats.by: group.name, **_numbers(group)} for group in stats.groups],
        "total": _numbers(stats.total),
        "notes": notes_about(prepared),
        "distributions": {
            each.measure: {key: value for key, value in each._asdict().items() if key != "measure"}
            for each in stats.distributions
        },
    }


def _numbers(group: Group) -> dict[str, Any]:
    return {name: _rounded(getattr(group, name)) for name in COLUMNS}


def _rounded(value: float) -> float:
    return round(value, 3) if isinstance(value, float) else value


def _write_csv(stats: Stats) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow((stats.by, *COLUMNS))
    for group in stats.groups:
        writer.writerow((as_text(group.name), *_numbers(group).values()))


def notes_about(prepared: Prepared) -> list[str]:
    """Why there may be nothing to count, although an output holds clips."""
    if prepared.summary is None and not prepared.splits:
        return ["no run has finished here; clips are counted when the original command has ended"]
    return []


def _print(prepared: Prepared, stats: Stats) -> None:
    say(prepared.output.root)
    for note in notes_about(prepared):
        say(f"note: {note}")
    print_table(_table_of_groups(stats))
    if stats.distributions:
        print_table(_table_of_distributions(stats.distributions))


def _table_of_groups(stats: Stats) -> Table:
    table = Table(stats.by if stats.by != "duration" else "seconds", box=SIMPLE)
    counted = ["listed", "missing", "excluded", "failed"]
    if not stats.total.excluded:
        counted.remove("excluded")
    for column in (*counted, "hours", "clips take", "sources took"):
        table.add_column(column, justify="right")
    for group in (*stats.groups, stats.total):
        if group is stats.total:
            table.add_section()
        counts = (f"{number:,}" for number in (getattr(group, name) for name in counted))
        sizes = decimal(group.bytes), decimal(group.source_bytes)
        name = Text(one_line(group.name))
        table.add_row(name, *counts, f"{group.seconds / 3600:,.2f}", *sizes)
    return table


def _table_of_distributions(distributions: Iterable[Distribution]) -> Table:
    table = Table("of listed clips", box=SIMPLE)
    for column in ("min", "median", "mean", "max", "total"):
        table.add_column(column, justify="right")
    for each in distributions:
        numbers = [each.min, each.median, each.mean, each.max, each.total]
        if each.measure.endswith(("width", "height")):
            numbers.pop()  # nobody adds up edges
        table.add_row(MEASURES[each.measure], *(_short(number, each.measure) for number in numbers))
    return table


def _short(number: float, measure: str) -> str:
    """A number that fits the table, whatever the size of the data set.

    >>> _short(5_707_246.231, "duration"), _short(273e9, "bytes"), _short(373.4, "width")
    ('5,707,246.23', '273.0 GB', '373')
    """
    if measure.endswith("bytes"):
        return decimal(round(number))
    return f"{number:,.2f}" if measure == "duration" else f"{number:,.0f}"
