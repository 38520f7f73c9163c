"""The command line: flags in, exit status out."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from beam_pipeline.codec import children
from beam_pipeline.errors import RunError, UsageError, message_of

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_pipeline.engines.engine import Engine

OK, RUN_FAILED, BAD_USAGE = 0, 1, 2
STOPPED_BY = 128
"""Added to the number of the signal that stopped the run: 130 after Ctrl-C."""

SAVE_SECONDS = 5.0
"""Seconds that a run which is stopped may take to write what it has noted, in a bucket."""

INTERRUPTED = "stopped; the same command goes on from here"


def main(argv: list[str] | None = None) -> int:
    """Run the job; the exit status as the README lists them."""
    _on_signal(lambda: INTERRUPTED)
    _silence_beam()  # from its import on
    from beam_pipeline.engines.choose import choose_engine
    from beam_pipeline.options import parse_command_line

    try:
        options = parse_command_line(sys.argv[1:] if argv is None else argv)
        engine = choose_engine(options)
        _on_signal(lambda: engine.interrupt_message)
        return _run(engine, options)
    except (UsageError, RunError) as error:
        print(f"beam_pipeline: {error}", file=sys.stderr)
        return BAD_USAGE if isinstance(error, UsageError) else RUN_FAILED


def _run(engine: "Engine", options: "PipelineOptions") -> int:
    from beam_pipeline.config import Config
    from beam_pipeline.options import KineticsOptions
    from beam_pipeline.output.output_folder import SUMMARY
    from beam_pipeline.results.closing_table import print_results, too_many_failed
    from beam_pipeline.run_job import run

    config = engine.configure(Config.from_options(options.view_as(KineticsOptions)))
    earlier = None if config.overwrite else config.output.read_json(SUMMARY)
    try:
        summary = run(engine, config)
    except UsageError:
        raise
    except Exception as error:
        message = message_of(error) or engine.explain(error)
        if message is None:
            raise
        print(f"beam_pipeline: {message}", file=sys.stderr)
        _leave_at_once(RUN_FAILED)
    if summary is None:
        print("The template is written; nothing was run.")
        return OK
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who pipes this into ``head`` has seen enough
    if summary == earlier and not engine.counts.made:
        print("Everything was there already: nothing was written. This is what made it:")
    print_results(summary, config)
    if complaint := too_many_failed(summary, config):
        print(f"beam_pipeline: {complaint}", file=sys.stderr)
        return RUN_FAILED
    return OK


def _on_signal(message: Callable[[], str]) -> None:
    """Stop with this message on SIGTERM, and on Ctrl-C unless it was ignored from the start."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, partial(_stop, message))
    signal.signal(signal.SIGTERM, partial(_stop, message))


def _stop(message: Callable[[], str], number: int, _frame: FrameType | None) -> NoReturn:
    """Leave from within the handler: Beam would take a KeyboardInterrupt for a failed clip."""
    signal.signal(number, signal.SIG_IGN)  # once is enough
    # Not by print, which the signal may have interrupted.
    os.write(2, f"\nbeam_pipeline: {message()}\n".encode())
    for module, name in (("row_log", "flush_all"), ("leases", "release_all")):
        # Unless the signal has come before they were imported, or in the middle of that.
        if last_act := getattr(sys.modules.get(f"beam_pipeline.output.{module}"), name, None):
            last_act(SAVE_SECONDS)
    _leave_at_once(STOPPED_BY + number)


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
