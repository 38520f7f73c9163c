"""What servers send, or do not: bytes, time, and answers that are not the file."""

import asyncio
import gzip
import http
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import s3fs
from aiohttp import web
from moto.server import ThreadedMotoServer

from beam_pipeline.elements import Clip, ResizeTask
from beam_pipeline.storage import file_systems, files, request_retries, responses, streams
from beam_pipeline.storage.retries import Changed, TooLarge
from beam_pipeline.storage.streams import open_stream
from beam_pipeline.work import load_source, make_clip
from beam_pipeline.work.budget import Budget
from tests.serving import Serving

CONTENT = bytes(range(256)) * 40
KIB = 1024

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server(Serving):
    """Answers as a test says, and notes what it was asked and how many bytes it got rid of."""

    answer: Answer | None = None
    asked: list[web.Request] = field(default_factory=list)
    sent: int = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        assert self.answer is not None
        return await self.answer(request)

    def endless(self, data: bytes = bytes(64 * KIB), pause: float = 0, **headers: str) -> Answer:
        """An answer that never ends."""

        async def answer(request: web.Request) -> web.StreamResponse:
            made = web.StreamResponse(headers=headers)
            await made.prepare(request)
            while request.transport is not None and not request.transport.is_closing():
                await made.write(data)
                self.sent += len(data)
                await asyncio.sleep(pause)
            return made

        return answer

    @property
    def url(self) -> str:
        return f"{self.address}/a.bin"


def always(status: int, content: bytes = CONTENT, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=content, headers=named)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    file_systems.configure({})
    with Server() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "PROGRESS_SECONDS", 0.3)
    for name in ("DEADLINE", "FIRST_DEADLINE"):
        monkeypatch.setattr(request_retries, name, 0)


def streamed(url: str) -> bytes:
    with open_stream(url) as stream:
        return stream.read()


def downloaded(url: str, folder: Path) -> bytes:
    files.download(url, str(folder / "copy"))
    return (folder / "copy").read_bytes()


# Bytes


def test_a_server_that_ignores_ranges_is_read_as_far_as_was_asked(server: Server) -> None:
    server.answer = server.endless()
    assert files.read(server.url, 100_000) == bytes(100_000)
    assert server.sent < 64 * 1024**2  # what fits into the buffers on the way


def test_a_file_without_an_end_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MAX_READ", 1_000_000)
    server.answer = server.endless()
    with pytest.raises(TooLarge, match=r"more than 1,000,000 bytes.* copy it to this machine"):
        files.read(server.url)
    assert len(server.asked) == 1


def test_a_file_that_states_too_much_is_not_read(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(responses, "MAX_READ", 1_000_000)
    monkeypatch.setattr(responses, "MAX_DOWNLOAD", 1_000_000)
    server.answer = server.endless(bytes(16 * KIB), 0.02, **{"Content-Length": "1000001"})
    with pytest.raises(TooLarge):
        files.read(server.url)
    with pytest.raises(TooLarge):
        downloaded(server.url, tmp_path)
    with pytest.raises(TooLarge), files.open_file(server.url):
        pass
    assert server.sent < 1_000_001


def test_a_download_without_an_end_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(responses, "MAX_DOWNLOAD", 1_000_000)
    server.answer = server.endless()
    with pytest.raises(TooLarge, match="1,000,000 bytes"):
        downloaded(server.url, tmp_path)
    assert (tmp_path / "copy").stat().st_size <= 1_000_000
    assert len(server.asked) == 1


def test_a_source_without_an_end_is_one_row(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_source, "MAX_IN_MEMORY", 1000)
    monkeypatch.setattr(responses, "MAX_DOWNLOAD", 1_000_000)
    server.answer = server.endless()
    pool = SimpleNamespace(loose_memory=Budget(1000), loose_disk=Budget(1000))
    clip = Clip("a_000001_000011", "a", 1, 11, "val", None, -1)
    for size in (None, 2_000_000):
        task = ResizeTask(clip, "videos/a.mp4", ((server.url, size),))
        row = make_clip.resize_clip(task, pool).row
        assert (row.status, row.reason) == ("failed", "too_large")
        assert "more than 1,000,000 bytes" in row.detail


def test_a_size_is_what_the_server_states_of_the_whole_file(server: Server) -> None:
    server.answer = always(200)
    assert files.size_of(server.url) == len(CONTENT)
    server.answer = server.endless()
    assert files.size_of(server.url) is None


def test_nothing_is_decompressed(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(bytes(1_000_000))
    server.answer = always(200, packed, Content_Encoding="gzip")
    assert files.read(server.url) == packed
    assert files.read(server.url, 1_000_000) == packed
    assert downloaded(server.url, tmp_path) == packed
    assert streamed(server.url) == packed
    assert {request.headers["Accept-Encoding"] for request in server.asked} == {"identity"}


# Time


@pytest.mark.parametrize("read", [files.read, streamed])
def test_a_server_that_sends_next_to_nothing_is_given_up(
    server: Server, impatient: None, read: Callable[[str], bytes]
) -> None:
    server.answer = server.endless(b".", pause=0.02)
    with pytest.raises(OSError, match=r"less than 256 KiB came in 0\.3 s"):
        read(server.url)
    assert len(server.asked) == 1


def test_a_server_that_never_begins_is_given_up(server: Server, impatient: None) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.05)
        return web.Response()

    server.answer = answer
    with pytest.raises(OSError, match=r"no answer in 0\.3 s"):
        files.read(server.url)


def test_a_reader_that_pauses_costs_the_server_no_time(server: Server, impatient: None) -> None:
    pace = responses.Pace()

    class Ready:
        async def read(self, n: int) -> bytes:
            return b"."

    async def read_slowly() -> None:
        for _ in range(4):
            assert await pace.read(Ready(), 1) == b"."
            await asyncio.sleep(0.1)

    asyncio.run(read_slowly())


# Answers that are not the file


@pytest.mark.parametrize(
    "answer",
    [
        always(204, b""),
        always(300),
        always(304, b""),
        always(203),
        always(206),
        always(206, CONTENT[:5], Content_Range="bytes 0-4/10240"),
        always(206, CONTENT[:5], Content_Range="bytes 0-4/*"),
        always(206, CONTENT[5:], Content_Range="bytes 5-10239/10240"),
        always(416, b"", Content_Range="bytes */10240"),
    ],
)
def test_what_is_not_the_file_is_an_error(
    server: Server, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    server.answer = answer
    with pytest.raises(OSError):  # noqa: PT011 - each says something else
        files.read(server.url, 20_000)


@pytest.mark.parametrize("status", [204, 206, 300, 304])
def test_what_is_not_the_file_is_no_archive_either(server: Server, status: int) -> None:
    server.answer = always(status, b"")
    with pytest.raises(OSError, match=f"the answer {status} is no file"):
        streamed(server.url)


def test_the_last_part_may_be_shorter_than_was_asked(server: Server) -> None:
    server.answer = always(206, CONTENT, Content_Range="bytes 0-10239/10240")
    assert files.read(server.url, 20_000) == CONTENT
    server.answer = always(416, b"", Content_Range="bytes */0")
    assert files.read(server.url, 20_000) == b""


def breaking(first: dict[str, str], then: Answer) -> Answer:
    """Half of the content, then another answer."""
    count = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count > 1:
            return await then(request)
        made = web.StreamResponse(headers={"Content-Length": str(len(CONTENT)), **first})
        await made.prepare(request)
        await made.write(CONTENT[:5120])
        await asyncio.sleep(0.2)
        request.transport.abort()
        return made

    return answer


REST = CONTENT[5120:]
REST_RANGE = "bytes 5120-10239/10240"


@pytest.mark.parametrize("version", [{}, {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}])
def test_a_stream_goes_on_if_the_file_is_the_same(server: Server, version: dict[str, str]) -> None:
    rest = always(206, REST, Content_Range=REST_RANGE, **version)
    server.answer = breaking(version, rest)
    assert streamed(server.url) == CONTENT


@pytest.mark.parametrize(
    "then",
    [
        always(206, REST, Content_Range=REST_RANGE, Last_Modified="Tue, 02 Jan 2024 00:00:00 GMT"),
        always(206, REST, Content_Range=REST_RANGE),
        always(206, REST, Content_Range="bytes 5120-10239/10241", Last_Modified="yesterday"),
        always(206, REST, Content_Range="bytes 5119-10239/10240", Last_Modified="yesterday"),
        always(206, REST, Content_Range="bytes 5120-10238/10240", Last_Modified="yesterday"),
        always(206, REST, Last_Modified="yesterday"),
        always(200, CONTENT + b".", Last_Modified="yesterday"),
    ],
)
def test_a_stream_does_not_go_on_with_another_file(server: Server, then: Answer) -> None:
    server.answer = breaking({"Last-Modified": "yesterday"}, then)
    with pytest.raises(OSError, match=r"changed|part of the file"):
        streamed(server.url)


# Redirects


SECRETS = {"headers": {"X-Token": "secret"}, "cookies": {"c": "secret"}, "auth": ["me", "secret"]}


def to(url: str, status: int = 302) -> Answer:
    return always(status, b"", Location=url)


def secrets_in(request: web.Request) -> set[str]:
    text = json.dumps(dict(request.headers))
    return {name for name in ("X-Token", "Cookie", "Authorization") if name in text}


@pytest.mark.parametrize("nested", [False, True])
def test_secrets_go_to_the_host_that_they_are_for(
    server: Server, other: Server, nested: bool
) -> None:
    """Also if the other one sends back to it."""
    options = SECRETS if not nested else {"client_kwargs": {"headers": SECRETS["headers"]}}
    file_systems.configure({"http": options})
    meant = {"X-Token", "Cookie", "Authorization"} if not nested else {"X-Token"}

    async def answer(request: web.Request) -> web.StreamResponse:
        way = {"/a.bin": "/b.bin?sig=secret", "/b.bin": f"{other.address}/c.bin"}
        return await to(way[request.path])(request) if request.path in way else web.Response()

    server.answer, other.answer = answer, to(f"{server.address}/d.bin")
    for read in (files.read, streamed):
        server.asked.clear()
        other.asked.clear()
        assert read(server.url) == b""
        assert [secrets_in(request) for request in server.asked] == [meant, meant, set()]
        assert [secrets_in(request) for request in other.asked] == [set()]
        everything = [*server.asked, *other.asked]
        assert not any("Referer" in request.headers for request in everything)
    file_systems.configure({})


def test_a_user_in_an_address_is_not_sent_to_another_host(server: Server, other: Server) -> None:
    server.answer, other.answer = to(f"{other.address}/c.bin"), always(200)
    url = server.url.replace("http://", "http://me:secret@")
    assert files.read(url) == CONTENT
    assert secrets_in(server.asked[0]) == {"Authorization"}
    assert secrets_in(other.asked[0]) == set()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gs://bucket/a", "mailto:a@b.c"])
def test_a_redirect_leads_to_web_addresses_only(server: Server, location: str) -> None:
    server.answer = to(location)
    with pytest.raises(OSError, match="a redirect to"):
        files.read(server.url)
    assert len(server.asked) == 1


def test_redirects_in_a_circle_end(server: Server) -> None:
    server.answer = to("/a.bin", 307)
    with pytest.raises(OSError, match="more than 10 redirects"):
        files.read(server.url)
    assert len(server.asked) == 11


# Google's buckets


class Google(Server):
    """One object that is replaced before its third part is read, or as a test says."""

    content = CONTENT
    generation = 1
    keeps_versions = False
    replace_before = 3

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("alt") != "media":
            described = {
                "name": "a.tar", "bucket": "b", "size": str(len(self.content)),
                "generation": str(self.generation), "kind": "storage#object",
            }  # fmt: skip
            return web.json_response(described)
        self.asked.append(request)
        if self.answer is not None:
            return await self.answer(request)
        if len(self.asked) == self.replace_before:
            self.generation += 1
        asked = request.query.get("generation")
        if asked is not None and asked != str(self.generation) and not self.keeps_versions:
            return web.json_response({"error": {"code": 404, "message": "gone"}}, status=404)
        part = request.http_range
        begin, end = part.start or 0, min(part.stop or len(self.content), len(self.content))
        headers = {
            "Content-Range": f"bytes {begin}-{end - 1}/{len(self.content)}",
            "x-goog-generation": asked or str(self.generation),
            "Content-Encoding": "gzip",
        }
        return web.Response(status=206, body=self.content[begin:end], headers=headers)

    url = "gs://b/a.tar"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    monkeypatch.setattr(streams, "BLOCK", 3000)
    with Google() as made:
        options = {"endpoint_url": made.address, "token": "anon", "project": "p"}
        file_systems.configure({"gs": options})
        yield made
    file_systems.configure({})


def test_every_block_of_an_object_is_of_one_generation(google: Google) -> None:
    google.keeps_versions = True
    assert streamed(google.url) == CONTENT
    assert [request.query.get("generation") for request in google.asked] == ["1"] * 4


def test_an_object_that_is_replaced_while_it_is_read_is_noticed(google: Google) -> None:
    with pytest.raises(Changed, match="changed while it was read"):
        streamed(google.url)


def test_an_object_is_read_as_it_is_stored(google: Google, tmp_path: Path) -> None:
    google.content = gzip.compress(bytes(1_000_000))
    google.replace_before = 0
    assert streamed(google.url) == google.content
    assert files.read(google.url, 10**6) == google.content
    assert {request.headers["Accept-Encoding"] for request in google.asked} == {"gzip"}
    google.answer = always(200, google.content, Content_Encoding="gzip")
    assert files.read(google.url) == google.content
    assert downloaded(google.url, tmp_path) == google.content


def test_a_bucket_s_server_is_held_to_the_same_limits(
    google: Google, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, impatient: None
) -> None:
    monkeypatch.setattr(responses, "MAX_READ", 1_000_000)
    monkeypatch.setattr(responses, "MAX_DOWNLOAD", 1_000_000)
    google.answer = google.endless()
    assert files.read(google.url, 100_000) == bytes(100_000)
    with pytest.raises(TooLarge):
        files.read(google.url)
    with pytest.raises(TooLarge):
        downloaded(google.url, tmp_path)
    google.answer = google.endless(b".", pause=0.02)
    for read in (files.read, lambda url: downloaded(url, tmp_path)):
        with pytest.raises(OSError, match="less than 256 KiB"):
            read(google.url)
    google.answer = always(http.HTTPStatus.NO_CONTENT, b"")
    with pytest.raises(OSError, match="the answer 204"):
        files.read(google.url)


# S3


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    monkeypatch.setattr(streams, "BLOCK", 3000)
    started = ThreadedMotoServer(port=0)
    started.start()
    host, port = started.get_host_and_port()
    options = {"endpoint_url": f"http://{host}:{port}", "key": "k", "secret": "s"}
    file_systems.configure({"s3": options})
    direct = s3fs.S3FileSystem(**options)
    direct.makedirs("pinned", exist_ok=True)
    yield direct
    file_systems.configure({})
    started.stop()


def test_an_object_of_s3_that_is_replaced_while_it_is_read_is_noticed(
    amazon: s3fs.S3FileSystem, tmp_path: Path
) -> None:
    url = "s3://pinned/a.tar"
    amazon.pipe_file(url, CONTENT)
    assert streamed(url) == CONTENT
    assert files.read(url, 100) == CONTENT[:100]
    assert downloaded(url, tmp_path) == CONTENT
    with open_stream(url) as stream:
        stream.raw.read(3000)
        amazon.pipe_file(url, CONTENT[::-1])
        with pytest.raises(Changed, match="changed while it was read"):
            stream.read()


def test_an_empty_object_of_s3_is_an_empty_file(amazon: s3fs.S3FileSystem) -> None:
    amazon.pipe_file("s3://pinned/empty.mp4", b"")
    assert files.read("s3://pinned/empty.mp4", 100) == b""
    with pytest.raises(FileNotFoundError):
        files.read("s3://pinned/gone.mp4", 100)


def test_a_server_of_s3_is_held_to_the_same_limits(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, impatient: None
) -> None:
    monkeypatch.setattr(responses, "MAX_READ", 1_000_000)
    monkeypatch.setattr(responses, "MAX_DOWNLOAD", 1_000_000)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    options = {"endpoint_url": server.address, "key": "k", "secret": "s"}
    file_systems.configure({"s3": options})
    server.answer = server.endless()
    url = "s3://pinned/a.bin"
    assert files.read(url, 100_000) == bytes(100_000)
    with pytest.raises(TooLarge):
        files.read(url)
    with pytest.raises(TooLarge):
        downloaded(url, tmp_path)
    server.answer = server.endless(b".", pause=0.02)
    with pytest.raises(OSError, match="less than 256 KiB"):
        files.read(url)
    file_systems.configure({})


# Other storage


def test_where_versions_cannot_be_told_the_size_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "BLOCK", 3000)
    url = "memory://a.tar"
    file_systems.filesystem(url).pipe_file(url, CONTENT)
    assert streamed(url) == CONTENT
    with open_stream(url) as stream:
        stream.raw.read(3000)
        file_systems.filesystem(url).pipe_file(url, CONTENT + b".")
        with pytest.raises(Changed):
            stream.read()


def test_a_part_of_an_empty_file_may_have_any_name() -> None:
    responses.check_range("bytes 0--1/0", 0, 10)
    with pytest.raises(Changed):
        responses.check_range("bytes 0-9/0", 0, 10, total=20)
    with pytest.raises(OSError, match="which part"):
        responses.check_range("bytes 0--1/10", 0, 10)
