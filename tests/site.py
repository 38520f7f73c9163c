"""A folder on the web, on this machine, with the faults that the web has."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.serving import Serving

Fault = int | str
"""A status to answer with, or how an answer goes wrong half-way through what is left of the file:
``cut`` (the connection breaks) or ``silent`` (nothing more comes)."""


@dataclass
class Site(Serving):
    """Serves a folder; ``fault`` says how the n-th request for a path goes wrong.

    Without ``ranges`` every answer is the whole file.
    """

    folder: Path
    fault: Callable[[str, int], Fault | None] = lambda path, before: None
    ranges: bool = True
    asked: list[str] = field(default_factory=list)
    begun_at: list[tuple[str, int]] = field(default_factory=list)
    authorized: list[str | None] = field(default_factory=list)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        fault = self.fault(path, self.asked.count(path))
        self.asked.append(path)
        self.authorized.append(request.headers.get("Authorization"))
        if isinstance(fault, int):
            return web.Response(status=fault)
        file = self.folder / path
        if not file.is_file():
            return web.Response(status=404)
        content = file.read_bytes()
        begin = (request.http_range.start or 0) if self.ranges else 0
        self.begun_at.append((path, begin))
        status = 206 if self.ranges and "Range" in request.headers else 200
        if status == 206 and not content:
            return web.Response(status=416, headers={"Content-Range": "bytes */0"})
        answer = web.StreamResponse(status=status, headers={"ETag": f'"{len(content)}"'})
        answer.content_length = len(content) - begin
        if status == 206:
            answer.headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        await answer.prepare(request)
        if fault is None:
            await answer.write(content[begin:])
            await answer.write_eof()
            return answer
        await answer.write(content[begin : (begin + len(content)) // 2])
        if fault == "silent":
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.05)
        elif request.transport is not None:
            request.transport.abort()
        return answer
