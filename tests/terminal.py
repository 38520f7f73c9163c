"""A command on a terminal of its own, with keys to press, and what the screen shows in the end."""

import fcntl
import os
import pty
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pyte

from tests import warm
from tests.kinetics import ROOT

COLUMNS, ROWS = 80, 24
CTRL_C = b"\x03"
PATIENCE = 30.0
"""Seconds after which a test gives up on what should take a few."""


class Screen:
    """What a terminal shows after some output: its lines, and the cursor."""

    def __init__(self, output: bytes) -> None:
        screen = pyte.Screen(COLUMNS, ROWS)
        pyte.ByteStream(screen).feed(output)
        self.lines = [line.rstrip() for line in screen.display[: screen.cursor.y + 1]]
        self.column = screen.cursor.x
        self.has_cursor = not screen.cursor.hidden


class Terminal:
    """A command that reads from and writes to a terminal, which is its controlling one."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
        self.process = self._start(command, theirs)
        os.close(theirs)
        self.output = b""

    def _start(
        self, command: Sequence[str | Path], theirs: int
    ) -> "subprocess.Popen[bytes] | warm.Command":
        return subprocess.Popen(
            command,
            cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def wait_for(self, text: str) -> None:
        """Read until the output has the text."""
        until = time.monotonic() + PATIENCE
        while text.encode() not in self.output:
            assert time.monotonic() < until, self.output[-2000:]
            assert self._read(), self.output[-2000:]

    def ended(self) -> int:
        """Read to the end; the exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # nobody on the other side
            return False
        self.output += read
        return bool(read)


class Shown(Terminal):
    """The same for the flags of a command that nobody presses keys for; it is imported already."""

    def _start(self, command: Sequence[str | Path], theirs: int) -> warm.Command:
        terminal = Path(os.ttyname(theirs))
        return warm.Command([str(word) for word in command], terminal, terminal)
