"""The command line: parses flags, runs the job, and returns the exit status."""

import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from beam_pipeline.codec import child_processes
from beam_pipeline.errors import DamagedError, RunError, UsageError, message_of
from beam_pipeline.privacy import one_line, redact
from beam_pipeline.quick_start import import_of_beam

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_pipeline.engines.engine import Engine

OK, RUN_FAILED, BAD_USAGE = 0, 1, 2
SUBCOMMANDS = ("verify", "compare", "stats", "fetch")
"""What the first argument may be, in place of a flag: each is a file in ``commands/``."""

JOBS = ("fetch",)
"""Those of them that run a job. One that could not do its work ends with status 1, as a run."""

SIGNAL_STATUS = 128
"""Exit status of a stopped run, plus the signal's number: 130 after Ctrl-C."""

SAVE_SECONDS = 5.0
"""Seconds in which a stopped run may flush its row log to a bucket."""

DRAW_SECONDS = 1.0
"""Seconds in which a write of the live line to the terminal may end; a paused one never does."""

_CLEAR_LINE = "\r\x1b[K"
_SHOW_CURSOR = "\x1b[?25h"  # the live line hides it

INTERRUPTED = "stopped; run the same command again to continue"


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns an exit status that the README lists."""
    _on_signal(lambda: INTERRUPTED)
    sys.excepthook = _print_traceback
    threading.excepthook = lambda error: _print_traceback(*error[:3])
    _silence_beam()  # before Beam is imported
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in SUBCOMMANDS:
        return _run_subcommand(*arguments)
    with import_of_beam(arguments):
        from beam_pipeline.engines.choose import choose_engine
        from beam_pipeline.options import parse_command_line

    try:
        options = parse_command_line(arguments)
        engine = choose_engine(options)
        _on_signal(lambda: engine.interrupt_message)
        return _run(engine, options)
    except (UsageError, RunError) as error:
        _complain(str(error))
        return BAD_USAGE if isinstance(error, UsageError) else RUN_FAILED


def _run_subcommand(name: str, *arguments: str) -> int:
    """Look at an output, or run a job on it; status 2 if nothing can be said about it."""
    _on_signal(lambda: INTERRUPTED if name in JOBS else "stopped")
    with import_of_beam(arguments):
        command = import_module(f"beam_pipeline.commands.{name}")

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for pipes into ``head``
    try:
        return int(command.main(list(arguments)))
    except DamagedError as error:
        _complain(f"{error.what}; the command that made this output writes it anew")
        return BAD_USAGE
    except (UsageError, RunError) as error:
        _complain(str(error))
        if name in JOBS and isinstance(error, RunError):
            _exit_now(RUN_FAILED)  # threads of Beam may still wait
        return BAD_USAGE


def _run(engine: "Engine", options: "PipelineOptions") -> int:
    from beam_pipeline.config import Config
    from beam_pipeline.options import KineticsOptions
    from beam_pipeline.output.output_folder import SUMMARY
    from beam_pipeline.results.closing_table import failure_message, print_part, print_results
    from beam_pipeline.run_job import run

    config = engine.configure(Config.from_options(options.view_as(KineticsOptions)))
    earlier = None if config.overwrite else config.output.read_json_if_whole(SUMMARY)
    try:
        has_run = run(engine, config)
    except UsageError:
        raise
    except Exception as error:
        message = message_of(error) or engine.explain(error)
        if message is None:
            raise
        _complain(message)
        _exit_now(RUN_FAILED)
    if not has_run:
        print("The template is written; nothing was run.")
        return OK
    if config.shard is not None:
        print_part(config, engine.counts)
        return OK
    summary = config.output.read_json(SUMMARY)
    assert summary is not None  # the run wrote it last
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for pipes into ``head``
    if summary == earlier and not engine.counts.succeeded:
        print("The output is already complete: nothing was written. Results of the earlier run:")
    print_results(summary, config, engine.counts)
    if message := failure_message(summary, config):
        _complain(message)
        return RUN_FAILED
    return OK


def _complain(message: str) -> None:
    print(f"beam_pipeline: {one_line(message)}", file=sys.stderr)


def _print_traceback(kind: type[BaseException], *error: Any) -> None:
    """Print the traceback of an error of this program, without the secrets in its messages."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        print(redact("".join(traceback.format_exception(kind, *error))), file=sys.stderr)


def _on_signal(message: Callable[[], str]) -> None:
    """Stop with this message on SIGTERM, and on Ctrl-C unless it was ignored at startup."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, partial(_stop, message))
    signal.signal(signal.SIGTERM, partial(_stop, message))


def _stop(message: Callable[[], str], number: int, _frame: FrameType | None) -> NoReturn:
    """Exit inside the handler: Beam would treat a KeyboardInterrupt as a failed element."""
    for each in (signal.SIGINT, signal.SIGTERM):  # handle one signal, once
        # Not SIG_IGN: Python prints an error for a signal that has come but was not handled yet.
        signal.signal(each, _ignore)
    _call("progress.live_line", "stop_drawing", DRAW_SECONDS)
    # On a terminal, in place of the live line and of the ^C that the terminal shows behind it.
    start = _CLEAR_LINE if os.isatty(2) else "\n"
    _write_error(f"{start}beam_pipeline: {message()}\n")
    _call("output.row_log", "flush_all", SAVE_SECONDS)
    _call("output.leases", "release_all", SAVE_SECONDS)
    _exit_now(SIGNAL_STATUS + number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal that comes while another ends the program."""


def _call(module: str, function: str, seconds: float) -> None:
    """Call a function of a module, unless the signal came before or during the module's import."""
    if call := getattr(sys.modules.get(f"beam_pipeline.{module}"), function, None):
        call(seconds)


def _write_error(text: str) -> None:
    """Not print, which is not reentrant: the signal may have interrupted one."""
    with suppress(OSError):  # the terminal is gone
        os.write(2, text.encode())


def _silence_beam() -> None:
    """Hide Beam's warnings and logs: on one machine they are for its developers only."""
    warnings.filterwarnings("ignore", module=r"apache_beam\.")
    logging.getLogger().setLevel(logging.CRITICAL)


def _exit_now(status: int) -> NoReturn:
    """End the process and its children, even if threads of Beam are still waiting."""
    child_processes.kill_all()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, RuntimeError):  # the reader is gone; the signal interrupted a write
            stream.flush()
    if os.isatty(2):
        _write_error(_CLEAR_LINE + _SHOW_CURSOR)  # without the ^C of a key pressed once more
    os._exit(status)
