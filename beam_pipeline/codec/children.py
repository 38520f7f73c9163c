"""The start of child processes, and the end of all of them at once.

Apart from the pool, for who ends them may not have imported the codecs yet.
"""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

_starting = threading.Lock()

START_TAKES = 5.0
"""Seconds after which a start that is under way is not waited for."""


def start(process: BaseProcess) -> None:
    """Start a child that Ctrl-C does not reach."""
    with _starting, _ctrl_c_blocked():
        process.start()


def end_all() -> None:
    """Kill all children; none is started any more.

    One that is just being started is waited for: it is not known yet, and would complain on the
    terminal that its parent has gone.
    """
    _starting.acquire(timeout=START_TAKES)
    for child in multiprocessing.active_children():
        child.kill()


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Children inherit the mask: Ctrl-C is for the parent, who then ends them."""
    # Python starts a helper of its own with the first child, and unblocks the signal then.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
