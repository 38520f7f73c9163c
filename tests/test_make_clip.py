"""One clip: what its source takes and is called, and what is done where its child dies."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.elements import Clip
from beam_pipeline.sources.tar_stream import TarStream
from beam_pipeline.storage import files
from beam_pipeline.storage.retries import Changed, TooLarge
from beam_pipeline.work import load_source, worker_pool
from beam_pipeline.work.budget import Budget
from beam_pipeline.work.make_clip import _run, _segment
from beam_pipeline.work.resize_members import source_of
from tests.packing import member


class Codecs:
    """Children that die of sound, or of anything."""

    def __init__(self, silent: Outcome, killed: bool = False) -> None:
        self.silent = silent
        self.killed = killed
        self.asked: list[str] = []

    def run(self, request: Request, timeout: float) -> Outcome:
        self.asked.append(request.settings.audio)
        if request.settings.audio == "drop":
            return self.silent
        died = Outcome.failed("crashed", "its process was ended by SIGABRT")
        return replace(died, killed=self.killed)


def run(codecs: Codecs, audio: str = "keep") -> Outcome:
    return _run(Request(b"", None, ClipSettings(audio=audio)), 1.0, codecs)


def test_sound_of_which_the_child_dies_does_not_cost_the_clip() -> None:
    codecs = Codecs(Outcome("resized", detail="1 decode error"))
    outcome = run(codecs)
    assert codecs.asked == ["keep", "drop"]
    assert outcome.status == "resized"
    assert outcome.detail == (
        "sound dropped: with it its process was ended by SIGABRT; 1 decode error"
    )


def test_pictures_of_which_the_child_dies_are_failed_for_that_reason() -> None:
    outcome = run(Codecs(Outcome.failed("timeout", "not done after 1 s")))
    assert (outcome.reason, outcome.detail) == ("crashed", "its process was ended by SIGABRT")


def test_without_sound_nothing_is_tried_twice() -> None:
    codecs = Codecs(Outcome.failed("crashed", "its process was ended by SIGSEGV"))
    assert run(codecs, "drop").reason == "crashed"
    assert codecs.asked == ["drop"]


def test_a_clip_whose_child_was_killed_from_outside_does_not_lose_its_sound() -> None:
    codecs = Codecs(Outcome("resized"), killed=True)
    assert run(codecs).reason == "crashed"
    assert codecs.asked == ["keep"]


def test_a_member_s_name_does_not_depend_on_the_archive_s_address() -> None:
    """A query may hold slashes; a clip named by its own id is never cut out of it."""
    archive = io.BufferedReader(io.BytesIO(member("in/a_000001_000011.mp4", b"x")))
    first = next(TarStream(archive, None).members())
    path = "https://host/a.tar?path=/x/in/a_000001_000011.mp4"
    source = source_of(first, path, Pool(), ExitStack())
    clip = Clip("a_000001_000011", "a", 1, 11)
    assert _segment(clip, source.name) is None
    assert _segment(clip, "a") is not None


# What sources take. Here 8 bytes are held for a source of unknown size, and 64 are the most that
# is held of one in memory.


class Noted(Budget):
    """A budget that notes what was held, and what is."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.asked: list[int] = []
        self.now = 0

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        self.asked.append(count)
        with super().hold(count):
            self.now += count
            try:
                yield
            finally:
                self.now -= count


class Pool:
    """The budgets of a worker pool."""

    def __init__(self) -> None:
        self.memory = Noted(128)
        self.loose_memory = Noted(128)
        self.loose_disk = Noted(4096)


Serve = Callable[[int, int | None], list[str]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves a source of so many bytes, of which so many are stated; notes the requests."""
    monkeypatch.setattr(load_source, "UNKNOWN_SIZE", 8)
    monkeypatch.setattr(load_source, "MAX_IN_MEMORY", 64)

    def start(size: int, stated: int | None) -> list[str]:
        asked: list[str] = []

        def read(url: str, end: int) -> bytes:
            asked.append(f"read {end}")
            return bytes(min(size, end))

        def size_of(url: str) -> int | None:
            asked.append("size")
            return stated

        def download(url: str, path: str, limit: int) -> None:
            asked.append(f"download {limit}")
            if size > limit:
                raise TooLarge
            Path(path).write_bytes(bytes(size))

        monkeypatch.setattr(files, "read", read)
        monkeypatch.setattr(files, "size_of", size_of)
        monkeypatch.setattr(files, "download", download)
        return asked

    return start


@pytest.mark.parametrize(
    ("listed", "size", "stated", "asked", "memory", "disk"),
    [
        (None, 8, 8, ["read 9"], [8], []),
        (None, 9, 9, ["read 9", "size", "read 10"], [8, 9], []),
        (None, 64, None, ["read 9", "size", "read 65"], [8, 64], []),
        (None, 65, 65, ["read 9", "size", "download 65"], [8], [65]),
        (None, 65, None, ["read 9", "size", "read 65", f"download {4 * 1024**3}"], [8, 64],
         [4 * 1024**3]),
        (20, 20, 20, ["read 21"], [20], []),
        (20, 30, 30, ["read 21", "size", "read 31"], [20, 30], []),
        (99, 99, 99, ["download 99"], [], [99]),
        (0, 0, 0, ["read 1"], [0], []),
    ],
)  # fmt: skip
def test_a_source_holds_what_it_takes_until_its_clip_is_done(
    serve: Serve, listed: int | None, size: int, stated: int | None, asked: list[str],
    memory: list[int], disk: list[int],
) -> None:  # fmt: skip
    requests, pool = serve(size, stated), Pool()
    with ExitStack() as stack:
        content, found = load_source.load_source("https://host/a.mp4", listed, pool, stack)
        assert found == size
        assert (len(content) if isinstance(content, bytes) else size) == size
        assert requests == asked
        assert (pool.loose_memory.asked, pool.loose_disk.asked) == (memory, disk)
        # What was read in vain is held no more.
        assert pool.loose_memory.now == (memory[-1] if isinstance(content, bytes) else 0)
    assert (pool.loose_memory.now, pool.loose_disk.now) == (0, 0)


@pytest.mark.parametrize(
    ("listed", "size", "stated"), [(None, 40, 20), (None, 90, 70), (20, 40, 9)]
)
def test_a_source_with_more_bytes_than_its_server_says_is_not_read(
    serve: Serve, listed: int | None, size: int, stated: int
) -> None:
    serve(size, stated)
    pool = Pool()
    with pytest.raises(Changed), ExitStack() as stack:
        load_source.load_source("https://host/a.mp4", listed, pool, stack)
    assert (pool.loose_memory.now, pool.loose_disk.now) == (0, 0)


def test_a_source_waits_until_another_clip_leaves_room(tmp_path: Path) -> None:
    path, pool = tmp_path / "a.mp4", Pool()
    path.write_bytes(bytes(100))
    first, second, done = ExitStack(), ExitStack(), threading.Event()

    def load_second() -> None:
        load_source.load_source(str(path), None, pool, second)
        done.set()

    load_source.load_source(str(path), None, pool, first)
    thread = threading.Thread(target=load_second)
    thread.start()
    assert not done.wait(0.1)
    first.close()
    assert done.wait(10)
    thread.join()
    assert pool.loose_memory.now == 100
    second.close()


@pytest.mark.parametrize("workers", [1, 2, 8, 64])
def test_small_sources_of_unknown_size_never_wait_for_each_other(workers: int) -> None:
    threads = workers + worker_pool.READ_AHEAD
    assert threads * load_source.UNKNOWN_SIZE <= worker_pool.memory_for(workers)
