"""Sessions of aiohttp that read no forbidden address, whatever a name or a redirect leads to."""

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from beam_pipeline.storage.web_addresses import ForbiddenAddress, is_forbidden_host


def _refuse(host: str) -> None:
    raise ForbiddenAddress(f"{host} is a link-local or metadata address, which is never read")


class _Resolver(AbstractResolver):
    """The usual resolver, without the addresses that are never read."""

    def __init__(self) -> None:
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if not is_forbidden_host(each["host"])]
        if found and not allowed:
            _refuse(host)
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class _Connector(aiohttp.TCPConnector):
    """Connects to no such address, also where a redirect names it."""

    async def connect(self, req: aiohttp.ClientRequest, *args: Any, **kwargs: Any) -> Any:
        if is_forbidden_host(req.url.raw_host or ""):  # a literal address is not resolved
            _refuse(req.url.raw_host or "")
        return await super().connect(req, *args, **kwargs)


async def open_session(**options: Any) -> aiohttp.ClientSession:
    """A session of aiohttp that reads none of these addresses."""
    return aiohttp.ClientSession(connector=_Connector(resolver=_Resolver()), **options)
