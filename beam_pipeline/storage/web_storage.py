"""Web addresses: fsspec's HTTP file system, with retries."""

import io
from typing import Any

from aiohttp import ClientResponse
from fsspec.asyn import sync
from fsspec.implementations.http import HTTPFileSystem

from beam_pipeline.storage.request_retries import TIMEOUT, with_backoff
from beam_pipeline.storage.web_addresses import open_session

CHUNK = 256 * 1024
"""Bytes to read from a response at once."""


class WebFileSystem(HTTPFileSystem):
    """Files at web addresses, read-only and without folders."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Proxies come from the environment, as with curl.
        client_options = {"timeout": TIMEOUT, "trust_env": True, **kwargs.pop("client_kwargs", {})}
        super().__init__(*args, get_client=open_session, client_kwargs=client_options, **kwargs)

    _cat_file = with_backoff(HTTPFileSystem._cat_file)
    _get_file = with_backoff(HTTPFileSystem._get_file)


class WebStream(io.RawIOBase):
    """A web address read once, from front to back, as one response.

    If the connection breaks or stalls, a new request asks for the rest. If the server does not
    support ranges, it sends everything again, and the bytes already read are skipped.
    """

    def __init__(self, file_system: WebFileSystem, url: str) -> None:
        super().__init__()
        self._file_system = file_system
        self._url = url
        self._response: ClientResponse | None = None
        self._position = 0
        self._length: int | None = None
        self._version: str | None = None
        self._bytes_to_skip = 0  # of the current response
        self._buffer = bytearray()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        limit = min(len(buffer), CHUNK)
        while not self._buffer and self._position != self._length:
            if not sync(self._file_system.loop, self._receive, limit):
                break
        count = min(len(buffer), len(self._buffer))
        buffer[:count] = self._buffer[:count]
        del self._buffer[:count]
        return count

    @with_backoff
    async def _receive(self, limit: int) -> bool:
        """Receive some bytes; False at the end. Connects first if there is no connection."""
        try:
            if self._response is None:
                await self._connect()
            assert self._response is not None
            while len(self._buffer) < limit:
                data = await self._response.content.read(limit)
                if not data:
                    return False
                skipped = min(self._bytes_to_skip, len(data))
                self._bytes_to_skip -= skipped
                self._position += len(data) - skipped
                self._buffer += data[skipped:]
                if self._bytes_to_skip:
                    return True
            return True
        except BaseException:
            self._disconnect()
            raise

    async def _connect(self) -> None:
        request_options = dict(self._file_system.kwargs)
        headers = {**request_options.pop("headers", {}), "Accept-Encoding": "identity"}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            if self._version and not self._version.startswith("W/"):
                headers["If-Range"] = self._version
        session = await self._file_system.set_session()
        response = await session.get(
            self._file_system.encode_url(self._url),
            headers=headers,
            auto_decompress=False,
            **request_options,
        )
        self._response = response
        self._file_system._raise_not_found_for_status(response, self._url)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if self._position and version != self._version:
            raise ValueError("the file changed while it was read")
        self._bytes_to_skip = 0 if response.status == 206 else self._position
        if not self._position:
            self._version = version
            self._length = response.content_length

    def _disconnect(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None

    def close(self) -> None:
        if self._response is not None:
            self._file_system.loop.call_soon_threadsafe(self._response.close)
        super().close()
