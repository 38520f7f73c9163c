"""``plan``: what a run would do, how long it takes and how much it reads and writes.

Nothing is written: the first steps of the job run here, and a sample of the clips is made and
thrown away.
"""

import argparse
import logging
import time
from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import __version__
from beam_pipeline.commands.arguments import DIFFERS, WHOLE, print_json
from beam_pipeline.commands.plan.estimate import Estimate, Reading, Sample, estimate
from beam_pipeline.commands.plan.forecast import Forecast, on_dataflow, room_for
from beam_pipeline.commands.plan.outcome import Outcome, is_open, outcome_of
from beam_pipeline.commands.plan.planned_clips import PlannedClips, plan_clips
from beam_pipeline.commands.plan.shards import Shards, packing_of, with_shards
from beam_pipeline.commands.plan.text import as_json, show
from beam_pipeline.commands.plan.try_sample import Tried, try_sample
from beam_pipeline.config import Config
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.errors import RunError, UsageError, message_of
from beam_pipeline.flags.parser import Parser
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.progress.run_log import log_end, run_log
from beam_pipeline.run_job import log_failure
from beam_pipeline.work.try_clips import EARLY_BYTES
from beam_pipeline.work.worker_pool import usable_cores

_logger = logging.getLogger(__name__)

SAMPLE = 100
"""Sources that are made by default: in half a minute on two cores, and for most data within the
error that ``estimate`` allows."""


def main(argv: list[str]) -> int:
    """Run ``plan`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        RunError: the run would fail; or it would end with status 1 for what is known now.
    """
    flags, arguments = parse(argv)
    options = parse_command_line(arguments)
    engine = choose_engine(options)
    config = Config.from_options(options.view_as(KineticsOptions))
    if config.reporting.progress == "json":
        raise UsageError(
            "--progress json tells programs how a run goes, and plan starts none; leave it out "
            "(the plan itself is one object with --json)"
        )
    engine.configure(config)  # for what it refuses: the plan is made here
    engine.pipeline()
    with run_log(config.reporting):
        outcome, forecast = _plan_with_log(config, flags.sample, options)
    if flags.json:
        print_json(as_json(config, outcome, forecast))
    else:
        show(config, outcome, forecast)
    if outcome.failure is not None:
        raise RunError(outcome.failure)
    return WHOLE


def _plan_with_log(
    config: Config, count: int, options: PipelineOptions
) -> tuple[Outcome, Forecast | None]:
    """``make_plan``, with its start and end in the log, and errors of the runner as its own."""
    _logger.info("beam_pipeline %s, plan for: %s", __version__, config.command)
    try:
        outcome, forecast = make_plan(config, count, options)
    except UsageError as error:
        log_failure(str(error))
        raise
    except Exception as error:
        message = message_of(error)
        log_failure(message or repr(error))
        if message is None:
            raise
        raise RunError(message) from error
    log_end(WHOLE if outcome.failure is None else DIFFERS, outcome.failure)
    return outcome, forecast


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of ``plan`` alone, and the arguments that are those of a run.

    Raises:
        UsageError: a value is wrong.
        SystemExit: after --help.
    """
    own = Parser(add_help=False, allow_abbrev=False)
    own.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    own.add_argument(
        "--sample",
        type=_count,
        default=SAMPLE,
        metavar="N",
        help="sources that are read and made, the results thrown away, to estimate time and bytes; "
        "0 only counts; of an archive, clips within its first "
        f"{EARLY_BYTES // 1024**2} MiB (default: %(default)s)",
    )
    flags, arguments = own.parse_known_args(argv)
    if {"--help", "-h"} & {*arguments}:
        _help(own).print_help()
        raise SystemExit(0)
    return flags, arguments


def _help(own: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = Parser(
        prog="beam_pipeline plan",
        usage="python -m beam_pipeline plan [--annotations A …] --videos V … --output O [options]",
        description="Say what a run with these flags would do, how long it takes, and how much it "
        "reads and writes. Nothing is written.",
        epilog="The flags of a run are accepted, Apache Beam's too, but not --progress json; "
        "--quiet leaves out the progress alone. With --runner the plan is made here all the same. "
        "The exit status is 0; 1 if the run would end so for what is known now; 2 if the command "
        "line is wrong.",
        parents=[own],
        allow_abbrev=False,
    )
    KineticsOptions._add_argparse_args(parser)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 100000")
    return int(text)


def make_plan(
    config: Config, count: int, options: PipelineOptions
) -> tuple[Outcome, Forecast | None]:
    """Find out what is to be done, and make a sample of it; no forecast without a sample.

    What no estimate has is added to the outcome. ``options`` are the runner's, for the costs of a
    job on Dataflow.

    Raises:
        RunError: what the run would raise.
    """
    imports = time.process_time()  # imports are most of what this process has done so far
    start = time.monotonic()
    planned = plan_clips(config, count)
    steps = time.monotonic() - start
    outcome = outcome_of(planned, config)
    if not count or not config.resize:
        return outcome, None
    start = time.monotonic()
    tried = try_sample(planned, outcome, config, count)
    seconds = time.monotonic() - start
    # What a run does before and after the clips takes as long as the plan: 4.3 s and 4.2 s of
    # processor time for 30,000 clips, 2.3 s and 2.6 s for 200.
    start_seconds = imports + steps + tried.start_seconds
    in_files = planned.loose.population.clips
    outcome.unestimated += tried.remarks(in_files)
    workers = config.workers or usable_cores()
    found, shards = _estimate(planned, outcome, tried, workers, start_seconds)
    if not found.clips and not found.bytes_written.value and is_open(outcome, config):
        outcome.unestimated.append(
            "there is no estimate of time and bytes: no clip could be made as a sample"
        )
        return outcome, None
    return outcome, Forecast(
        found,
        tried.rows,
        seconds,
        start_seconds,
        workers,
        room_for(found.bytes_written if shards is None else shards.room, config.output),
        on_dataflow(found, config.output, options, tried.in_archives.clips > in_files),
        shards,
    )


def _estimate(
    planned: PlannedClips, outcome: Outcome, tried: Tried, workers: int, start_seconds: float
) -> tuple[Estimate, Shards | None]:
    """What the run takes, and the part of its shards; None if it packs none."""
    loose = Sample(planned.loose.population, tried.loose)
    packed = Sample(tried.in_archives, tried.packed)
    reading = Reading(outcome.archives.needed_bytes, tried.bytes_per_second)
    found = estimate(loose, packed, reading, workers, start_seconds)
    packing = packing_of(planned, outcome, found, planned.config)
    return (found, None) if packing is None else with_shards(found, packing)
