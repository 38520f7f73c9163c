"""Retries of HTTP requests, counted per request."""

import asyncio
import errno
import os
import threading
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import aiohttp
import google.auth.exceptions
import requests
import tenacity
from gcsfs.retry import HttpError, is_retriable

from beam_pipeline.storage import responses
from beam_pipeline.storage.retries import Unavailable, note_retry

DEADLINE, FIRST_DEADLINE = 40, 5
"""Seconds for which one request is retried: a run that cannot write has to end within a minute.
The second applies until the first response: without one, the address is more likely wrong, or there
is no network, which a person should know within 15 s, also where a busy machine starts slowly."""

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=4, sock_read=30)
"""Seconds without data after which a request is retried. ``responses.Pace`` ends those that are
only slow."""

LOG_IN = "type gcloud auth application-default login, or give a token in --storage_options"

T = TypeVar("T")

_any_response = threading.Event()


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in (408, 429) or error.status >= 500
    return is_retriable(error) or isinstance(error, TimeoutError)


def with_backoff(request: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Retry a request on transient errors (408, 429, 5xx, a broken connection).

    The backoff is exponential, with jitter.

    Raises:
        FileNotFoundError: there is no such object.
        PermissionError: access is denied, or the credentials are missing.
        OSError: the range is outside the object (``errno.ERANGE``).
        Unavailable: any other error, or one that the retries did not fix.
    """

    @wraps(request)
    async def retried(*args: Any, **kwargs: Any) -> T:
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            stop=tenacity.stop_before_delay(DEADLINE if _any_response.is_set() else FIRST_DEADLINE),
            before_sleep=note_retry,
            reraise=True,
        )
        try:
            response: T = await attempts(request, *args, **kwargs)
        except FileNotFoundError as error:
            _any_response.set()
            message = "there is no such object"
            raise FileNotFoundError(errno.ENOENT, message, str(error)) from error
        except _OF_LIBRARIES as error:
            if (meant := _as_os_error(error)) is None:
                raise
            raise meant from error
        _any_response.set()
        return response

    return retried


_OF_LIBRARIES = (
    OSError, HttpError, aiohttp.ClientError, google.auth.exceptions.GoogleAuthError, ValueError,
)  # fmt: skip
"""What the libraries of buckets and of the web raise."""


def _as_os_error(error: Exception) -> OSError | None:
    """What an error of a library means to those who read files; None if it says so itself."""
    if isinstance(error, OSError):
        if error.errno is None and str(error).startswith("Forbidden"):
            return _forbidden(str(error))
        if isinstance(error, aiohttp.ClientError | requests.RequestException | TimeoutError):
            return _unavailable(error)
        return None
    if isinstance(error, HttpError | aiohttp.ClientResponseError):
        code = error.code if isinstance(error, HttpError) else error.status
        if code == 401:
            return _forbidden(f"{error.message}; {LOG_IN}")
        if code == 403:
            return _forbidden(str(error.message))
        if code == 416:
            return OSError(errno.ERANGE, os.strerror(errno.ERANGE))
        return _unavailable(error)
    if isinstance(error, google.auth.exceptions.GoogleAuthError):
        return _forbidden(f"{error}; {LOG_IN}")
    return _unavailable(error)


async def timed(request: Awaitable[T]) -> T:
    """Wait for the head of a response.

    Raises:
        TimeoutError: it does not come in time.
    """
    seconds = responses.PROGRESS_SECONDS
    try:
        async with asyncio.timeout(seconds):
            return await request
    except aiohttp.ServerTimeoutError:  # of a connection, which has less time
        raise
    except TimeoutError:
        raise TimeoutError(f"no answer in {seconds:g} s") from None


def _forbidden(message: str) -> PermissionError:
    return PermissionError(
        errno.EACCES, f"{os.strerror(errno.EACCES)}: {' '.join(message.split())}"
    )


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(errno.EIO, " ".join(str(error).split()) or type(error).__name__)
