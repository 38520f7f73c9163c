"""Buckets on this machine: an emulator of Google's, and a proxy in front that counts and fails."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from gcp_storage_emulator.server import create_server
from gcsfs.core import GCSFileSystem

from tests.kinetics import Kinetics
from tests.serving import Serving

BUCKET = "kinetics"
GOES_ON_AFTER = 0.5
"""Seconds that a slow answer takes its rest in the middle."""


@dataclass(frozen=True)
class Call:
    """One request: what is done to which object or prefix, and how often that was asked before.

    ``kind`` is read, write, list, stat, delete or other.
    """

    kind: str
    name: str
    before: int


Fault = int | str
"""A status to answer with, or ``reset``, ``cut`` (in the middle of the answer), ``slow``."""


def no_fault(_: Call) -> Fault | None:
    return None


@dataclass
class Buckets(Serving):
    """An emulator with one bucket, reached through a proxy that notes every request."""

    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call], Fault | None] = no_fault
    injected: int = 0

    def __enter__(self) -> "Buckets":
        logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)  # each 404
        self._server = create_server("localhost", 0, in_memory=True, default_bucket=BUCKET)
        self._server._api.daemon = True  # or a process that is done would wait for it
        self._server.start()
        self._target = f"http://localhost:{self._server._api._httpd.server_port}"
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._server.stop()

    def reset(self) -> None:
        """Forget what was asked, and fail no more."""
        self.calls, self.fault, self.injected = [], no_fault, 0

    @property
    def kinds(self) -> Counter[str]:
        """How many requests of each kind there were."""
        return Counter(call.kind for call in self.calls)

    @property
    def flags(self) -> tuple[str, str]:
        """What the command line needs to reach the emulator."""
        options = {"endpoint_url": self.address, "token": "anon", "project": "p"}
        return "--storage_options", json.dumps({"gs": options})

    def get(self, url: str) -> bytes:
        """The content of an object."""
        return self.direct().cat_file(url)

    def files(self, prefix: str) -> dict[str, bytes]:
        """Every object below a prefix, by the rest of its name."""
        fs = self.direct()
        return {
            path.removeprefix(f"{BUCKET}/{prefix}/"): fs.cat_file(path)
            for path in fs.find(f"{BUCKET}/{prefix}")
        }

    def all_files(self, prefix: str) -> dict[str, bytes]:
        """As ``files``, of a prefix that fsspec would take for a pattern."""
        fs, below = self.direct(), f"{BUCKET}/{prefix}/"
        return {
            path.removeprefix(below): fs.cat_file(path)
            for path in fs.find(BUCKET)
            if path.startswith(below)
        }

    def put(self, folder: Path, prefix: str) -> str:
        """Copy a folder into the bucket; its URL."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"{prefix}/{path.relative_to(folder)}"
                self.direct().pipe_file(f"{BUCKET}/{name}", path.read_bytes())
        return f"gs://{BUCKET}/{prefix}"

    def put_kinetics(self, kinetics: Kinetics, prefix: str) -> tuple[str, ...]:
        """Copy a data set into the bucket; the flags that name it there."""
        return (
            "--annotations", self.put(kinetics.annotations, f"{prefix}/annotations"),
            "--videos", self.put(kinetics.videos, f"{prefix}/videos"),
        )  # fmt: skip

    def direct(self) -> GCSFileSystem:
        """What reaches the emulator past the proxy."""
        return GCSFileSystem(
            endpoint_url=self._target, token="anon", project="p", use_listings_cache=False
        )

    # The proxy

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        await super()._start()

    async def _end(self) -> None:
        await self._session.close()
        await super()._end()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        kind, name = _what(request, body)
        before = sum((call.kind, call.name) == (kind, name) for call in self.calls)
        call = Call(kind, name, before)
        self.calls.append(call)
        fault = self.fault(call)
        self.injected += fault is not None
        if isinstance(fault, int):
            message = {"error": {"code": fault, "message": "the test has it so"}}
            return web.json_response(message, status=fault)
        if fault == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        async with self._session.request(
            request.method, f"{self._target}{request.rel_url.raw_path_qs}", data=body,
            headers={k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP},
        ) as answer:  # fmt: skip
            content = await answer.read()
            headers = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
        made = web.StreamResponse(status=answer.status, headers=headers)
        made.content_length = len(content)
        await made.prepare(request)
        half = len(content) // 2
        await made.write(content[:half])
        if fault == "cut":
            assert request.transport is not None
            request.transport.abort()
            return made
        if fault == "slow":
            await asyncio.sleep(GOES_ON_AFTER)
        await made.write(content[half:])
        await made.write_eof()
        return made


HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}


def _what(request: web.Request, body: bytes) -> tuple[str, str]:
    path, query = request.path, request.query
    if request.method == "DELETE":
        return "delete", path
    if path.startswith("/upload/"):
        start = body.find(b'"name"')  # in the metadata, the first part of the upload
        name = body[start : start + 300].split(b'"')[3] if start >= 0 else b"?"
        return "write", name.decode()
    if request.method == "GET" and query.get("alt") == "media":
        return "read", path.rpartition("/o/")[2]
    if request.method == "GET" and path.endswith("/o"):
        return "list", query.get("prefix", "")
    return ("stat" if request.method == "GET" else "other"), path
