"""The results of a run, as a table on the terminal."""

import time
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from beam_pipeline.config import Config
from beam_pipeline.fetch.pace import ENDED_EARLY
from beam_pipeline.output.output_folder import REPORT
from beam_pipeline.privacy import one_line
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.state import counted
from beam_pipeline.report.write_report import has_report
from beam_pipeline.results.ratios import failure_ratio, missing_ratio, total_of

ALWAYS_SHOWN = ("annotated", "found", "resized", "copied", "missing", "failed")
"""Columns that are shown even if all their counts are 0."""

SLOW = 0.1
"""Clips a second below which the rate is shown by the hour."""


def print_results(summary: dict[str, Any], config: Config, counts: Counts) -> None:
    """Print counts by split, failure reasons, notes, and where the results are.

    ``counts`` are of the clips that this run made.
    """
    columns = [key for key, count in summary["total"].items() if count or key in ALWAYS_SHOWN]
    table = Table("split", box=SIMPLE)
    for column in columns:
        table.add_column(column, justify="right")
    damaged = summary["damaged"]
    if damaged["total"]:
        table.add_column("damaged", justify="right")
    for split, row in [*summary["splits"].items(), ("total", summary["total"])]:
        if split == "total":
            table.add_section()
        cells = [row[column] for column in columns]
        if damaged["total"]:
            cells.append(damaged["total"] if split == "total" else damaged["splits"][split])
        table.add_row(split, *(f"{count:,}" for count in cells))
    Console().print(table)
    print(f"  {_speed(counts, time.time() - config.started)}")
    for reason, count in summary["reasons"].items():
        print(f"  {count:,} failed: {reason}")
    for reason, count in summary.get("fetch", {}).get("reasons", {}).items():
        print(f"  {count:,} missing: {reason}")
    if summary["unannotated"]:
        matches = counted(summary["unannotated"], "file matches", "files match")
        print(f"  {matches} no annotation")
    if unannotated := summary.get("archives", {}).get("unannotated"):
        matches = counted(unannotated, "file in archives matches", "files in archives match")
        print(f"  {matches} no annotation")
    for kind, count in damaged["kinds"].items():
        print(f"  {count:,} damaged: {kind}")
    for split, shards in summary.get("webdataset", {}).items():
        print(
            f"  webdataset shards of {split}: {shards['shards']:,} "
            f"({counted(shards['samples'], 'clip')}, {decimal(shards['bytes'])})"
        )
    for warning in summary["warnings"]:
        print(f"  note: {one_line(warning)}")
    lists = ", ".join(f"{split}.csv" for split in config.listed_splits())
    written = [f"Lists ({lists})", "manifest"] if config.annotations else ["Manifest"]
    *first, last = [*written, "clips"] if config.resize else written
    print(f"{', '.join(first)} and {last} are in {one_line(config.output.root)}")
    if config.report and has_report(config.output):
        print(f"To look at all of it, open {one_line(config.output.url(REPORT))}")


def print_part(config: Config, counts: Counts) -> None:
    """Print what a part has done, and what to type when all parts are done."""
    print(f"Part {config.shard} is done: {_speed(counts, time.time() - config.started)}")
    if counts.failed:
        print(f"  {counts.failed:,} of them failed; failed.csv will say why")
    print(
        "When all parts are done, type the same command without --shard: it writes lists, manifest "
        "and summary, and makes what is missing"
    )


def _speed(counts: Counts, seconds: float) -> str:
    took = f"{timedelta(seconds=round(seconds))}"
    if not counts.done:
        return f"no clip to make; {took} in all"
    tried = counts.succeeded + counts.failed
    if not tried:
        return f"no clip was made in {took}; {counts.unavailable:,} could not be fetched"
    asked = f"; {counts.unavailable:,} more could not be fetched"
    return (
        f"{counted(tried, 'clip')} in {took} ({_rate(tried / seconds)}), "
        f"{decimal(counts.bytes_in)} read, {decimal(counts.bytes_out)} written"
        f"{asked if counts.unavailable else ''}"
    )


def _rate(clips_per_second: float) -> str:
    """How fast clips were made; by the hour where a second would tell nothing, as of fetching.

    >>> _rate(12.34), _rate(0.1), _rate(0.01)
    ('12.3 clips/s', '0.1 clips/s', '36.0 clips/h')
    """
    if clips_per_second < SLOW:
        return f"{clips_per_second * 3600:,.1f} clips/h"
    return f"{clips_per_second:,.1f} clips/s"


def failure_message(summary: dict[str, Any], config: Config, is_written: bool = True) -> str | None:
    """Why the run has failed all the same, by its own splits; None if it has not.

    The file that says more is only named if it ``is_written``.
    """
    total = total_of(summary, config.splits)
    failed, missing = failure_ratio(total), missing_ratio(total)

    def message(why: str, name: str, says: str) -> str:
        return f"{why}; {config.output.root}/{name} {says}" if is_written else why

    if missing == 1:
        has = "has a file, or could be fetched" if config.fetch else "has a file"
        notes = summary.get("warnings", ())  # a plan has none
        ended = next((each for each in notes if each.startswith(ENDED_EARLY)), None)
        because = ended.removeprefix(ENDED_EARLY).split(";")[0] if ended else ""
        why = f" because{because}" if because else ""
        return message(f"no annotated clip {has}{why}", "missing.csv", "lists them all")
    if missing > config.max_missing_ratio:
        return message(
            f"{missing:.0%} of the annotated clips have no file, more than --max_missing_ratio "
            f"{config.max_missing_ratio:g}",
            "missing.csv",
            "lists them",
        )
    if failed > config.max_failure_ratio:
        return message(
            f"{failed:.0%} of the clips found failed, more than --max_failure_ratio "
            f"{config.max_failure_ratio:g}",
            "failed.csv",
            "says why",
        )
    return None
