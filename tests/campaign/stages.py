"""The stages of a run in a process that dies, or meets a fault, at a change of the file system.

The stages are called one after the other as the pipeline does it, without Beam and without
codecs: what is tested is what they write, and in which order. So a run takes some hundredths of a
second, and any of its changes can be the last.
"""

import errno
import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from beam_pipeline.codec.outcome import Facts, Outcome
from beam_pipeline.codec.request import Request
from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.earlier.read_rows import read_rows
from beam_pipeline.elements import SPLITS, Clip, ResizeTask, Row, Split, Unannotated, Video
from beam_pipeline.errors import RunError
from beam_pipeline.output import leases, row_log
from beam_pipeline.plan.decide import finished_rows
from beam_pipeline.results.merge_splits import check_split, merge_split
from beam_pipeline.results.write_shards import write_shard
from beam_pipeline.results.write_summary import finish
from beam_pipeline.sources.list_tree import search_folder
from beam_pipeline.sources.passed_over import CountPassedOver
from beam_pipeline.storage import urls
from beam_pipeline.work import worker_pool
from beam_pipeline.work.resize_clips import _Resize
from tests.faults.runs import assert_same, clips, result
from tests.kinetics import configured

CLIPS = 9
LABEL_IDS = {"air drumming": 0, "zumba": 1}
MOST_KILLS = 20
DEADLINE = 60.0
"""Seconds that a run may take; it takes some hundredths of one."""

CHANGES = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink",
}  # fmt: skip
WRITES = frozenset({"write", "flush", "truncate", "fsync", "fdatasync"})
CLOSE = frozenset({"close"})
"""Nothing fails where a file is closed that was flushed before, or never written."""

FAULTS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ESTALE)


# The run


class Codecs:
    """In place of the children: what a clip becomes depends on its bytes and on nothing else."""

    def __init__(self, _size: int, **_: Any) -> None: ...

    def run(self, request: Request, _timeout: float) -> Outcome:
        assert isinstance(request.source, bytes)
        made = request.source * 3
        facts = Facts(sha256=hashlib.sha256(made).hexdigest(), bytes=len(made), frames=10)
        return Outcome("resized", output=made, facts=facts)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Data:
    """Tasks, and what a run that nothing disturbs makes of them."""

    tasks: tuple[ResizeTask, ...]
    undisturbed: dict[str, Any]
    changes: int


def run_stages(config: Config, tasks: Sequence[ResizeTask]) -> None:
    """What the pipeline does with an output, from its settings to its summary."""
    try:
        _run_stages(config, tasks)
    except BaseException:
        row_log.flush_all(5)
        leases.remove_unused_state(config.output)
        leases.release_all(5)
        raise


def _run_stages(config: Config, tasks: Sequence[ResizeTask]) -> None:
    prepared = [element for element in prepare_output(config) if isinstance(element, str)]
    read = (row for url in prepared for row in read_rows(url, config))
    earlier = [row for row in read if isinstance(row, Row)]
    folder = config.output.url("videos")
    outputs = [
        found
        for found in search_folder((0, folder, urls.real(folder)), None)
        if isinstance(found, Video)
    ]
    finished = finished_rows(earlier, outputs, config.output)
    rows = [finished[t.path].reused_for(t.clip) for t in tasks if t.path in finished]
    stage = _Resize(config)
    stage.setup()
    stage.start_bundle()
    for task in tasks:
        if task.path not in finished:
            rows += stage.process(task)
    ends = [end.value for end in stage.finish_bundle()]
    rows += [end for end in ends if isinstance(end, Row)]
    stage.teardown()
    shards = []
    for split in SPLITS:
        of_split = [row for row in rows if row.split == split]
        shards.append((split, [write_shard((split, 0), of_split, config.output)[1][1]]))
    for split, paths in shards:
        check_split(split, paths, config, shards)
    merged = [merge_split(split, paths, config, shards) for split, paths in shards]
    nothing = CountPassedOver().extract_output(Counter())
    finish(merged, config, LABEL_IDS, Unannotated(), nothing, 0, [])


def settings(output: str, *more: str) -> Config:
    """The settings of such a run."""
    return configured("--output", output, "--path_prefix=", "--workers=2", *more)


@cache
def data() -> Data:
    """Small files, and what becomes of them."""
    worker_pool.CodecPool = Codecs  # type: ignore[assignment, misc]
    folder = Path(tempfile.mkdtemp())
    (folder / "sources").mkdir()
    tasks = []
    for number in range(CLIPS):
        label = sorted(LABEL_IDS)[number % 2]
        split: Split = SPLITS[number % 3]
        clip_id = f"{number}_000001_000011"
        source = folder / "sources" / f"{clip_id}.mp4"
        source.write_bytes(b"%d" % number * (number + 1))
        clip = Clip(clip_id, str(number), 1, 11, split, label, LABEL_IDS[label])
        path = settings(str(folder)).clip_path(clip)
        tasks.append(ResizeTask(clip, path, ((str(source), None),)))
    output = folder / "undisturbed"
    status, said = _forked(output, tasks, calls=WRITES | CLOSE)
    assert status == 0, said
    return Data(tuple(tasks), result(output), int(said))


# What happens to it


NEVER = 10**9


class AtChange:
    """Acts at the n-th change of the file system below a folder, in any thread."""

    def __init__(
        self, folder: Path, number: int, act: Callable[[], None], calls: frozenset[str]
    ) -> None:
        self._folder = str(folder)
        self._number = number
        self._act = act
        self._calls = calls
        self._lock = threading.Lock()
        self.count = 0

    def watch(self) -> None:
        """From now on; there is no way back."""
        sys.addaudithook(self._audit)
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if isinstance(path, str) and (flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                self._change(path)
        elif event in CHANGES and isinstance(args[0], str):
            self._change(args[0])

    def _profile(self, _frame: Any, event: str, called: Any) -> None:
        if event in ("c_call", "c_return") and called.__name__ in self._calls:
            name = getattr(getattr(called, "__self__", None), "name", None)
            if isinstance(name, str):
                self._change(name)

    def _change(self, path: str) -> None:
        if path.startswith(self._folder):
            with self._lock:
                self.count += 1
                due = self.count == self._number
            if due:
                self._act()


def _forked(
    output: Path,
    tasks: Sequence[ResizeTask],
    number: int = NEVER,
    act: Callable[[], None] = lambda: None,
    calls: frozenset[str] = WRITES,
) -> tuple[int, str]:
    """Run the stages in a process of its own; its exit status, and what it has to say.

    The status is 0, 1 if the run says why it ended, 2 after any other error, or that of a signal.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status, said = 2, ""
        try:
            at_change = AtChange(output, number, act, calls)
            config = settings(str(output))
            at_change.watch()
            run_stages(config, tasks)
            status, said = 0, str(at_change.count)
        except RunError as error:
            status, said = 1, str(error)
        except BaseException:
            said = traceback.format_exc()
        finally:
            sys.setprofile(None)
            os.write(writer, said.encode()[-60_000:])
            os._exit(status)
    os.close(writer)
    status = _wait(pid)
    with os.fdopen(reader) as file:
        return status, file.read()


def _wait(pid: int) -> int:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"a run hangs for more than {DEADLINE:g} s")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_stages(seed: int) -> int:
    """Kill runs in one output, each at any of its changes; the next ends as if nothing had been."""
    chance = random.Random(seed)
    kills = 0
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        made: dict = {}
        for number in _moments(chance):
            status, said = _forked(output, data().tasks, number, _die, WRITES | CLOSE)
            assert status in (0, -signal.SIGKILL), said
            kills += status != 0
            assert made.items() <= clips(output).items(), "a clip was made again"
            made = clips(output)
        _finish_undisturbed(output)
    return kills


def local_faults(seed: int) -> int:
    """Let a change fail, in one run after the other; each says so, and the next goes on.

    A fault that a run can do without is not counted.
    """
    chance = random.Random(seed)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "output")
        for number in _moments(chance):
            code = chance.choice(FAULTS)

            def fail(code: int = code) -> None:
                raise OSError(code, os.strerror(code))

            status, said = _forked(output, data().tasks, number, fail)
            assert status in (0, 1), said
            faults += status
        _finish_undisturbed(output)
    return faults


def _moments(chance: random.Random) -> Iterator[int]:
    """Numbers of changes. What is made already makes the later runs shorter."""
    for run in range(1, chance.randint(2, MOST_KILLS)):
        yield chance.randint(1, max(20, data().changes // run))


def _finish_undisturbed(output: Path) -> None:
    status, said = _forked(output, data().tasks)
    assert status == 0, said
    assert_same(output, data().undisturbed)
