"""The pool of codec processes: what dies costs one clip, and nothing outlives the parent."""

import contextlib
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from beam_pipeline.codec import child
from beam_pipeline.codec.messages import Malformed, encode_outcome
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool, _Child
from beam_pipeline.codec.request import Inspection, Request
from beam_pipeline.codec.settings import ClipSettings
from tests.codec import outcome_of
from tests.make_clips import clip

PROJECT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds after which a test gives up; nothing here should need a tenth of it."""


@pytest.fixture
def pool() -> Iterator[CodecPool]:
    made = CodecPool(1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def good() -> Request:
    return Request(clip(frames=5), None, ClipSettings())


@pytest.fixture(scope="module")
def endless() -> Request:
    """A clip that keeps a child busy for minutes."""
    settings = ClipSettings(short_edge=1024, preset="placebo")
    return Request(clip(size=(64, 64), frames=1500), None, settings)


def in_background(work: Callable[[], Outcome]) -> "Future[Outcome]":
    future: Future[Outcome] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def wait_until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def stat_of(pid: int) -> list[str]:
    """A process's state, and what follows it in /proc; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    return stat_of(pid)[:1] not in ([], ["Z"])


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 where it has ended."""
    return sum(map(int, stat_of(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def wait_until_busy(pids: Iterable[int]) -> int:
    """The first of some started, idle processes that gets to work."""
    before = {pid: cpu_seconds(pid) for pid in pids}
    busy: list[int] = []

    def found() -> bool:
        busy.extend(pid for pid in before if cpu_seconds(pid) > before[pid] + 0.3)
        return bool(busy)

    wait_until(found)
    return busy[0]


def children() -> set[int]:
    return {child.pid for child in multiprocessing.active_children()}


# One clip


def test_a_clip_comes_back_as_it_does_without_the_pool(pool: CodecPool, good: Request) -> None:
    outcome = pool.run(good, PATIENCE)
    assert outcome.status == "resized"
    assert outcome == outcome_of(good.source)
    assert outcome.cpu_seconds is not None
    assert 0 < outcome.cpu_seconds < PATIENCE


def test_a_child_is_used_again(pool: CodecPool, good: Request) -> None:
    assert children() == set()  # it starts with the first clip
    pool.run(good, PATIENCE)
    before = children()
    for _ in range(3):
        assert pool.run(good, PATIENCE).status == "resized"
    assert children() == before


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux has it")
def test_children_make_way_for_the_process_that_holds_their_deadlines(
    pool: CodecPool, good: Request
) -> None:
    pool.run(good, PATIENCE)
    (child,) = children()
    assert os.sched_getscheduler(child) == os.SCHED_BATCH


def test_a_sandbox_without_policies_does_not_keep_children_from_their_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    child._lower_priority()


def test_a_failed_clip_costs_no_child(pool: CodecPool, good: Request) -> None:
    pool.run(good, PATIENCE)
    before = children()
    broken = Request(b"no video", None, ClipSettings())
    assert pool.run(broken, PATIENCE).reason == "not_a_video"
    assert pool.run(good, PATIENCE).status == "resized"
    assert children() == before


def test_a_large_clip_goes_through_files(pool: CodecPool, good: Request, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(good.source)
    target.touch()
    outcome = pool.run(Request(str(source), str(target), ClipSettings()), PATIENCE)
    assert outcome.output is None
    assert target.read_bytes() == pool.run(good, PATIENCE).output


def test_many_threads_share_the_children(good: Request) -> None:
    pool = CodecPool(2)
    try:
        with ThreadPoolExecutor(6) as threads:
            outcomes = list(threads.map(lambda _: pool.run(good, PATIENCE), range(12)))
    finally:
        pool.close()
    assert len({outcome.output for outcome in outcomes}) == 1
    assert outcomes[0].status == "resized"


# Death


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_costs_its_clip_alone(
    death: signal.Signals, pool: CodecPool, good: Request, endless: Request
) -> None:
    assert pool.run(good, PATIENCE).status == "resized"  # the child has started
    running = in_background(lambda: pool.run(endless, PATIENCE))
    os.kill(wait_until_busy(children()), death)

    outcome = running.result(PATIENCE)

    assert (outcome.status, outcome.reason) == ("failed", "crashed")
    assert death.name in outcome.detail
    assert outcome.killed == (death is signal.SIGKILL)  # no codec does that to itself
    assert pool.run(good, PATIENCE).status == "resized"


def test_a_child_that_died_while_idle_costs_at_most_one_clip(
    pool: CodecPool, good: Request
) -> None:
    pool.run(good, PATIENCE)
    (victim,) = children()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not is_running(victim))
    assert pool.run(good, PATIENCE).reason in (None, "crashed")
    assert pool.run(good, PATIENCE).status == "resized"


def test_the_death_of_one_child_leaves_the_others_at_work(good: Request, endless: Request) -> None:
    pool = CodecPool(2)
    try:
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: pool.run(good, PATIENCE), range(4)))
        running = in_background(lambda: pool.run(endless, PATIENCE))
        busy = wait_until_busy(children())
        assert pool.run(good, PATIENCE).status == "resized"
        os.kill(busy, signal.SIGKILL)
        assert running.result(PATIENCE).reason == "crashed"
        assert [pool.run(good, PATIENCE).status for _ in range(2)] == ["resized"] * 2
    finally:
        pool.close()


# Time


def test_a_clip_that_takes_too_long_ends_at_its_deadline(
    pool: CodecPool, good: Request, endless: Request
) -> None:
    assert pool.run(good, PATIENCE).status == "resized"  # the child has started
    began = time.monotonic()
    outcome = pool.run(endless, 1)
    took = time.monotonic() - began

    assert (outcome.status, outcome.reason) == ("failed", "timeout")
    assert "1 s" in outcome.detail
    assert 1 <= took < 3
    assert pool.run(good, PATIENCE).status == "resized"


def test_a_child_that_hangs_ends_at_its_deadline(pool: CodecPool, good: Request) -> None:
    assert pool.run(good, PATIENCE).status == "resized"
    (victim,) = children()
    os.kill(victim, signal.SIGSTOP)
    began = time.monotonic()
    outcome = pool.run(good, 0.5)
    took = time.monotonic() - began

    assert (outcome.status, outcome.reason) == ("failed", "timeout")
    assert 0.5 <= took < 2.5
    assert not is_running(victim)
    assert pool.run(good, PATIENCE).status == "resized"


def test_a_child_that_stopped_reading_ends_at_its_deadline(pool: CodecPool, good: Request) -> None:
    assert pool.run(good, PATIENCE).status == "resized"
    (victim,) = children()
    os.kill(victim, signal.SIGSTOP)
    heavy = Request(bytes(8_000_000), None, ClipSettings())  # far more than a pipe holds
    assert pool.run(heavy, 1).reason == "timeout"
    assert pool.run(good, PATIENCE).status == "resized"


def test_a_clip_that_waits_for_a_child_is_not_late(
    pool: CodecPool, good: Request, endless: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time begins when the other's has ended."""
    seen: list[tuple[str, float]] = []
    begun = threading.Event()

    class Timer(threading.Timer):
        def start(self) -> None:
            seen.append(("begun", self.interval))
            begun.set()
            super().start()

        def cancel(self) -> None:
            seen.append(("ended", self.interval))
            super().cancel()

    assert pool.run(good, PATIENCE).status == "resized"
    monkeypatch.setattr(threading, "Timer", Timer)
    first = in_background(lambda: pool.run(endless, 0.5))
    assert begun.wait(PATIENCE)
    second = in_background(lambda: pool.run(good, PATIENCE))
    assert first.result(PATIENCE).reason == "timeout"
    assert second.result(PATIENCE).status == "resized"
    assert seen == [(event, time) for time in (0.5, PATIENCE) for event in ("begun", "ended")]


# Memory


@pytest.fixture(scope="module")
def large() -> bytes:
    """One picture of 50 MB."""
    return clip("matroska", "ffv1", (4096, 4096), frames=1, pix_fmt="yuv444p")


@pytest.mark.parametrize("megabytes", [64, 100, 150])
def test_a_clip_that_needs_too_much_memory_is_too_large(
    megabytes: int, large: bytes, good: Request
) -> None:
    pool = CodecPool(1, memory_limit=megabytes * 1024**2)
    try:
        outcome = pool.run(Request(large, None, ClipSettings(short_edge=4096)), PATIENCE)
        assert (outcome.status, outcome.reason) == ("failed", "too_large")
        assert pool.run(good, PATIENCE).status == "resized"
    finally:
        pool.close()


@pytest.mark.parametrize("megabytes", [200, 400])
def test_an_encoder_without_memory_says_nothing_on_the_terminal(
    megabytes: int, good: Request, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = CodecPool(1, memory_limit=megabytes * 1024**2)
    try:
        asked = Request(good.source, None, ClipSettings(short_edge=4096))
        assert pool.run(asked, PATIENCE).reason == "too_large"
    finally:
        pool.close()
    assert capfd.readouterr() == ("", "")  # x264 itself says "malloc failed"


# The end


STARTS_A_CHILD = """
import multiprocessing, os, pathlib, threading, time
from beam_pipeline.codec import child_processes

def spawned():
    for tasks in pathlib.Path("/proc/self/task").glob("*/children"):
        for pid in tasks.read_text().split():
            if b"spawn_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return True

if __name__ == "__main__":
    slow = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(3600,))
    slow.more = bytes(200_000_000)  # so much that the child is there before it has all it needs
    threading.Thread(target=child_processes.start, args=(slow,), daemon=True).start()
    while not spawned():
        pass
    child_processes.kill_all()
    os._exit(0)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at /proc")
def test_a_child_that_is_just_being_started_ends_without_a_word(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(STARTS_A_CHILD)
    ended = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_close_ends_children_that_are_busy(good: Request, endless: Request) -> None:
    pool = CodecPool(2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: pool.run(good, PATIENCE), range(4)))
    ours = children()
    assert len(ours) == 2
    running = in_background(lambda: pool.run(endless, PATIENCE))
    wait_until_busy(ours)

    pool.close()

    assert running.result(PATIENCE).status == "failed"
    wait_until(lambda: not any(is_running(pid) for pid in ours))
    assert not children()


def test_close_may_be_called_twice() -> None:
    pool = CodecPool(1)
    pool.close()
    pool.close()
    assert not children()


PARENT = textwrap.dedent(
    """
    import multiprocessing, pathlib, sys, threading
    from beam_pipeline.codec.request import Request
    from beam_pipeline.codec.pool import CodecPool
    from beam_pipeline.codec.settings import ClipSettings

    if __name__ == "__main__":
        good, endless = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])
        pool = CodecPool(2)
        while any(pool.run(Request(good, None, ClipSettings()), 60).output is None for _ in "1234"):
            pass
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        settings = ClipSettings(short_edge=1024, preset="placebo")
        work = Request(endless, None, settings)
        threading.Thread(target=pool.run, args=(work, 600), daemon=True).start()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pool.close()
            sys.exit(130)
    """
)


@pytest.fixture
def parent(tmp_path: Path, good: Request, endless: Request) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own group with two children, one idle, one in the middle of a clip."""
    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "good").write_bytes(good.source)
    (tmp_path / "endless").write_bytes(endless.source)
    process = subprocess.Popen(
        [sys.executable, "parent.py", "good", "endless"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_children_end_when_the_parent_is_killed(parent: "subprocess.Popen[str]") -> None:
    offspring = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(offspring) == 2
    wait_until_busy(offspring)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(is_running(pid) for pid in offspring), patience=10)


def test_an_idle_child_ends_when_the_parent_is_killed(parent: "subprocess.Popen[str]") -> None:
    offspring = {int(pid) for pid in parent.stdout.readline().split()}
    (idle,) = offspring - {wait_until_busy(offspring)}
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(idle), patience=10)


def test_ctrl_c_ends_all_without_a_word_from_the_children(parent: "subprocess.Popen[str]") -> None:
    offspring = [int(pid) for pid in parent.stdout.readline().split()]
    wait_until_busy(offspring)
    os.killpg(parent.pid, signal.SIGINT)
    _, said = parent.communicate(timeout=PATIENCE)
    assert said == ""
    assert parent.returncode == 130
    wait_until(lambda: not any(is_running(pid) for pid in offspring))


def test_ctrl_c_works_again_in_the_parent_once_the_children_have_started(
    pool: CodecPool,
) -> None:
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_clip_can_be_decoded_and_nothing_is_written(
    pool: CodecPool, good: Request, tmp_path: Path, in_memory: bool
) -> None:
    made = pool.run(good, PATIENCE)
    assert made.output is not None
    path = tmp_path / "clip.mp4"
    path.write_bytes(made.output)
    outcome = pool.run(Inspection(made.output if in_memory else str(path)), PATIENCE)
    seen, stated = outcome.facts, made.facts
    assert (outcome.status, outcome.detail, outcome.output) == ("decoded", None, None)
    assert (seen.width, seen.height, seen.frames) == (stated.width, stated.height, 5)
    assert seen.duration == pytest.approx(stated.duration * 4 / 5)  # to the last picture
    assert (seen.has_audio, seen.decode_errors) == (False, 0)
    assert pool.run(good, PATIENCE) == made  # the child goes on


def test_a_file_that_does_not_decode_says_why(pool: CodecPool, tmp_path: Path) -> None:
    assert pool.run(Inspection(b"no video"), PATIENCE).reason == "not_a_video"
    gone = pool.run(Inspection(str(tmp_path / "gone")), PATIENCE)
    assert (gone.reason, gone.detail) == ("unreadable", "No such file or directory")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Inspection(b"?"), Outcome("resized")),
        (Inspection(b"?"), Outcome("failed", write_error=OSError(errno.ENOSPC, "full"))),
        (Request(b"?", None, ClipSettings()), Outcome("decoded")),
    ],
)
def test_an_answer_to_something_else_is_none(asked: Request | Inspection, answer: Outcome) -> None:
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        theirs.send_bytes(encode_outcome(answer))
        with pytest.raises(Malformed):
            _Child(multiprocessing.Process(), ours)._receive(asked)
