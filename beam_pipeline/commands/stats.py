"""``stats``: how many clips of which kind an output holds, and how long and large they are."""

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, NamedTuple, get_args

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
from beam_pipeline.commands.prepared import Prepared, find_prepared, rows_of
from beam_pipeline.elements import LISTED
from beam_pipeline.errors import UsageError
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER
from beam_pipeline.output.csv_fields import as_text
from beam_pipeline.privacy import one_line

By = Literal["split", "class", "size", "duration"]
"""What clips are grouped by: their split, class, size of the source, or duration."""

UNKNOWN = "unknown"
"""The group of clips of which that is not known, as of missing ones."""


class StatsRow(NamedTuple):
    """What is counted of a clip; columns of the manifest."""

    split: str | None
    label: str | None
    status: str
    bytes: int | None
    source_bytes: int | None
    duration: float | None
    width: int | None
    height: int | None
    source_width: int | None
    source_height: int | None


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

    def add(self, row: StatsRow) -> None:
        """Count one more clip."""
        if row.status in LISTED:
            self.listed += 1
            self.seconds += row.duration or 0.0
            self.bytes += row.bytes or 0
            self.source_bytes += row.source_bytes or 0
        elif row.status == "missing":
            self.missing += 1
        elif row.status == "excluded":
            self.excluded += 1
        elif row.status == "failed":
            self.failed += 1


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
        """The distribution of at least one value."""
        is_whole = all(isinstance(value, int) for value in values)
        total = sum(values) if is_whole else math.fsum(values)
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
    rows = (rows_of(prepared, split, StatsRow._fields) for split in prepared.splits)
    return count((StatsRow(*values) for of_split in rows for values in of_split), by)


def count(rows: Iterable[StatsRow], by: By) -> Stats:
    """Count clips, and see how their measures are spread."""
    groups: dict[Any, Group] = {}
    total = Group("total")
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for row in rows:
        key, name = _group_of(row, by)
        group = groups.setdefault(key, Group(name))
        for each in (group, total):
            each.add(row)
        if row.status in LISTED:
            for name in MEASURES:
                if (value := getattr(row, name)) is not None:
                    values[name].append(value)
    in_order = list(groups) if by == "split" else sorted(groups)
    spread = [Distribution.of(name, values[name]) for name in MEASURES if values[name]]
    return Stats(by, [groups[key] for key in in_order], total, spread)


def _group_of(row: StatsRow, by: By) -> tuple[Any, str]:
    """By what the group of a row is sorted, and its name."""
    match by:
        case "split":
            return row.split, row.split or "all"
        case "class":
            name = UNLABELLED_FOLDER if row.label is None else row.label
            return (row.label is None, name), name
        case "size":
            size = row.source_width or 0, row.source_height or 0
            return size, "{}x{}".format(*size) if all(size) else UNKNOWN
        case "duration":
            if row.duration is None:
                return -1, UNKNOWN
            return math.floor(row.duration), str(math.floor(row.duration))


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
