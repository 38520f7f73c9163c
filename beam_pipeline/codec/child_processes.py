"""Start child processes, and kill all of them at once.

Separate from the pool: the code that kills them may run before the codecs are imported.
"""

import multiprocessing
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

_start_lock = threading.Lock()

_programs: "list[subprocess.Popen[bytes]]" = []

START_TIMEOUT = 5.0
"""Seconds that ``kill_all`` waits for a child that is being started."""


def start(process: BaseProcess) -> None:
    """Start a child that ignores Ctrl-C."""
    with _start_lock, _ctrl_c_blocked():
        process.start()


def kill_too(process: "subprocess.Popen[bytes]") -> None:
    """Let ``kill_all`` kill another program that this process has started."""
    _programs.append(process)


def kill_all() -> None:
    """Kill all children. No child can be started afterwards.

    Waits for a child that is being started: it is not listed yet, and would print an error about
    its missing parent to the terminal.
    """
    _start_lock.acquire(timeout=START_TIMEOUT)
    for child in multiprocessing.active_children():
        child.kill()
    for program in _programs:
        program.kill()


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Block Ctrl-C in children, which inherit the mask: the parent handles it and ends them."""
    # Python starts a resource tracker with the first child, and that unblocks the signal.
    resource_tracker.ensure_running()
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
