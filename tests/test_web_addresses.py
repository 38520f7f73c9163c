"""Link-local and metadata addresses, which nothing from outside may make the program read."""

from collections.abc import Iterator

import pytest
from aiohttp import ThreadedResolver, web

from beam_pipeline.errors import UsageError
from beam_pipeline.storage import files
from beam_pipeline.storage.file_systems import filesystem
from beam_pipeline.storage.retries import RETRY_COUNT, Unavailable
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.storage.web_addresses import is_forbidden
from tests.kinetics import configured
from tests.serving import Serving

METADATA = "http://169.254.169.254/token"


@pytest.fixture(autouse=True)
def new_sessions() -> Iterator[None]:
    filesystem(METADATA).clear_instance_cache()
    yield
    filesystem(METADATA).clear_instance_cache()


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.0.1:80", "2852039166", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376", "169.254.43518", "169.16689662", "[fe80::1]", "[fe80::1%25eth0]",
        "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "metadata.google.internal",
        "Metadata.Google.Internal.", "me:word@169.254.169.254", "100.100.100.200",
    ],
)  # fmt: skip
def test_such_an_address_is_known_in_any_spelling(host: str) -> None:
    assert is_forbidden(f"http://{host}/token")


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "127.0.0.1:8080", "10.0.0.1", "192.168.1.1", "172.16.0.1", "[::1]",
        "[fd00::1]", "169.253.1.1", "example.org", "169.254.169.254.example.org", "[fe80",
    ],
)  # fmt: skip
def test_loopback_private_and_public_ones_are_read(host: str) -> None:
    assert not is_forbidden(f"http://{host}/token")


def refused(url: str) -> str:
    """What is said of an address that is refused at once, without a retry."""
    with pytest.raises(Unavailable) as caught:
        files.read(url)
    with pytest.raises(OSError, match="never read"), open_stream(url) as stream:
        stream.read()
    assert RETRY_COUNT.read_and_reset() == 0
    return caught.value.strerror or ""


@pytest.mark.parametrize("url", [METADATA, "http://2852039166/", "http://[::ffff:a9fe:a9fe]/"])
def test_it_is_not_connected_to(url: str) -> None:
    assert "never read" in refused(url)


def test_nor_is_a_name_that_resolves_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(self: object, host: str, *_: object) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": "169.254.169.254", "port": 80, "family": 2, "proto": 0,
             "flags": 0}
        ]  # fmt: skip

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    assert "innocent.example is a link-local" in refused("http://innocent.example/")


class Redirecting(Serving):
    """A host that sends everyone on to the metadata server."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": METADATA})


def test_nor_is_where_a_redirect_leads() -> None:
    with Redirecting() as site:
        assert "169.254.169.254 is a link-local" in refused(f"{site.address}/a.mp4")


@pytest.mark.parametrize("flag", ["--annotations", "--videos", "--label_map"])
def test_a_flag_that_names_one_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match=f"{flag} .* never read"):
        configured(flag, METADATA)
