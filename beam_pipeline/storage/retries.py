"""Retries of storage calls, with a count of them."""

import errno
import functools
import logging
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity

from beam_pipeline.privacy import one_line

P = ParamSpec("P")
T = TypeVar("T")

# Errors that a retry cannot fix.
_PERMANENT = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS,
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL,
}  # fmt: skip


class Unavailable(OSError):
    """The storage fails, and retries did not help or cannot help."""


class Changed(Unavailable):
    """A file was replaced by another while it was read."""

    def __init__(self) -> None:
        super().__init__(errno.EIO, "the file changed while it was read")


class TooLarge(OSError):
    """A file has more bytes than are read from a server."""


class _Count:
    """The number of retries in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1

    def read_and_reset(self) -> int:
        """The number of retries since the last call."""
        with self._lock:
            count, self._count = self._count, 0
            return count


RETRY_COUNT = _Count()

_logger = logging.getLogger(__name__)


def note_retry(call: tenacity.RetryCallState) -> None:
    """Count a retry that is about to come, and tell Python's logging why."""
    RETRY_COUNT.add()
    error = call.outcome and call.outcome.exception()
    what = " ".join(argument for argument in call.args if isinstance(argument, str))
    _logger.info("%s", one_line(f"retry {call.attempt_number}: {what}: {error!r}"))


def _is_transient(error: BaseException) -> bool:
    return (
        isinstance(error, OSError)
        and not isinstance(error, FileNotFoundError | PermissionError | Unavailable)
        and error.errno not in _PERMANENT
    )


_retry = tenacity.retry(
    retry=tenacity.retry_if_exception(_is_transient),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
    stop=tenacity.stop_after_attempt(5),
    before_sleep=note_retry,
    reraise=True,
)
"""Retries a storage call with backoff while its error is transient."""


def with_retries(call: Callable[P, T]) -> Callable[P, T]:
    """Retry a storage call on transient errors. The only exception it raises is OSError.

    Every protocol's package has its own exceptions, also for wrong options: they become
    ``Unavailable``.
    """
    call_again = _retry(call)

    @functools.wraps(call)
    def retried(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call_again(*args, **kwargs)
        except OSError:
            raise
        except Exception as error:
            raise Unavailable(errno.EIO, type_and_message(error)) from error

    return retried


_HINTS = {
    "NoCredentialsError": "type aws configure, or for a public bucket --storage_options "
    """'{"s3": {"anon": true}}'""",
}
"""What to do about errors of a protocol's package, by their names: it may not be installed."""


def why_unread(error: OSError) -> str:
    """Why an address that a person has typed cannot be read, and what to do about it."""
    reason = error.strerror or str(error)
    if not isinstance(error, Unavailable) or "; " in reason:  # which says what to do
        return reason
    return f"{reason}; check that the address is right and the network works"


def type_and_message(error: Exception) -> str:
    """Type and message of an error, in one line, and what to do where that is known."""
    name = type(error).__name__
    hint = f"; {_HINTS[name]}" if name in _HINTS else ""
    return " ".join(f"{name}: {error}{hint}".split())
