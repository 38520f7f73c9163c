"""What a child may not do once a clip has taken it over, and what it may not say."""

import contextlib
import errno
import multiprocessing
import os
import platform
import resource
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from beam_pipeline.codec import child, confinement, pool
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from tests.codec import hostile_child, outcome_of
from tests.codec.test_pool import PATIENCE, children
from tests.make_clips import clip

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has seccomp")


@pytest.fixture(scope="module")
def good() -> Request:
    return Request(clip(frames=5), None, ClipSettings())


@pytest.fixture(scope="module")
def hostile() -> Iterator[CodecPool]:
    """A pool whose children do what a clip says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "serve", hostile_child.serve)
        made = CodecPool(2)
        yield made
        made.close()


def told(deed: str, path: Path) -> Request:
    return Request(hostile_child.DO + f"{deed}:{path}".encode(), None, ClipSettings())


# What it does


@LINUX
@pytest.mark.parametrize("deed", hostile_child.FORBIDDEN)
def test_a_process_that_tries_what_a_codec_does_not_do_is_killed(deed: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir() if deed == "remove a folder" else mine.touch()
    child = os.fork()
    if not child:
        os.close(2)
        confinement.system_call_filter().load()
        hostile_child.FORBIDDEN[deed](str(mine))
        os._exit(0)
    _, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended)
    assert os.WTERMSIG(ended) == signal.SIGSYS
    assert list(tmp_path.iterdir()) == [mine]


@LINUX
@pytest.mark.parametrize("deed", ["open", "socket", "execve", "fork", "open in a thread"])
def test_a_child_that_tries_it_costs_its_clip_alone(
    deed: str, hostile: CodecPool, good: Request, tmp_path: Path
) -> None:
    asked = [good, told(deed, tmp_path), good, good]
    with ThreadPoolExecutor(len(asked)) as threads:
        one, tried, *others = threads.map(lambda request: hostile.run(request, PATIENCE), asked)
    assert (tried.status, tried.reason) == ("failed", "crashed")
    assert "SIGSYS" in tried.detail
    assert {outcome.status for outcome in (one, *others)} == {"resized"}


@pytest.mark.parametrize("deed", hostile_child.REPORTED)
def test_an_error_that_python_reports_costs_no_child(
    deed: str, hostile: CodecPool, tmp_path: Path
) -> None:
    """As in a callback of FFmpeg's when memory runs out: Python would open the source."""
    assert hostile.run(told(deed, tmp_path), PATIENCE).detail == "it was let"


@LINUX
def test_the_children_are_confined_before_their_first_clip(good: Request) -> None:
    others = children()
    made = CodecPool(1)
    try:
        assert made.run(good, PATIENCE).status == "resized"
        (child,) = children() - others
        stated = Path(f"/proc/{child}/status").read_text()
        assert "Seccomp:\t2\n" in stated
        assert "NoNewPrivs:\t1\n" in stated
        assert resource.prlimit(child, resource.RLIMIT_CORE) == (0, 0)
        files = (confinement.MAX_OPEN_FILES,) * 2
        assert resource.prlimit(child, resource.RLIMIT_NOFILE) == files
        assert resource.prlimit(child, resource.RLIMIT_FSIZE) == (pool.MAX_OUTPUT_FILE,) * 2
        assert resource.prlimit(child, resource.RLIMIT_AS)[0] < 4 * 1024**3
        assert len(os.listdir(f"/proc/{child}/fd")) <= 8
    finally:
        made.close()


def test_a_process_gives_up_what_it_does_not_need(tmp_path: Path) -> None:
    """But for the filter, with which this process could not tell."""
    ours, theirs = multiprocessing.Pipe()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_RDWR)
    process = os.fork()
    if not process:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(confinement, "system_call_filter", lambda: None)
            child.confine(theirs, 2**30, 4096)
        with contextlib.suppress(OSError):
            os.fstat(other)
            os._exit(1)
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_FSIZE: 4096,
            resource.RLIMIT_NOFILE: confinement.MAX_OPEN_FILES,
        }
        good = all(resource.getrlimit(kind) == (most, most) for kind, most in limits.items())
        theirs.send_bytes(b"good" if good else b"bad")
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
    assert ours.recv_bytes() == b"good"
    os.close(other)


def test_every_system_call_of_the_lists_has_a_number() -> None:
    seccompy = pytest.importorskip("seccompy")
    tables = [seccompy.syscalls.X86_64_SYSCALLS, seccompy.syscalls.AARCH64_SYSCALLS]
    names = (*confinement.PERMITTED, *confinement.FATAL)
    assert [name for name in names if not any(name in table for table in tables)] == []
    assert len(set(names)) == len(names)


def test_a_system_without_the_filter_goes_on_with_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "seccompy", None)
    assert confinement.system_call_filter() is None


@LINUX
def test_a_processor_without_a_table_goes_on_with_the_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert confinement.system_call_filter() is None


def test_a_lower_limit_of_the_user_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append(limits))
    confinement._limit(resource.RLIMIT_FSIZE, 1000)
    assert asked == [(100, 1000)]


def test_only_the_files_that_are_kept_stay_open(tmp_path: Path) -> None:
    """In a process of its own, for the test's would lose the files of pytest."""
    files = [os.open(tmp_path / str(n), os.O_CREAT | os.O_RDWR) for n in range(5)]
    child = os.fork()
    if not child:
        confinement.close_other_files([files[1], files[3]])
        is_open = [0, 0, 0, 0, 0]
        for number, descriptor in enumerate(files):
            with contextlib.suppress(OSError):
                os.fstat(descriptor)
                is_open[number] = 1
        os._exit(0 if is_open == [0, 1, 0, 1, 0] else 1)
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in files:
        os.close(descriptor)


# What it says


@pytest.mark.parametrize("name", hostile_child.RUBBISH)
def test_an_answer_that_is_none_costs_its_clip(name: str, tmp_path: Path) -> None:
    """With a stand-in for the process, and the pipe as it is."""
    parent_end, child_end = multiprocessing.Pipe()
    killed = SimpleNamespace(is_killed=False, join=lambda: None, exitcode=0)
    killed.kill = lambda: setattr(killed, "is_killed", True)
    hostile_child.RUBBISH[name](child_end, str(tmp_path / "made"))
    outcome = pool._Child(killed, parent_end).run(told(name, tmp_path), PATIENCE)
    assert outcome == Outcome.failed("crashed", "its process sent what is no answer")
    assert killed.is_killed
    assert list(tmp_path.iterdir()) == []
    parent_end.close()
    child_end.close()


@pytest.mark.parametrize("name", ["a pickle", "a clip of 2 GB"])
def test_a_child_that_says_it_is_replaced(
    name: str, hostile: CodecPool, good: Request, tmp_path: Path
) -> None:
    assert hostile.run(told(name, tmp_path / "made"), PATIENCE).reason == "crashed"
    assert [hostile.run(good, PATIENCE).status for _ in range(2)] == ["resized"] * 2
    assert list(tmp_path.iterdir()) == []


# What it needs from outside


PACKET = 188
SERVICES = b"\x47\x40\x11"
"""What a packet begins with that has a table of services (ETSI EN 300 468, 5.1.3)."""


def in_charset(code: int) -> bytes:
    """A transport stream whose service has a name in a character set (the same, annex A.2)."""
    made = bytearray(clip("mpegts", frames=5, metadata={"service_name": "Xname"}))
    for packet in range(0, len(made), PACKET):
        if made.startswith(SERVICES, packet):
            table = packet + 5
            end = table + 3 + int.from_bytes(made[table + 1 : table + 3]) % 4096 - 4
            name = made.index(b"Xname", table, end)
            made[name : name + 5] = bytes([code, 0xA1, 0xC0, 0xC4, 0xC1])
            made[end : end + 4] = checksum(made[table:end]).to_bytes(4)
    return bytes(made)


def checksum(data: bytes) -> int:
    """CRC-32/MPEG-2."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


@pytest.mark.parametrize("code", [*range(1, 22), 0x41])
def test_a_name_in_any_character_set_is_read_without_a_file(code: int, hostile: CodecPool) -> None:
    assert (
        hostile.run(Request(in_charset(code), None, ClipSettings()), PATIENCE).status == "resized"
    )


def test_a_large_clip_whose_source_has_gone_is_unreadable(
    hostile: CodecPool, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.touch()
    request = Request(str(tmp_path / "source"), str(target), ClipSettings())
    outcome = hostile.run(request, PATIENCE)
    assert outcome == Outcome.failed("unreadable", os.strerror(errno.ENOENT))


def test_a_large_clip_whose_source_is_a_pipe_is_not_waited_for(
    hostile: CodecPool, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    os.mkfifo(source)
    target.touch()
    outcome = hostile.run(Request(str(source), str(target), ClipSettings()), PATIENCE)
    assert outcome.reason == "unreadable"


def test_a_large_clip_whose_output_has_gone_is_an_error_of_the_disk(
    hostile: CodecPool, good: Request, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(good.source)
    request = Request(str(source), str(tmp_path / "target"), ClipSettings())
    assert hostile.run(request, PATIENCE).write_error.errno == errno.ENOENT


def test_a_clip_that_fills_its_file_is_too_large(good: Request, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(good.source)
    target.touch()
    made = CodecPool(1, output_limit=4096)
    try:
        outcome = made.run(Request(str(source), str(target), ClipSettings()), PATIENCE)
        assert (outcome.status, outcome.reason) == ("failed", "too_large")
        assert "4,096 bytes" in outcome.detail
        assert made.run(good, PATIENCE).status == "resized"
    finally:
        made.close()


def test_a_clip_that_fills_the_memory_for_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beam_pipeline.codec.memory_file.MAX_OUTPUT", 4096)
    outcome = outcome_of(clip(frames=5))
    assert (outcome.status, outcome.reason) == ("failed", "too_large")
