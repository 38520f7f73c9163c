"""Requests over the web that are tried again where they are made, and counted there."""

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

from beam_pipeline.storage.retries import RETRY_COUNT, Unavailable

DEADLINE, FIRST_DEADLINE = 40, 12
"""Seconds that one request is tried again: a run that cannot write has to end within a minute.
The latter until there was any answer, for then it is more likely that the address is wrong."""

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
"""Seconds of silence after which a request is tried again; one that is only slow goes on."""

LOG_IN = "type gcloud auth application-default login, or give a token in --storage_options"

T = TypeVar("T")

_answered = threading.Event()


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in (408, 429) or error.status >= 500
    return is_retriable(error) or isinstance(error, TimeoutError)


def with_backoff(request: Callable[..., Awaitable[T]]) -> Callable[..., Awaitable[T]]:
    """Try again what may pass (429, 5xx, a connection that breaks), with back-off and jitter.

    Raises:
        FileNotFoundError, PermissionError: there is none, or it may not be touched.
        Unavailable: anything else, in the end.
    """

    @wraps(request)
    async def retried(*args: Any, **kwargs: Any) -> T:
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            stop=tenacity.stop_after_delay(DEADLINE if _answered.is_set() else FIRST_DEADLINE),
            before_sleep=RETRY_COUNT.add,
            reraise=True,
        )
        try:
            answer: T = await attempts(request, *args, **kwargs)
            _answered.set()
            return answer
        except FileNotFoundError as error:
            _answered.set()
            message = "there is no such object"
            raise FileNotFoundError(errno.ENOENT, message, str(error)) from error
        except OSError as error:
            if error.errno is None and str(error).startswith("Forbidden"):
                raise _forbidden(str(error)) from error
            if isinstance(error, aiohttp.ClientError | requests.RequestException):
                raise _unavailable(error) from error
            raise
        except (HttpError, aiohttp.ClientResponseError) as error:
            code = error.code if isinstance(error, HttpError) else error.status
            if code == 401:
                raise _forbidden(f"{error.message}; {LOG_IN}") from error
            if code == 403:
                raise _forbidden(str(error.message)) from error
            if code == 416:
                raise OSError(errno.ERANGE, os.strerror(errno.ERANGE)) from error
            raise _unavailable(error) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise _forbidden(f"{error}; {LOG_IN}") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unavailable(error) from error

    return retried


def _forbidden(message: str) -> PermissionError:
    return PermissionError(
        errno.EACCES, f"{os.strerror(errno.EACCES)}: {' '.join(message.split())}"
    )


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(errno.EIO, " ".join(str(error).split()) or type(error).__name__)
