"""The log of a run: a file, or the terminal with ``--verbose``."""

import logging
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from beam_pipeline.errors import UsageError
from beam_pipeline.privacy import one_line
from beam_pipeline.progress import events
from beam_pipeline.progress.reporting import Reporting

LOGGER = logging.getLogger(events.LOGGER)

_BEGINS_LOG = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")


class _Line(logging.Formatter):
    """Time in UTC, severity and message in one line, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return f"{at} {record.levelname.lower():7} {one_line(record.getMessage())}"


class _File(logging.FileHandler):
    """A log file. If it cannot be written any more, the run goes on, and says so once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        LOGGER.removeHandler(self)
        message = one_line(f"cannot write --log_file {self.baseFilename}: {error}; the run goes on")
        print(f"beam_pipeline: {message}", file=sys.stderr)


class _Terminal(logging.Handler):
    """stderr as it is now: while a bar is drawn, rich puts lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            print(self.format(record), file=sys.stderr)


@contextmanager
def run_log(reporting: Reporting) -> Iterator[None]:
    """Inside, what happens in the run is appended to a local file and shown, as asked for.

    Raises:
        UsageError: the file cannot be written, or is no log.
    """
    handlers: list[logging.Handler] = [_Terminal()] if reporting.verbose else []
    if reporting.log_file is not None:
        handlers.append(_open(reporting.log_file))
    level = logging.INFO if handlers else logging.CRITICAL
    handlers.append(logging.NullHandler())  # without any, Python would print errors
    events.forget()
    before = LOGGER.level, LOGGER.propagate
    for handler in handlers:
        handler.setFormatter(_Line())
        LOGGER.addHandler(handler)
    LOGGER.setLevel(level)
    LOGGER.propagate = False  # Beam's own messages go another way
    try:
        yield
    finally:
        LOGGER.setLevel(before[0])
        LOGGER.propagate = before[1]
        for handler in handlers:
            LOGGER.removeHandler(handler)
            logging.getLogger().removeHandler(handler)
            with suppress(OSError):  # the disk is full, which was told
                handler.close()


def log_service() -> None:
    """Put into the log file what Beam and the service of a remote run say, too."""
    for handler in LOGGER.handlers:
        if isinstance(handler, _File):
            logging.getLogger().addHandler(handler)


def log_end(status: int, message: str | None = None) -> None:
    """Tell how the run has ended."""
    level = logging.ERROR if status else logging.INFO
    LOGGER.log(level, "%s", end_text(status, message))


def end_text(status: int, message: str | None) -> str:
    """How a run has ended, for the log."""
    return f"ended with status {status}" + (f": {message}" if message else "")


def log_signal(seconds: float, status: int, message: str) -> None:
    """Tell the file of a signal, within ``seconds``; the terminal may be paused."""
    record = LOGGER.makeRecord(
        LOGGER.name, logging.ERROR, "", 0, end_text(status, message), (), None
    )
    files = [handler for handler in LOGGER.handlers if isinstance(handler, _File)]
    if files:
        thread = threading.Thread(target=lambda: [file.handle(record) for file in files])
        thread.daemon = True
        thread.start()
        thread.join(seconds)


def _open(path: str) -> logging.Handler:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _check_is_log(path)
        return _File(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"--log_file {path} cannot be written: {error.strerror}; type another path"
        ) from error


def _check_is_log(path: str) -> None:
    """Raise UsageError if a file is there that is no log: it would be spoilt."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return  # such as /dev/stderr; a folder cannot be opened
        with open(path, "rb") as file:
            start = file.read(64)
        if start and not _BEGINS_LOG.match(start):
            raise UsageError(f"--log_file {path} is there, and is no log; type another path")
