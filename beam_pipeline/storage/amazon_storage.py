"""S3 and what speaks its protocol: s3fs, with limits for what servers send."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from s3fs import S3FileSystem

from beam_pipeline.storage import responses
from beam_pipeline.storage.request_retries import timed
from beam_pipeline.storage.retries import Changed, Unavailable, type_and_message

FIRST_ANSWER = 12
"""Seconds for the first answer of all to a request, with the search for credentials."""

_any_answer = threading.Event()


class AmazonFileSystem(S3FileSystem):
    """Buckets of Amazon and others. Objects are read as they are stored, one request each."""

    async def _call_s3(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Send a request. Until the first answer to one, there is little time for it.

        Raises:
            Unavailable: nobody answers; s3fs would try for minutes.
        """
        if _any_answer.is_set():
            return await super()._call_s3(method, *arguments, **options)
        try:
            async with asyncio.timeout(FIRST_ANSWER):
                answer = await super()._call_s3(method, *arguments, **options)
        except TimeoutError:
            raise Unavailable(errno.EIO, f"no answer in {FIRST_ANSWER} s") from None
        except Exception as error:
            if isinstance(error, ClientError) or isinstance(error.__cause__, ClientError):
                _any_answer.set()
            raise
        _any_answer.set()
        return answer

    async def _cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        version: str | None = None,
        **_: Any,
    ) -> bytes:
        """The bytes of an object. ``version`` is the ETag that it must have.

        Raises:
            Changed: it has another ETag.
            OSError: the range is outside the object (``errno.ERANGE``).
        """
        begin = start or 0
        if begin == end:
            return b""
        async with self._object(path, begin, end, version) as answer:
            return await responses.read_part(
                answer["Body"], answer.get("ContentLength"), begin, end
            )

    async def _get_file(
        self, rpath: str, lpath: str, limit: int = responses.MAX_DOWNLOAD, **_: Any
    ) -> None:
        async with self._object(rpath) as answer:
            await responses.save(answer["Body"], answer.get("ContentLength"), lpath, limit)

    @asynccontextmanager
    async def _object(
        self, path: str, begin: int = 0, end: int | None = None, version: str | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer to a request for a part of an object."""
        bucket, key, version_id = self.split_path(path)
        options = {} if version_id is None else {"VersionId": version_id}
        if begin or end is not None:
            options["Range"] = responses.range_header(begin, end)
        if version is not None:
            options["IfMatch"] = version
        try:
            answer = await timed(self._call_s3("get_object", Bucket=bucket, Key=key, **options))
            try:
                if version is not None and answer.get("ETag") not in (None, version):
                    raise Changed()
                if answer.get("ContentRange") is not None or begin:
                    responses.check_range(answer.get("ContentRange"), begin, end)
                yield answer
            finally:
                answer["Body"].close()
        except (aiohttp.ClientError, BotoCoreError) as error:
            raise OSError(errno.EIO, type_and_message(error)) from error
        except TimeoutError as error:  # fsspec would drop the message
            raise OSError(errno.EIO, str(error)) from error
        except OSError as error:
            code = _code(error.__cause__)
            if code in ("PreconditionFailed", "412"):
                raise Changed() from error
            if code in ("InvalidRange", "416"):
                raise OSError(errno.ERANGE, "a range of an empty file") from error
            raise


def _code(error: BaseException | None) -> str | None:
    """Amazon's word for what is wrong."""
    return error.response["Error"].get("Code") if isinstance(error, ClientError) else None
