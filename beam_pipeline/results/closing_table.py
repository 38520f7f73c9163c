"""The results of a run, as a table on the terminal."""

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from beam_pipeline.config import Config

ALWAYS_SHOWN = ("annotated", "found", "resized", "copied", "missing", "failed")
"""Columns that are shown even if all their counts are 0."""


def print_results(summary: dict[str, Any], config: Config) -> None:
    """Print counts by split, failure reasons, notes, and where the results are."""
    columns = [key for key, count in summary["total"].items() if count or key in ALWAYS_SHOWN]
    table = Table("split", box=SIMPLE)
    for column in columns:
        table.add_column(column, justify="right")
    for split, counts in [*summary["splits"].items(), ("total", summary["total"])]:
        if split == "total":
            table.add_section()
        table.add_row(split, *(f"{counts[column]:,}" for column in columns))
    Console().print(table)
    for reason, count in summary["reasons"].items():
        print(f"  {count:,} failed: {reason}")
    if summary["unannotated"]:
        print(f"  {summary['unannotated']:,} files match no annotation")
    if unannotated := summary.get("archives", {}).get("unannotated"):
        print(f"  {unannotated:,} files in archives match no annotation")
    for warning in summary["warnings"]:
        print(f"  note: {warning}")
    lists = ", ".join(f"{split}.csv" for split in config.splits)
    written = [f"Lists ({lists})", "manifest"] if config.annotations else ["Manifest"]
    *first, last = [*written, "clips"] if config.resize else written
    print(f"{', '.join(first)} and {last} are in {config.output.root}")


def failure_message(summary: dict[str, Any], config: Config) -> str | None:
    """The message if more clips failed than ``--max_failure_ratio`` allows; None if not."""
    ratio = summary["failure_ratio"]
    if ratio <= config.max_failure_ratio:
        return None
    return (
        f"{ratio:.0%} of the clips found failed, more than --max_failure_ratio "
        f"{config.max_failure_ratio:g}; {config.output.root}/failed.csv says why"
    )
