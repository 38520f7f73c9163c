"""The command line: flags in, exit status out."""

import gc
import logging
import os
import signal
import sys
import warnings
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from beam_pipeline.codec import children
from beam_pipeline.errors import OutputError, UsageError, message_of

if TYPE_CHECKING:
    import apache_beam as beam

    from beam_pipeline.config import Config
    from beam_pipeline.progress.counts import Counts

OK, RUN_FAILED, BAD_USAGE = 0, 1, 2
STOPPED_BY = 128
"""Added to the number of the signal that stopped the run: 130 after Ctrl-C."""

SAVING = 5.0
"""Seconds that a run which ends early may take to note what it has made, in a bucket."""

SHOWN = ("annotated", "found", "resized", "copied", "missing", "failed")
"""Columns of the closing table that are there even if nothing is in them."""


def main(argv: list[str] | None = None) -> int:
    """Run the job; the exit status as the README lists them."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    _silence_beam()  # from its import on
    from beam_pipeline.output import row_log
    from beam_pipeline.engines import local
    from beam_pipeline.config import Config
    from beam_pipeline.options import KineticsOptions, parse_command_line
    from beam_pipeline.output.output_folder import SUMMARY
    from beam_pipeline.progress.counts import LOCAL, Counts
    from beam_pipeline.output.leases import abandon, resign

    try:
        options = parse_command_line(sys.argv[1:] if argv is None else argv)
        config = Config.from_options(options.view_as(KineticsOptions))
        if runners.is_dataflow(options):
            from beam_pipeline.engines import dataflow

            config = dataflow.prepare(options, config)
            dataflow.check_buckets(options)  # before Beam does, which takes minutes to give up
        job = runners.empty_pipeline(options)
    except (UsageError, OutputError) as error:
        print(f"beam_pipeline: {error}", file=sys.stderr)
        return BAD_USAGE if isinstance(error, UsageError) else RUN_FAILED
    local = runners.is_local(options)
    counts = LOCAL if local else Counts()
    try:
        earlier = None if config.overwrite else config.output.read_json(SUMMARY)
        summary = run(job, config, counts)
    except Exception as error:
        message = message_of(error)
        if message is None and not local:
            message = runners.refusal(options, error)
        if message is None:
            raise
        print(f"beam_pipeline: {message}", file=sys.stderr)
        row_log.save(SAVING)
        abandon(config.output)
        resign(SAVING)
        _leave_at_once(RUN_FAILED)
    if summary is None:
        print("The template is written; nothing was run.")
        return OK
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who pipes this into ``head`` has seen enough
    if summary == earlier and not counts.made:
        print("Everything was there already: nothing was written. This is what made it:")
    return report(summary, config)


def run(job: "beam.Pipeline", config: "Config", counts: "Counts") -> dict[str, Any] | None:
    """Run the pipeline to its end; the summary, or None where another machine will run it.

    Raises:
        RunError: the run could not do its work.
    """
    from beam_pipeline.progress import metrics
    from beam_pipeline.engines import local
    from beam_pipeline import pipeline
    from beam_pipeline.output.output_folder import SUMMARY
    from beam_pipeline.progress.live_line import LiveLine
    from beam_pipeline.output.leases import abandon

    pipeline.build(job, config)
    if runners.is_local(job.options):
        # Elements by the million are no garbage: by default an eighth of the join is looking.
        gc.set_threshold(100_000, 50, 50)
        with LiveLine():
            job.run().wait_until_finish()
        return config.output.read_json(SUMMARY)
    # A service's own messages are wanted.
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    result = job.run()
    if not getattr(result, "has_job", True):
        return None  # a template was written, nothing was run
    if runners.is_dataflow(job.options):
        from beam_pipeline.engines import dataflow

        print(f"beam_pipeline: {dataflow.greeting(job.options, result.job_id())}", file=sys.stderr)
        _say_when_stopped(dataflow.farewell(job.options, result.job_id()))
    try:
        with LiveLine(counts, lambda: metrics.look(result.metrics(), counts)):
            result.wait_until_finish()
    except Exception:
        if runners.is_over(result):
            abandon(config.output, elsewhere=True)
        raise
    return config.output.read_json(SUMMARY)


def report(summary: dict[str, Any], config: "Config") -> int:
    """Show what a run has come to; its exit status."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = [key for key, count in summary["total"].items() if count or key in SHOWN]
    table = Table("split", box=SIMPLE)
    for column in columns:
        table.add_column(column, justify="right")
    for split, counts in [*summary["splits"].items(), ("total", summary["total"])]:
        if split == "total":
            table.add_section()
        table.add_row(split, *(f"{counts[column]:,}" for column in columns))
    console.print(table)
    for reason, count in summary["reasons"].items():
        print(f"  {count:,} failed: {reason}")
    if summary["unannotated"]:
        print(f"  {summary['unannotated']:,} files match no annotation")
    if unannotated := summary.get("archives", {}).get("unannotated"):
        print(f"  {unannotated:,} files in archives match no annotation")
    for warning in summary["warnings"]:
        print(f"  note: {warning}")
    lists = ", ".join(f"{split}.csv" for split in config.splits)
    there = [f"Lists ({lists})", "manifest"] if config.annotations else ["Manifest"]
    *first, last = [*there, "clips"] if config.resize else there
    print(f"{', '.join(first)} and {last} are in {config.output.root}")
    if summary["failure_ratio"] > config.max_failure_ratio:
        print(
            f"beam_pipeline: {summary['failure_ratio']:.0%} of the clips that are there failed, "
            f"more than --max_failure_ratio {config.max_failure_ratio:g}; "
            f"{config.output.root}/failed.csv says why",
            file=sys.stderr,
        )
        return RUN_FAILED
    return OK


def _stop(
    number: int,
    _frame: FrameType | None,
    farewell: str = "stopped; the same command goes on from here",
) -> NoReturn:
    """Leave from within the handler: Beam would take a KeyboardInterrupt for a failed clip."""
    signal.signal(number, signal.SIG_IGN)  # once is enough
    # Not by print, which the signal may have interrupted.
    os.write(2, f"\nbeam_pipeline: {farewell}\n".encode())
    for module, leave in (("row_log", "save"), ("runs", "resign")):
        # Unless the signal has come before they were imported, or in the middle of that.
        if last_act := getattr(sys.modules.get(f"beam_pipeline.{module}"), leave, None):
            last_act(SAVING)
    _leave_at_once(STOPPED_BY + number)


def _say_when_stopped(farewell: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, partial(_stop, farewell=farewell))


def _silence_beam() -> None:
    """On one machine all that Beam has to say is for its own developers."""
    warnings.filterwarnings("ignore", module=r"apache_beam\.")
    logging.getLogger().setLevel(logging.CRITICAL)


def _leave_at_once(status: int) -> NoReturn:
    """End the process and its children although threads of Beam's may still be waiting."""
    children.end_all()
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the live line has hidden the cursor
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
