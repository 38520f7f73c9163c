"""Web addresses: fsspec's HTTP file system, with retries, and with limits for what servers send."""

import base64
import errno
import io
from typing import Any

from aiohttp import ClientResponse
from fsspec.asyn import sync
from fsspec.implementations.http import HTTPFileSystem
from yarl import URL

from beam_pipeline.storage import responses, urls
from beam_pipeline.storage.request_retries import TIMEOUT, timed, with_backoff
from beam_pipeline.storage.responses import CHUNK, Pace, check_range, parse_range
from beam_pipeline.storage.retries import Changed, Unavailable
from beam_pipeline.storage.web_sessions import open_session

MAX_REDIRECTS = 10

_REDIRECTS = (301, 302, 303, 307, 308)

_EMPTY = "bytes */0"

_FOR_EVERY_HOST = ("proxy", "proxy_auth", "proxy_headers", "ssl", "timeout")
"""Options of a request that go along when another host is asked."""


class WebFileSystem(HTTPFileSystem):
    """Files at web addresses, read-only and without folders.

    Content is never decompressed: a file is what the server stores.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Proxies come from the environment, as with curl.
        client_options = {"timeout": TIMEOUT, "trust_env": True, **kwargs.pop("client_kwargs", {})}
        # A session would send them to every host.
        for name in ("headers", "cookies", "auth"):
            if name in client_options:
                kwargs.setdefault(name, client_options.pop(name))
        super().__init__(*args, get_client=open_session, client_kwargs=client_options, **kwargs)

    @with_backoff
    async def _cat_file(
        self, url: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        begin = start or 0
        if begin == end:
            return b""
        asked = bool(begin) or end is not None
        headers = {"Range": responses.range_header(begin, end)} if asked else {}
        response = await self.respond(url, headers)
        try:
            if response.status == 206:
                check_range(response.headers.get("Content-Range"), begin, end)
            elif begin:
                raise Unavailable(errno.EIO, "the server cannot send a part of the file")
            return await responses.read_part(response.content, response.content_length, begin, end)
        finally:
            response.close()

    async def respond(self, url: str, headers: dict[str, str]) -> ClientResponse:
        """Ask for a file; redirects are followed.

        The headers, cookies and credentials of ``--storage_options`` and those in the address go
        to the address's own host alone.

        Raises:
            FileNotFoundError: there is no such file.
            aiohttp.ClientResponseError: the answer is no file.
            TimeoutError: the server does not answer in time.
        """
        asked = without_user(self.encode_url(url))
        options = self._own_options(self.encode_url(url))
        own = options.pop("headers", {})
        ours = {**headers, "Accept-Encoding": "identity"}
        session = await self.set_session()
        target = asked
        for _ in range(MAX_REDIRECTS + 1):
            response = await timed(
                session.get(
                    target,
                    headers={**own, **ours},
                    allow_redirects=False,
                    auto_decompress=False,
                    **options,
                )
            )
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                self._check(response, url, partial="Range" in headers)
                return response
            response.release()
            target = _redirected(target, location)
            if not _is_same_host(asked, target):
                own = {}
                options = {k: v for k, v in options.items() if k in _FOR_EVERY_HOST}
        raise Unavailable(errno.ELOOP, f"more than {MAX_REDIRECTS} redirects")

    def _own_options(self, url: URL) -> dict[str, Any]:
        """The options of requests, with the user and password of an address."""
        options = dict(self.kwargs)
        user, password = options.pop("auth", None) or (None, None)
        if url.user is not None or url.password is not None:
            user, password = url.user, url.password
        if user is not None or password is not None:
            both = base64.b64encode(f"{user or ''}:{password or ''}".encode()).decode()
            options["headers"] = {**options.get("headers", {}), "Authorization": f"Basic {both}"}
        return options

    def _check(self, response: ClientResponse, url: str, partial: bool) -> None:
        """Refuse what is no file, such as "no content" or "not modified"."""
        try:
            # Only an empty file has a reason to refuse our ranges.
            if response.status == 416 and response.headers.get("Content-Range", _EMPTY) != _EMPTY:
                raise Unavailable(errno.EIO, "the server refuses a part that the file has")
            self._raise_not_found_for_status(response, url)
            if response.status != 200 and not (response.status == 206 and partial):
                raise Unavailable(errno.EIO, f"the answer {response.status} is no file")
        except BaseException:
            response.close()
            raise


def without_user(url: URL) -> URL:
    """An address without user and password."""
    return url.with_user(None) if url.user is not None or url.password is not None else url


def _redirected(url: URL, location: str) -> URL:
    """The address that a redirect leads to.

    Raises:
        Unavailable: it is not on the web.
    """
    try:
        target = without_user(url.join(URL(location)))
    except ValueError:
        raise Unavailable(errno.EIO, "a redirect to what is no address") from None
    if target.scheme not in urls.WEB or not target.host:
        raise Unavailable(errno.EIO, "a redirect to what is no web address")
    return target


def _is_same_host(url: URL, other: URL) -> bool:
    """Whether what is meant for one address may go to another: never from https to http."""
    if url.origin() == other.origin():
        return True
    upgraded = (url.scheme, other.scheme) == ("http", "https")
    return upgraded and url.host == other.host and url.is_default_port() and other.is_default_port()


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
        self._pace = Pace()
        self._position = 0
        self._length: int | None = None
        self._version: str | None = None
        self._bytes_to_skip = 0  # of the current response
        self._buffer = bytearray()

    @property
    def length(self) -> int | None:
        """Bytes of the file, as the server stated them in its first response."""
        return self._length

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
                data = await self._pace.read(self._response.content, limit)
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
        headers = {}
        if self._position:
            headers["Range"] = f"bytes={self._position}-"
            if self._version and not self._version.startswith("W/"):
                headers["If-Range"] = self._version
        self._pace = Pace()
        response = await self._file_system.respond(self._url, headers)
        self._response = response
        version = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if not self._position:
            self._version = version
            self._length = response.content_length
            return
        if response.status == 206:
            content_range = response.headers.get("Content-Range")
            check_range(content_range, self._position, self._length, self._length)
            stated = parse_range(content_range)
            total = stated.total if stated else None
        else:
            total = response.content_length
        if version != self._version or (total or self._length) != (self._length or total):
            raise Changed()
        if version is None and (total is None or self._length is None):
            raise Unavailable(
                errno.EIO,
                "the connection broke, and the server does not say whether the file is still the "
                "same",
            )
        self._bytes_to_skip = 0 if response.status == 206 else self._position

    def _disconnect(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None

    def close(self) -> None:
        if self._response is not None:
            self._file_system.loop.call_soon_threadsafe(self._response.close)
        super().close()
