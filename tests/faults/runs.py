"""The command in a process group of its own, that is killed, stopped, starved and run again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from tests import warm
from tests.kinetics import PROGRESS, ROOT, Finished, Kinetics, all_rows, command, summary, without

BY_WHOM_AND_WHEN = ("status", "seconds")
PATIENCE = 120.0
"""Seconds after which a test gives up on what should take a few."""

Identity = tuple[int, int, int]
"""Inode, bytes and time of change of a file: what stays only if nobody has written it."""


class Run:
    """A command at work; ``launcher`` may be a program that starts it.

    Where there is none, and the start itself is not what is tested (``anew``), it comes from a
    process that has imported Beam already. A command that nobody stops may have its codecs
    forked, too (``fork_codecs``).
    """

    def __init__(
        self, flags: Sequence[str], folder: Path, launcher: Sequence[str] = (), anew: bool = False,
        fork_codecs: bool = False,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self._out = (folder / f"out{time.monotonic_ns()}").open("w+")
        self._err = (folder / f"err{time.monotonic_ns()}").open("w+")
        self.began = time.monotonic()
        if launcher or anew:
            self.process: Any = subprocess.Popen(
                [*launcher, *command(*flags)],
                cwd=ROOT, stdout=self._out, stderr=self._err, start_new_session=True,
            )  # fmt: skip
        else:
            self.process = warm.Command(
                flags, Path(self._out.name), Path(self._err.name), start_new_session=True,
                fork_codecs=fork_codecs,
            )  # fmt: skip
        self._fork_codecs = fork_codecs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not self.members())
        self._out.close()
        self._err.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        """The whole group, and wait until nothing is left of it."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not self.members())

    def members(self) -> list[int]:
        """The living processes of the session, and codecs that were forked."""
        mine = [pid for pid, state, session in _processes() if session == self.process.pid
                and state not in "ZX"]  # fmt: skip
        return mine + (warm.forked_codecs() if self._fork_codecs else [])

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def said(self) -> str:
        """What it has written to stderr so far."""
        return _text(self._err)

    def finished(self, within: float = PATIENCE) -> Finished:
        """Wait for the end; no process may outlive it by more than a moment."""
        self.process.wait(within)
        wait_for(lambda: not self.members(), 10)
        said = PROGRESS.sub("", _text(self._err))
        return Finished(self.process.returncode, _text(self._out), said)


def _text(file: Any) -> str:
    return Path(file.name).read_text()


def _processes() -> Iterator[tuple[int, str, int]]:
    """Id, state and session of every process there is."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(folder.name), fields[0], int(fields[3])


def wait_for(happens: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is so; fail where it does not come to that."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def locks(output: Path) -> list[Path]:
    """The locks of runs that have begun: that of one that begins is in a folder ``*.new``."""
    return list((output / "_state").glob("*[0-9a-f]/lock"))


def flags(kinetics: Kinetics, output: Path, *more: str) -> list[str]:
    """A command line for a quick run whose lists are the same wherever the output is."""
    given = {"--short_edge": "32", "--preset": "ultrafast", "--path_prefix": "", "--workers": "2"}
    for name in more[::2]:
        given.pop(name.partition("=")[0], None)
    usual = [word for pair in given.items() for word in pair]
    return [
        "--annotations", str(kinetics.annotations), "--videos", str(kinetics.videos),
        "--output", str(output), *usual, *more,
    ]  # fmt: skip


def finish(arguments: Sequence[str], folder: Path) -> Finished:
    """Run a command to its end."""
    with Run(arguments, folder, fork_codecs=True) as run:
        return run.finished()


# What a run leaves


def files(output: Path) -> dict[str, Identity]:
    """Every file below a folder, and whether it is still the same one."""
    found = {}
    for folder, _, names in os.walk(output):
        for name in names:
            path = Path(folder, name)
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # a run is at work
            about = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
            found[str(path.relative_to(output))] = about
    return found


def clips(output: Path) -> dict[str, Identity]:
    """The clips that are made so far, with their paths relative to the output."""
    made = files(output / "videos")
    return {f"videos/{name}": about for name, about in made.items()}


def result(output: Path) -> dict[str, Any]:
    """What a finished output comes to, whoever made it and when."""
    named = ("train.csv", "val.csv", "test.csv", "label2id.json", "missing.csv")
    said = summary(output)
    return {
        "clips": {name: (output / name).read_bytes() for name in clips(output)},
        "lists": {name: (output / name).read_bytes() for name in named},
        "rows": {name: without(row, *BY_WHOM_AND_WHEN) for name, row in all_rows(output).items()},
        "fingerprints": (said["fingerprint"], said["membership_fingerprint"]),
        "files": sorted(files(output)),
        "folders": sorted(entry.name for entry in output.iterdir() if entry.is_dir()),
    }


def assert_same(output: Path, expected: dict[str, Any]) -> None:
    """Compare part by part, so that a difference is said in few words."""
    found = result(output)
    for part, content in expected.items():
        assert found[part] == content, f"{part} of {output}"
