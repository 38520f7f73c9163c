"""How a plan is shown: tables and lines on the terminal, or one object."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from beam_pipeline.commands.arguments import print_table, say
from beam_pipeline.commands.plan.estimate import STANDARD_ERRORS, Figure
from beam_pipeline.commands.plan.forecast import Forecast, OnDataflow
from beam_pipeline.commands.plan.outcome import MAY_BE, OUTCOMES, Outcome
from beam_pipeline.commands.plan.planned_clips import MAKE, MAY_BE_FETCHED
from beam_pipeline.commands.plan.shards import Shards
from beam_pipeline.config import Config
from beam_pipeline.privacy import one_line
from beam_pipeline.progress.state import counted

HEADINGS = {
    MAKE: "to make",
    "reused": "to reuse",
    MAY_BE: "may be in archives",
    MAY_BE_FETCHED: "may be fetched",
}
"""What stands above the columns that are not named after a status."""

ALWAYS_SHOWN = (MAKE, "missing", "failed")

LONG = 2 * 3600
"""Seconds from which a time is shown in hours."""


def show(config: Config, outcome: Outcome, forecast: Forecast | None) -> None:
    """Print a plan on the terminal."""
    say(f"Plan for {config.output.root}; nothing was written")
    print_table(_table_of_splits(config, outcome))
    if outcome.classes:
        print_table(_table_of_classes(outcome))
    for line in _counts(outcome):
        say(f"  {line}")
    if forecast is not None:
        print_table(_table_of_forecast(forecast))
        for line in _remarks(forecast):
            say(f"  {line}")
    for line in outcome.unestimated:
        say(f"  note: {one_line(line)}")
    for note in outcome.notes:
        say(f"  the run will note: {one_line(note)}")


def _table_of_splits(config: Config, outcome: Outcome) -> Table:
    total = outcome.total
    columns = [name for name in OUTCOMES if total[name] or name in ALWAYS_SHOWN]
    table = Table("split", box=SIMPLE)
    for name in (_all_clips(config), *(HEADINGS.get(name, name) for name in columns)):
        table.add_column(name, justify="right")
    for split, counts in [*outcome.splits.items(), ("total", total)]:
        if split == "total":
            table.add_section()
        cells = (counts.total(), *(counts[name] for name in columns))
        table.add_row(split, *(f"{count:,}" for count in cells))
    return table


def _all_clips(config: Config) -> str:
    """What all clips together are called; a part does not know those of others."""
    if config.shard is not None:
        return "known here"
    return "annotated" if config.annotations else "found"


def _table_of_classes(outcome: Outcome) -> Table:
    table = Table("classes that lose most", box=SIMPLE)
    for column in ("annotated", "missing", "share", "failed"):
        table.add_column(column, justify="right")
    for loss in outcome.classes:
        counts = f"{loss.annotated:,}", f"{loss.missing:,}", f"{loss.share:.0%}", f"{loss.failed:,}"
        table.add_row(Text(one_line(loss.label)), *counts)
    return table


def _counts(outcome: Outcome) -> Iterator[str]:
    for reason, count in sorted(outcome.reasons.items()):
        yield f"{count:,} fail: {reason}"
    if outcome.unannotated.files:
        matches = counted(outcome.unannotated.files, "file matches", "files match")
        yield f"{matches} no annotation"
    if outcome.unannotated.members:
        matches = counted(
            outcome.unannotated.members, "file in archives matches", "files in archives match"
        )
        yield f"{matches} no annotation"
    if count := outcome.total[MAY_BE_FETCHED]:
        yield f"the site is asked for {counted(count, 'clip')}, which no estimate includes"
    archives = outcome.archives
    if archives.found:
        unsized = f", without {archives.unsized:,} of unknown size" if archives.unsized else ""
        yield (
            f"{len(archives.needed):,} of {counted(archives.found, 'archive')} to read for clips: "
            f"{decimal(archives.needed_bytes)} of {decimal(archives.bytes)}{unsized}"
        )


def _table_of_forecast(forecast: Forecast) -> Table:
    found = forecast.estimate
    table = Table("estimate", box=SIMPLE)
    for column in ("", "from", "to"):
        table.add_column(column, justify="right")

    def add(name: str, figure: Figure, text: Callable[[float], str]) -> None:
        ends = (figure.low, figure.high)
        shown = ("?" if end is None else text(end) for end in ends)
        table.add_row(name, text(figure.value), *shown)

    workers = counted(forecast.workers, "worker")
    add(f"time on this machine, {workers}", found.seconds, _time)
    add("to read", found.bytes_read, _bytes)
    add("to write", found.bytes_written, _bytes)
    add("clips that will fail", found.failed, _whole)
    if (cloud := forecast.dataflow) is not None:
        machines = counted(cloud.machines.number, "machine")
        add(f"hours on Dataflow, {machines}", cloud.hours, _hours)
        add("hours of all these machines", cloud.machine_hours, _hours)
        add("dollars", cloud.dollars, _dollars)
    return table


def _time(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds >= LONG else f"{timedelta(seconds=round(seconds))}"


def _bytes(count: float) -> str:
    return decimal(round(count))


def _whole(count: float) -> str:
    return f"{round(count):,}"


def _hours(hours: float) -> str:
    return f"{hours:,.2f}"


def _dollars(dollars: float) -> str:
    return f"${dollars:,.2f}"


def _remarks(forecast: Forecast) -> Iterator[str]:
    found = forecast.estimate
    tried = len(forecast.rows)
    yield (
        f"from {tried:,} of {counted(round(found.clips), 'clip')}, made in "
        f"{_time(forecast.sample_seconds)} and thrown away; {rate_of(forecast):,.2f} clips/s; "
        f"{_time(forecast.start_seconds)} of the time is the start and the end of the run"
    )
    for reason, count in sorted(failures_in(forecast).items()):
        yield f"{count:,} of these {tried:,} failed: {reason}"
    if forecast.shards is not None:
        yield _about_shards(forecast.shards)
    if (room := forecast.room) is not None:
        if room.is_short:
            yield (
                f"note: only {decimal(room.free)} are free on the disk of the output; make room: "
                f"{decimal(room.most)} are needed"
            )
        else:
            yield f"{decimal(room.free)} are free on the disk of the output"
    if forecast.dataflow is not None:
        yield from (f"note: {remark}" for remark in forecast.dataflow.remarks)


def _about_shards(shards: Shards) -> str:
    if not shards.bytes.value:
        return "no webdataset shard is packed; those that are there stay as they are"
    place = f", in place of {decimal(shards.replaced)} that are there" if shards.replaced else ""
    return (
        f"{_bytes(shards.bytes.value)} of what is written are webdataset shards, which hold every "
        f"clip again{place}"
    )


def rate_of(forecast: Forecast) -> float:
    """Clips a second, from the start of the run to its end."""
    return forecast.estimate.clips / forecast.estimate.seconds.value


def failures_in(forecast: Forecast) -> Counter[str]:
    """The failures in the sample, by reason."""
    return Counter(str(row.reason) for row in forecast.rows if row.status == "failed")


def as_json(config: Config, outcome: Outcome, forecast: Forecast | None) -> dict[str, Any]:
    """A plan as one object. Times are in seconds but for Dataflow's, sizes in bytes."""
    return {
        "output": config.output.root,
        "splits": {split: _by_outcome(counts) for split, counts in outcome.splits.items()},
        "total": _by_outcome(outcome.total),
        "reasons": dict(sorted(outcome.reasons.items())),
        "classes": [{**loss._asdict(), "share": round(loss.share, 4)} for loss in outcome.classes],
        "unannotated": outcome.unannotated._asdict(),
        "passed_over": outcome.passed_over,
        "archives": {
            "found": outcome.archives.found,
            "needed": len(outcome.archives.needed),
            "bytes": outcome.archives.bytes,
            "needed_bytes": outcome.archives.needed_bytes,
            "unknown_size": outcome.archives.unsized,
        },
        "estimate": None if forecast is None else _forecast_as_json(forecast),
        "unestimated": [one_line(line) for line in outcome.unestimated],
        "notes": [one_line(note) for note in outcome.notes],
        "failure": outcome.failure,
    }


def _by_outcome(counts: Counter[str]) -> dict[str, int]:
    return {"clips": counts.total(), **{name: counts[name] for name in OUTCOMES}}


def _forecast_as_json(forecast: Forecast) -> dict[str, Any]:
    found = forecast.estimate
    names = ("seconds", "cpu_seconds", "bytes_read", "bytes_written", "failed")
    return {
        "clips": found.clips,
        "clips_per_second": round(rate_of(forecast), 4),
        **{name: _figure(getattr(found, name)) for name in names},
        "start_seconds": round(forecast.start_seconds, 2),
        "workers": forecast.workers,
        "standard_errors": STANDARD_ERRORS,
        "sample": {
            "clips": len(forecast.rows),
            "seconds": round(forecast.sample_seconds, 2),
            "failed": dict(failures_in(forecast)),
        },
        "shards": None if forecast.shards is None else _shards_as_json(forecast.shards),
        "free_bytes": None if forecast.room is None else forecast.room.free,
        "dataflow": None if forecast.dataflow is None else _dataflow_as_json(forecast.dataflow),
    }


def _shards_as_json(shards: Shards) -> dict[str, Any]:
    return {"bytes": _figure(shards.bytes), "replaced_bytes": shards.replaced}


def _dataflow_as_json(cloud: OnDataflow) -> dict[str, Any]:
    return {
        "machines": cloud.machines.number,
        "cores": cloud.machines.cores,
        "hours": _figure(cloud.hours),
        "machine_hours": _figure(cloud.machine_hours),
        "dollars": _figure(cloud.dollars),
        "remarks": cloud.remarks,
    }


def _figure(figure: Figure) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, 6) for name, value in figure._asdict().items()
    }
