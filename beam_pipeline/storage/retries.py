"""Calls to storage that are tried again, and counted."""

import errno
import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity

P = ParamSpec("P")
T = TypeVar("T")

# What another try cannot change.
_PERMANENT = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EROFS,
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL,
}  # fmt: skip


class Unavailable(OSError):
    """Storage that does not answer, after it was asked often enough."""


class _Count:
    """How often this process has asked again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, _: object = None) -> None:
        """One more."""
        with self._lock:
            self._count += 1

    def take(self) -> int:
        """The count since it was taken last."""
        with self._lock:
            count, self._count = self._count, 0
            return count


RETRY_COUNT = _Count()


def _is_transient(error: BaseException) -> bool:
    return (
        isinstance(error, OSError)
        and not isinstance(error, FileNotFoundError | PermissionError | Unavailable)
        and error.errno not in _PERMANENT
    )


_retrying = tenacity.retry(
    retry=tenacity.retry_if_exception(_is_transient),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
    stop=tenacity.stop_after_attempt(5),
    before_sleep=RETRY_COUNT.add,
    reraise=True,
)
"""Tries a storage call again, with back-off, while its error may pass."""


def with_retries(call: Callable[P, T]) -> Callable[P, T]:
    """A storage call that is tried again, and has no error but an OSError.

    Every protocol's package has errors of its own, for options that are wrong too.
    """

    @functools.wraps(call)
    def until_done(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return _retrying(call)(*args, **kwargs)
        except OSError:
            raise
        except Exception as error:
            raise Unavailable(errno.EIO, one_line(error)) from error

    return until_done


def one_line(error: Exception) -> str:
    """An error of any package, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
