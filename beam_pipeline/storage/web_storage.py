"""Addresses on the web: fsspec's files over HTTP, with retries."""

import io
from typing import Any

from aiohttp import ClientResponse
from fsspec.asyn import sync
from fsspec.implementations.http import HTTPFileSystem

from beam_pipeline.storage.web_retries import TIMEOUT, with_backoff

CHUNK = 256 * 1024
"""Bytes that are waited for at once."""


class Web(HTTPFileSystem):
    """Files by their addresses, to be read alone; there are no folders."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The environment says, as it does to curl, what proxy there is.
        client = {"timeout": TIMEOUT, "trust_env": True, **kwargs.pop("client_kwargs", {})}
        super().__init__(*args, client_kwargs=client, **kwargs)

    _cat_file = with_backoff(HTTPFileSystem._cat_file)
    _get_file = with_backoff(HTTPFileSystem._get_file)


class WebStream(io.RawIOBase):
    """An address read once, from front to back, by one answer that flows.

    Where a connection breaks or falls silent it is asked again for the rest. A server that knows
    no ranges sends all of it again, and what is known is passed over.
    """

    def __init__(self, web: Web, url: str) -> None:
        super().__init__()
        self._web = web
        self._url = url
        self._answer: ClientResponse | None = None
        self._position = 0
        self._length: int | None = None
        self._version: str | None = None
        self._known = 0  # bytes still to be passed over
        self._held = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        most = min(len(buffer), CHUNK)
        while not self._held and self._position != self._length:
            if not sync(self._web.loop, self._receive, most):
                break
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        del self._held[:count]
        return count

    @with_backoff
    async def _receive(self, most: int) -> bool:
        """Receive some bytes; False at the end. Asks first where there is no connection."""
        try:
            if self._answer is None:
                await self._ask()
            assert self._answer is not None
            while len(self._held) < most:
                data = await self._answer.content.read(most)
                if not data:
                    return False
                passed = min(self._known, len(data))
                self._known -= passed
                self._position += len(data) - passed
                self._held += data[passed:]
                if self._known:
                    return True
            return True
        except BaseException:
            self._hang_up()
            raise

    async def _ask(self) -> None:
        told = dict(self._web.kwargs)
        headers = {**told.pop("headers", {}), "Accept-Encoding": "identity"}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            if self._version and not self._version.startswith("W/"):
                headers["If-Range"] = self._version
        session = await self._web.set_session()
        answer = await session.get(
            self._web.encode_url(self._url), headers=headers, auto_decompress=False, **told
        )
        self._answer = answer
        self._web._raise_not_found_for_status(answer, self._url)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if self._position and version != self._version:
            raise ValueError("it has changed while it was read")
        self._known = 0 if answer.status == 206 else self._position
        if not self._position:
            self._version = version
            self._length = answer.content_length

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
        self._answer = None

    def close(self) -> None:
        if self._answer is not None:
            self._web.loop.call_soon_threadsafe(self._answer.close)
        super().close()
