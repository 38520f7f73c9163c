"""Whole commands that are killed again and again, and finished by the next one."""

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from tests.buckets import BUCKET, Buckets
from tests.faults.conftest import Many, make_many
from tests.faults.runs import Run, assert_same, clips, result
from tests.faults.test_archives import assert_same_but_for_sources
from tests.faults.test_buckets import copied
from tests.faults.test_killed import wait_for_a_moment
from tests.kinetics import snapshot
from tests.packing import pack

SOURCES = ("folder", "folder", "folder", "archives", "archives", "bucket")
WAYS = (*["group"] * 6, "parent", "child", "terminate", "interrupt", "interrupt twice")
MOST_KILLS = 12
PARTS = 3

MINUTES = 240.0
"""Seconds: in a bucket the last run waits to see whether another is still at work."""


def killed_commands(seed: int) -> int:
    """Kill some commands on one output; the next then ends as one that nothing disturbed."""
    chance = random.Random(seed)
    source = chance.choice(SOURCES)
    kills = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        buckets = stack.enter_context(Buckets()) if source == "bucket" else None
        flags = _flags(source, folder / "output", buckets)
        if source == "folder" and chance.random() < 0.1:  # made before, and to be made again
            _finish(flags, folder)
            flags += ["--overwrite", "true"]
        made: dict = {}
        for _ in range(chance.randint(1, MOST_KILLS)):
            with Run(flags, folder) as run, _beside(chance, flags, folder) as is_alone:
                if source == "bucket":
                    time.sleep(chance.uniform(0, 3))
                else:
                    wait_for_a_moment(chance, run, folder / "output")
                kills += not run.is_over()
                taken_over = "--overwrite" in flags and not is_alone
                _strike(run, chance, taken_over)
            if "--overwrite" not in flags:
                now = clips(folder / "output")
                again = {name: (about, now.get(name)) for name, about in made.items()
                         if now.get(name) != about}  # fmt: skip
                assert not again, f"made again, before and after: {again}"
                made = now
        _finish([flag for flag in flags if flag not in ("--overwrite", "true")], folder)
        output = copied(buckets, folder) if buckets else folder / "output"
        if source == "archives":
            assert_same_but_for_sources(result(output), _data().undisturbed)
        else:
            assert_same(output, _data().undisturbed)
    return kills


def _strike(run: Run, chance: random.Random, may_be_taken_over: bool) -> None:
    """End a run in one of the ways in which runs end, or one of its children; wait for the end.

    A run whose output another takes over with ``--overwrite`` may end with status 1 and say so.
    """
    way = chance.choice(WAYS)
    if way == "group":
        run.kill()
        return
    if way == "parent":
        run.process.kill()
    elif way == "child":
        children = [pid for pid in run.members() if pid != run.process.pid]
        if children:
            _kill(chance.choice(children))
    else:
        number = signal.SIGTERM if way == "terminate" else signal.SIGINT
        for _ in range(2 if way.endswith("twice") else 1):
            if not run.is_over():
                run.signal(number)
            time.sleep(chance.uniform(0, 0.01))
    ended = run.finished(MINUTES)
    assert "Traceback" not in ended.err, ended.err
    if may_be_taken_over and ended.status == 1:
        assert "--overwrite" in ended.complaint, ended
        return
    assert ended.status in (0, 130, 143, -9, -2, -15), (way, ended)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def _beside(chance: random.Random, flags: list[str], folder: Path) -> Iterator[bool]:
    """Now and then another run in the same output, killed as well; yields whether there is none."""
    if chance.random() < 0.85:
        yield True
        return
    with Run(flags, folder):
        time.sleep(chance.uniform(0, 1))
        yield False


def _finish(flags: list[str], folder: Path) -> None:
    with Run(flags, folder, fork_codecs=True) as run:
        ended = run.finished(MINUTES)
    assert ended.status == 0, ended.err
    assert "Traceback" not in ended.err, ended.err


def _flags(source: str, output: Path, buckets: Buckets | None) -> list[str]:
    flags = _data().flags(output)
    if source == "archives":
        flags[flags.index("--videos") + 1] = str(_archives())
    if buckets:
        flags[flags.index("--output") + 1] = f"gs://{BUCKET}/out"
        flags += buckets.flags
    return flags


@cache
def _data() -> Many:
    return make_many(Path(tempfile.mkdtemp()))


@cache
def _archives() -> Path:
    """The clips in some archives, compressed and not."""
    videos = {name: data for name, (data, _) in snapshot(_data().kinetics.videos).items()}
    names = sorted(videos)
    folder = Path(tempfile.mkdtemp())
    for part in range(PARTS):
        members = {name: videos[name] for name in names[part::PARTS]}
        pack(folder / f"part{part}.tar", members, ("w:gz", "w", "w")[part])
    return folder
