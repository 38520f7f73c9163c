"""What is read of a member, and how much of all of them at once."""

import io
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Clip
from beam_pipeline.progress import metrics
from beam_pipeline.sources.tar_headers import BrokenArchive
from beam_pipeline.sources.tar_stream import Member, TarStream
from beam_pipeline.work import resize_members
from beam_pipeline.work.budget import Budget
from beam_pipeline.work.resize_members import refuse, source_of
from beam_pipeline.work.worker_pool import MAX_IN_FLIGHT, MAX_ON_DISK, WorkerPool
from tests.kinetics import configured
from tests.packing import END, blocks, header, member, sparse

WAITS = 0.05
"""Seconds after which somebody who could go on would have."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = configured("--output", str(tmp_path / "output"), "--workers=1")
    assert list(prepare_output(config)) == []
    return config


@pytest.fixture
def pool(config: Config) -> Iterator[WorkerPool]:
    pool = WorkerPool.acquire(config)
    yield pool
    pool.release()


def first_of(archive: bytes, size: int | None = None) -> Member:
    return next(TarStream(io.BufferedReader(io.BytesIO(archive)), size).members())


def temporary_files(config: Config) -> list[int]:
    folder = Path(config.output.url(f"{config.output.state}/tmp"))
    return [path.stat().st_size for path in folder.iterdir()]


# A budget


def test_who_wants_more_than_is_left_waits() -> None:
    budget = Budget(10)
    held = [ExitStack(), ExitStack()]
    for stack, count in zip(held, (6, 4), strict=True):
        stack.enter_context(budget.hold(count))
    with ThreadPoolExecutor(1) as threads:
        third = threads.submit(ExitStack().enter_context, budget.hold(5))
        assert is_waiting(third)
        held[1].close()
        assert is_waiting(third)
        held[0].close()
        third.result(60)


def is_waiting(future) -> bool:
    return not threading.Event().wait(WAITS) and not future.done()


def test_what_is_more_than_all_goes_alone() -> None:
    budget = Budget(10)
    with budget.hold(99):
        pass
    with ThreadPoolExecutor(1) as threads:
        with budget.hold(1):
            large = threads.submit(ExitStack().enter_context, budget.hold(99))
            assert is_waiting(large)
            with pytest.raises(ValueError, match="x"), budget.hold(2):
                raise ValueError("x")
            assert is_waiting(large)
        large.result(60)


# What members take


def test_a_pool_states_what_members_take(config: Config, pool: WorkerPool) -> None:
    with pool.memory.hold(MAX_IN_FLIGHT), pool.disk.hold(MAX_ON_DISK):
        assert (MAX_IN_FLIGHT, MAX_ON_DISK) == (128 * 1024**2, 4 * 1024**3)
        assert pool.memory._held + pool.disk._held == MAX_IN_FLIGHT + MAX_ON_DISK


def test_members_in_memory_wait_for_each_other(pool: WorkerPool) -> None:
    pool.memory = Budget(1000)
    with ExitStack() as first, ThreadPoolExecutor(1) as threads:
        assert source_of(first_of(member("a.mp4", b"1" * 600)), "a", pool, first).size == 600
        second = ExitStack()
        source = threads.submit(source_of, first_of(member("b.mp4", b"2" * 600)), "b", pool, second)
        assert is_waiting(source)
        first.close()
        assert source.result(60).content == b"2" * 600
        second.close()
    assert pool.memory._held == 0


def test_members_on_disk_wait_for_each_other_before_a_file_is_made(
    config: Config, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize_members, "MAX_IN_MEMORY", 100)
    pool.disk = Budget(1000)
    with ExitStack() as first, ThreadPoolExecutor(1) as threads:
        source_of(first_of(member("a.mp4", b"1" * 600)), "a", pool, first)
        assert temporary_files(config) == [600]
        second = ExitStack()
        source = threads.submit(source_of, first_of(member("b.mp4", b"2" * 600)), "b", pool, second)
        assert is_waiting(source)
        assert temporary_files(config) == [600]
        first.close()
        assert os.path.getsize(source.result(60).content) == 600
        second.close()
    assert temporary_files(config) == []
    assert pool.disk._held == 0


@pytest.mark.parametrize("in_memory", [100, 10_000])
def test_a_member_that_is_cut_off_holds_nothing(
    config: Config, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(resize_members, "MAX_IN_MEMORY", in_memory)
    cut = header("a.mp4", 5000) + blocks(b"1" * 600)
    for size in (None, len(cut)):
        with pytest.raises(BrokenArchive, match="it ends early"), ExitStack() as stack:
            source_of(first_of(cut, size), "a", pool, stack)
    assert temporary_files(config) == []
    assert pool.memory._held == pool.disk._held == 0


# What is refused unread


def refused(archive: bytes, name: str = "videos/a.mp4", **changes) -> tuple[str, str] | None:
    config = replace(configured("--output", "/o"), **changes)
    outcome = refuse(first_of(archive), name, config)
    return None if outcome is None else (str(outcome.reason), str(outcome.detail))


def test_members_are_refused_by_what_they_claim() -> None:
    assert refused(member("a.mp4", b"1")) is None
    assert refused(header("a.mp4", 4 * 1024**3)) is None
    assert refused(header("a.mp4", 4 * 1024**3 + 1)) == (
        "too_large", "its size in the archive is 4,294,967,297 bytes; at most 4,294,967,296",
    )  # fmt: skip
    for claimed in (0, 2**63, 4 * 1024**3):
        assert refused(sparse("a.mp4", b"1", claimed) + END) == (
            "unreadable", "a sparse file; pack it without holes",
        )  # fmt: skip


def test_only_where_its_name_becomes_the_output_s_it_is_held_to_it() -> None:
    assert refused(member("a.mp4", b"1"), "videos/a\n.mp4") is None
    reason, detail = refused(member("a.mp4", b"1"), "videos/a\n.mp4", annotations=()) or ("", "")
    assert (reason, detail.partition(",")[0]) == ("bad_name", "its name has a control character")


def test_what_a_refused_member_claims_is_counted_nowhere() -> None:
    """Not even by Beam, whose counters end the run above 2^63."""
    outcome = Outcome.failed("too_large", "9,223,372,036,854,775,808 bytes")
    row = resize_members._fail(Clip("a"), "videos/a.mp4", "a.tar/a.mp4", outcome, 0.0, None).row  # type: ignore[arg-type]
    assert (row.status, row.source, row.source_bytes, row.path) == (
        "failed", "a.tar/a.mp4", None, None,
    )  # fmt: skip
    metrics.count_finished(row, None)
