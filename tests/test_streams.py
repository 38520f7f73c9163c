"""Files read from front to back: what breaks on the way goes on where it was."""

import random
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from beam_pipeline.storage import file_systems, files, streams
from beam_pipeline.storage.retries import RETRY_COUNT
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.storage.web_storage import WebFileSystem, WebStream
from tests.buckets import BUCKET, Buckets
from tests.site import Site

CONTENT = random.Random(5).randbytes(3_000_000)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "big.tar").write_bytes(CONTENT)
    file_systems.configure({})
    with Site(tmp_path) as made:
        yield made


def streamed(url: str) -> bytes:
    with open_stream(url) as stream:
        return b"".join(iter(lambda: stream.read(100_000), b""))


def test_a_local_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a b.tar").write_bytes(CONTENT)
    assert streamed(str(tmp_path / "a b.tar")) == CONTENT


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_part_of_a_local_file_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    url = form.format(tmp_path / "a.bin")
    assert files.read(url) == b"0123456789"
    assert files.read(url, 4) == b"0123"
    assert files.read(url, 8, 3) == b"34567"
    assert files.read(url, begin=8) == b"89"
    assert files.read(url, 100) == b"0123456789"
    assert files.read(url, 30, 20) == b""


# The web


def test_an_address_is_asked_for_once(site: Site) -> None:
    assert streamed(f"{site.address}/big.tar") == CONTENT
    assert site.asked == ["big.tar"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_goes_on_where_it_was(site: Site, ranges: bool) -> None:
    site.ranges = ranges
    site.fault = lambda path, before: "cut" if before < 3 else None
    RETRY_COUNT.read_and_reset()
    assert streamed(f"{site.address}/big.tar") == CONTENT
    assert RETRY_COUNT.read_and_reset() >= 3
    begun = [begin for _, begin in site.begun_at]
    assert len(begun) == 4
    if ranges:
        assert begun == sorted(begun)
        assert begun[-1] > len(CONTENT) // 2  # what was there was not fetched again
    else:
        assert begun == [0] * 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again(site: Site, status: int) -> None:
    site.fault = lambda path, before: (status, "cut", status, None)[before]
    assert streamed(f"{site.address}/big.tar") == CONTENT


def test_a_connection_that_falls_silent_is_made_anew(site: Site) -> None:
    site.fault = lambda path, before: "silent" if before == 0 else None
    impatient = WebFileSystem(client_kwargs={"timeout": aiohttp.ClientTimeout(sock_read=0.5)})
    with WebStream(impatient, f"{site.address}/big.tar") as stream:
        assert b"".join(iter(lambda: stream.read(100_000), b"")) == CONTENT
    assert len(site.asked) >= 2


def test_a_file_that_changes_on_the_way_is_not_mixed_with_what_it_was(
    site: Site, tmp_path: Path
) -> None:
    def change(path: str, before: int) -> str | None:
        if before:
            (tmp_path / "big.tar").write_bytes(CONTENT[:-1])
        return "cut" if not before else None

    site.fault = change
    with pytest.raises(OSError, match="changed while it was read"):
        streamed(f"{site.address}/big.tar")


def test_what_is_not_there_is_not_asked_for_again(site: Site) -> None:
    with pytest.raises(FileNotFoundError):
        streamed(f"{site.address}/gone.tar")
    assert site.asked == ["gone.tar"]


def test_a_proxy_is_used_where_the_environment_names_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", site.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with WebStream(
        WebFileSystem(skip_instance_cache=True), "http://nowhere.invalid/big.tar"
    ) as stream:
        assert b"".join(iter(lambda: stream.read(100_000), b"")) == CONTENT


# Buckets


@pytest.mark.parametrize("size", [0, 999, 1000, 2000, 2500])
def test_an_object_is_read_block_by_block(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK", 1000)
    with Buckets() as buckets:
        url = f"gs://{BUCKET}/big.tar"
        buckets.direct().pipe_file(url, CONTENT[:size])
        buckets.reset()
        file_systems.configure(file_systems.parse_options(buckets.flags[1]))
        buckets.fault = lambda call: 503 if call.kind == "read" and call.before == 0 else None
        assert streamed(url) == CONTENT[:size]
        file_systems.configure({})
