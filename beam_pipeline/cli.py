"""The command line: parses flags, runs the job, and returns the exit status."""

import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from beam_pipeline.codec import child_processes
from beam_pipeline.errors import DamagedError, RunError, UsageError, message_of, without_a_run
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.privacy import one_line, redact
from beam_pipeline.quick_start import import_of_beam

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from beam_pipeline.config import Config
    from beam_pipeline.engines.engine import Engine
    from beam_pipeline.progress.counts import Counts

Summary = dict[str, Any]

OK, RUN_FAILED, BAD_USAGE = 0, 1, 2
EXAMPLE = (
    "python -m beam_pipeline --annotations k400/annotations --videos k400/videos --output k400-256"
)
SUBCOMMANDS = {
    "plan": "plan.plan",
    "report": "report",
    "verify": "verify.verify",
    "compare": "compare",
    "stats": "stats",
    "overlap": "overlap",
    "fetch": "fetch",
}
"""What the first argument may be, in place of a flag, and the module in ``commands/``."""

JOBS = ("plan", "fetch")
"""Those of them that run steps of the job. One that could not do its work ends with status 1, as a
run."""

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
    if message := _not_begun(arguments):
        _complain(message)
        return BAD_USAGE
    with import_of_beam(arguments):
        from beam_pipeline.engines.choose import choose_engine
        from beam_pipeline.options import parse_command_line

    try:
        options = parse_command_line(arguments)
        engine = choose_engine(options)
        return _run(_job_of(engine, options))
    except (UsageError, RunError) as error:
        _complain(str(error))
        return BAD_USAGE if isinstance(error, UsageError) else RUN_FAILED


def _not_begun(arguments: list[str]) -> str | None:
    """What to type instead of a command line that does not begin with a flag; None if it does."""
    if not arguments:
        return f"type what to prepare, such as {EXAMPLE}; --help lists the flags"
    first = arguments[0]
    if first.startswith("-") or not first.isprintable():
        return None
    if first in ("help", "version"):
        return f"unknown argument {first}; type --{first}"
    if os.path.exists(first):
        return f"{first} stands without a flag; type --videos {first} --output FOLDER"
    if near := meant(first, SUBCOMMANDS):
        return f"unknown argument {first}; did you mean {near}?"
    return f"unknown argument {first}; type flags, or one of {', '.join(SUBCOMMANDS)}"


def _run_subcommand(name: str, *arguments: str) -> int:
    """Plan a run, look at an output, or fetch for it; status 2 if nothing can be said about it."""
    if name != "fetch":
        _on_signal(lambda: "stopped")
    with import_of_beam(arguments):
        command = import_module(f"beam_pipeline.commands.{SUBCOMMANDS[name]}")

    try:
        if name == "fetch":
            status = _run(_job_to_fetch(arguments))
        else:
            status = int(command.main(list(arguments)))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # As of ``head``. Not by the signal, which a codec's process that dies would cause as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SIGNAL_STATUS + signal.SIGPIPE
    except UsageError as error:
        _complain(str(error))
        return BAD_USAGE
    except RunError as error:
        if isinstance(error, DamagedError):
            _complain(f"{error.what}; the command that made this output writes it anew")
        else:
            _complain(str(error) if name == "plan" else without_a_run(str(error)))
        if name in JOBS:
            _exit_now(RUN_FAILED)  # threads of Beam may still wait
        return BAD_USAGE


class _Job(NamedTuple):
    """A run, or what ``fetch`` does in another way.

    ``command`` is what the log begins with. ``build`` adds the steps. ``told`` makes of a summary
    what is told of it; ``show`` prints that, unless the job ``is_silent``. It also gets the summary
    that was there before. ``reword`` changes the message of an error. The log names clips that
    only the results tell of ``with_clips``.
    """

    engine: "Engine"
    config: "Config"
    command: str
    build: "Callable[[beam.Pipeline, Config], None]"
    is_silent: bool
    show: "Callable[[Summary | None, Summary | None, Config, Counts], None]"
    told: "Callable[[Summary, Counts], Summary]" = lambda summary, _counts: summary
    reword: Callable[[str], str] = str
    with_clips: bool = True


def _job_of(engine: "Engine", options: "PipelineOptions") -> _Job:
    """A run with the flags of the command line."""
    from beam_pipeline import pipeline
    from beam_pipeline.config import Config
    from beam_pipeline.options import KineticsOptions

    config = Config.from_options(options.view_as(KineticsOptions))
    quiet = config.reporting.quiet
    return _Job(engine, config, config.command, pipeline.build, quiet, _print_results)


def _job_to_fetch(arguments: Sequence[str]) -> _Job:
    """Fetching for an output."""
    from beam_pipeline import pipeline
    from beam_pipeline.commands.fetch import of_this_fetch, parse

    fetching = parse(arguments)
    config = fetching.config
    return _Job(
        fetching.engine,
        config,
        fetching.command,
        pipeline.build_fetch,
        config.reporting.quiet and not fetching.as_json,
        fetching.show,
        of_this_fetch,
        without_a_run,
        with_clips=False,
    )


def _run(job: _Job) -> int:
    from beam_pipeline.progress.run_log import log_end, run_log
    from beam_pipeline.run_job import log_start

    engine, config = job.engine, job.config
    with run_log(config.reporting):
        say = _say_in_json(engine) if config.reporting.progress == "json" else _say_plainly
        _on_signal(lambda: engine.interrupt_message, say)
        log_start(job.command, engine)
        ended = _run_to_its_end(job)
        log_end(ended.status, ended.message)
        if ended.show is not None and not job.is_silent:
            ended.show()
        if line := say(ended.status, ended.message):
            print(line, file=sys.stderr)
    if ended.may_hang:
        _exit_now(ended.status)
    return ended.status


class _Ended(NamedTuple):
    """How a run has ended, and what shows its results.

    It ``may_hang`` after an error: threads of Beam may still wait for something.
    """

    status: int
    message: str | None = None
    may_hang: bool = False
    show: Callable[[], None] | None = None


def _run_to_its_end(job: _Job) -> _Ended:
    from beam_pipeline.output.output_folder import SUMMARY
    from beam_pipeline.progress.run_log import log_end
    from beam_pipeline.results.closing_table import failure_message
    from beam_pipeline.results.log_results import log_results
    from beam_pipeline.run_job import run, summary_of

    engine = job.engine
    try:
        config = engine.configure(job.config)
        earlier = None if config.overwrite else config.output.read_json_if_whole(SUMMARY)
    except (UsageError, RunError) as error:
        status = BAD_USAGE if isinstance(error, UsageError) else RUN_FAILED
        return _Ended(status, job.reword(str(error)))
    try:
        has_run = run(engine, config, job.build)
    except UsageError as error:
        return _Ended(BAD_USAGE, str(error))
    except Exception as error:
        message = message_of(error) or engine.explain(error)
        if message is None:
            log_end(RUN_FAILED, repr(error))
            raise
        return _Ended(RUN_FAILED, job.reword(message), may_hang=True)
    if not has_run:
        return _Ended(OK, show=lambda: print("The template is written; nothing was run."))
    summary, message = summary_of(config), None
    if summary is not None:
        summary = job.told(summary, engine.counts)
        message = failure_message(summary, config)
    log_results(summary, config, engine.counts, job.with_clips)
    show = partial(job.show, summary, earlier, config, engine.counts)
    return _Ended(RUN_FAILED if message else OK, message, show=show)


def _print_results(
    summary: Summary | None,
    earlier: Summary | None,
    config: "Config",
    counts: "Counts",
) -> None:
    from beam_pipeline.results.closing_table import print_part, print_results

    if summary is None:
        print_part(config, counts)
        return
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # for pipes into ``head``
    if summary == earlier and not counts.succeeded and not counts.unavailable:
        print("The output is already complete: nothing was written. Results of the earlier run:")
    print_results(summary, config, counts)


Say = Callable[[int, str | None], str | None]
"""Makes what stands on stderr when a run has ended, of its status and message; None for nothing."""


def _say_plainly(_status: int, message: str | None) -> str | None:
    return message and f"beam_pipeline: {one_line(message)}"


def _say_in_json(engine: "Engine") -> Say:
    from beam_pipeline.progress.state import ended_state, json_of

    def say(status: int, message: str | None) -> str:
        ended = ended_state(engine.counts, status)
        return json_of(ended, status=status, message=message and one_line(message))

    return say


def _complain(message: str) -> None:
    print(f"beam_pipeline: {one_line(message)}", file=sys.stderr)


def _print_traceback(kind: type[BaseException], *error: Any) -> None:
    """Print the traceback of an error of this program, without the secrets in its messages."""
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        print(redact("".join(traceback.format_exception(kind, *error))), file=sys.stderr)


def _on_signal(message: Callable[[], str], say: Say = _say_plainly) -> None:
    """Stop with this message on SIGTERM, and on Ctrl-C unless it was ignored at startup."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, partial(_stop, message, say))
    signal.signal(signal.SIGTERM, partial(_stop, message, say))


def _stop(message: Callable[[], str], say: Say, number: int, _frame: FrameType | None) -> NoReturn:
    """Exit inside the handler: Beam would treat a KeyboardInterrupt as a failed element."""
    for each in (signal.SIGINT, signal.SIGTERM):  # handle one signal, once
        # Not SIG_IGN: Python prints an error for a signal that has come but was not handled yet.
        signal.signal(each, _ignore)
    status, why = SIGNAL_STATUS + number, message()
    _call("progress.live_line", "stop_drawing", DRAW_SECONDS)
    # On a terminal, in place of the live line and of the ^C that the terminal shows behind it.
    start = _CLEAR_LINE if os.isatty(2) else "\n" if say is _say_plainly else ""
    _write_error(f"{start}{say(status, why)}\n")
    _call("progress.run_log", "log_signal", DRAW_SECONDS, status, why)
    _call("output.row_log", "flush_all", SAVE_SECONDS)
    _call("output.leases", "release_all", SAVE_SECONDS)
    _call("output.temporary_files", "remove_open_folders", DRAW_SECONDS)
    _exit_now(status)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal that comes while another ends the program."""


def _call(module: str, function: str, *arguments: Any) -> None:
    """Call a function of a module, unless the signal came before or during the module's import."""
    if call := getattr(sys.modules.get(f"beam_pipeline.{module}"), function, None):
        call(*arguments)


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
