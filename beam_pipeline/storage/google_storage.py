"""Google Cloud Storage: gcsfs, with retries that are counted instead of its own, and limits."""

import errno
from typing import Any

import google.auth
import google.auth.exceptions
from aiohttp import ClientResponse
from gcsfs.core import GCSFileSystem
from gcsfs.credentials import GoogleCredentials
from gcsfs.retry import validate_response
from google.auth.compute_engine import detect_gce_residency_linux

from beam_pipeline.storage import responses
from beam_pipeline.storage.request_retries import TIMEOUT, timed, with_backoff
from beam_pipeline.storage.retries import Changed, Unavailable


class _LimitedResponse(ClientResponse):
    """A response that is not read further than the limits."""

    async def read(self) -> bytes:
        if self._body is None:
            try:
                self._body = await responses.read_whole(self.content, self.content_length)
            except BaseException:
                self.close()
                raise
        return await super().read()


def _has_credentials() -> bool:
    """Whether gcsfs will find credentials. Without any it asks Google's machines for them for 15 s.

    On such a machine it is left to gcsfs: the service that has them may be late.
    """
    is_googles = detect_gce_residency_linux()  # type: ignore[no-untyped-call]
    if is_googles or GoogleCredentials.tokens:
        return True
    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        return False
    return True


class GoogleFileSystem(GCSFileSystem):
    """Buckets, with Google's default credentials unless ``--storage_options`` gives others.

    Based on gcsfs's plain class, not on the one for zonal buckets, which also uses gRPC. Its own
    retries cannot be counted and are replaced.

    Objects are read as they are stored. One whose metadata says ``Content-Encoding: gzip`` is not
    decompressed, neither here nor by Google: its size would be unknown, and ranges impossible.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("token") is None and not _has_credentials():
            kwargs["token"] = "anon"
        session = {"response_class": _LimitedResponse, **(kwargs.pop("session_kwargs", None) or {})}
        super().__init__(*args, **{"requests_timeout": TIMEOUT, **kwargs}, session_kwargs=session)

    _request = with_backoff(GCSFileSystem._request.__wrapped__)

    @with_backoff
    async def _cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        version: str | None = None,
        **_: Any,
    ) -> bytes:
        """The bytes of an object. ``version`` is the generation that it must have.

        Raises:
            Changed: it has another generation.
        """
        begin = start or 0
        if begin == end:
            return b""
        async with await self._respond(path, begin, end, version) as response:
            return await responses.read_part(response.content, response.content_length, begin, end)

    @with_backoff
    async def _get_file(
        self, rpath: str, lpath: str, limit: int = responses.MAX_DOWNLOAD, **_: Any
    ) -> None:
        async with await self._respond(rpath) as response:
            await responses.save(response.content, response.content_length, lpath, limit)

    async def _respond(
        self, path: str, begin: int = 0, end: int | None = None, version: str | None = None
    ) -> ClientResponse:
        """Ask for a part of an object."""
        await self._set_session()
        # gzip means: as it is stored.
        headers = {"Accept-Encoding": "gzip"}
        if begin or end is not None:
            headers["Range"] = responses.range_header(begin, end)
        response = await timed(
            self.session.get(
                self.url(path, generation=version),
                params=self._get_params({}),
                headers=self._get_headers(headers),
                timeout=self.requests_timeout,
                auto_decompress=False,
            )
        )
        try:
            await self._check(response, path, begin, end, version)
        except BaseException:
            response.close()
            raise
        return response

    async def _check(
        self, response: ClientResponse, path: str, begin: int, end: int | None, version: str | None
    ) -> None:
        if response.status >= 400:
            try:
                validate_response(response.status, await response.read(), path)
            except FileNotFoundError:
                if version is not None:
                    raise Changed() from None
                raise
        generation = response.headers.get("x-goog-generation")
        if version is not None and generation is not None and generation != version:
            raise Changed()
        if response.status == 206:
            responses.check_range(response.headers.get("Content-Range"), begin, end)
        elif response.status != 200:
            raise Unavailable(errno.EIO, f"the answer {response.status} is no file")
        elif begin:
            raise Unavailable(errno.EIO, "the server cannot send a part of the file")
