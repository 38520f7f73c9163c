"""A stand-in for YouTube on this machine, which yt-dlp reaches by an extractor of our own."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.serving import Serving

HERE = Path(__file__).parent
NO_PAUSE = HERE / "no_pause.json"

Answer = dict[str, Any] | int
"""What the page of a video says: yt-dlp's fields, or a status to answer with."""


@dataclass(frozen=True)
class Media:
    """The content of a format, and how sending it goes wrong: ``cut``, ``slow``, or a status."""

    content: bytes
    fault: str | int | None = None


@dataclass
class StandIn(Serving):
    """Serves pages by YouTube id, and media by (YouTube id, format id); tells what was asked."""

    pages: Mapping[str, Answer | list[Answer]]
    media: Mapping[tuple[str, str], Media] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cookies: list[str | None] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "STANDIN": self.address}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        before = self.asked.count(path)
        self.asked.append(path)
        self.cookies.append(request.headers.get("Cookie"))
        kind, youtube_id, *rest = path.split("/")
        if kind == "watch":
            page = self.pages[youtube_id]
            if isinstance(page, list):
                page = page[min(before, len(page) - 1)]
            if isinstance(page, int):
                return web.Response(status=page)
            return web.Response(text=json.dumps(page), content_type="application/json")
        return await self._send(request, self.media[youtube_id, rest[0]])

    async def _send(self, request: web.Request, media: Media) -> web.StreamResponse:
        if isinstance(media.fault, int):
            return web.Response(status=media.fault)
        if media.fault is None:
            return web.Response(body=media.content)
        answer = web.StreamResponse()
        answer.content_length = len(media.content)
        await answer.prepare(request)
        await answer.write(media.content[: len(media.content) // 2])
        if media.fault == "slow":
            for byte in media.content[len(media.content) // 2 :]:
                if request.transport is None or request.transport.is_closing():
                    break
                await answer.write(bytes([byte]))
                await asyncio.sleep(0.02)
        elif request.transport is not None:
            request.transport.abort()
        return answer


def both(format_id: str, size: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """A format with pictures and sound."""
    return {
        "format_id": format_id, "ext": "mp4", "width": size[0], "height": size[1],
        "vcodec": "avc1", "acodec": "mp4a", "protocol": "http",
    } | changes  # fmt: skip


def pictures_only(format_id: str, size: tuple[int, int], **changes: Any) -> dict[str, Any]:
    return both(format_id, size, acodec="none", **changes)


def sound_only(format_id: str, abr: float, **changes: Any) -> dict[str, Any]:
    return {
        "format_id": format_id, "ext": "m4a", "vcodec": "none", "acodec": "mp4a", "abr": abr,
        "protocol": "http",
    } | changes  # fmt: skip
