"""Child processes that hold the codecs, so that no clip can take the run down with it.

Each child has a pipe of its own. The pools of the standard library and of Pebble share one
among all children, so that a child which dies while it holds the pipe's lock stops the others.
"""

import multiprocessing
import queue
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from beam_pipeline.codec import children
from beam_pipeline.codec.child import Request, work
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.errors import RunError

MEMORY_LIMIT = 2 * 1024**3
"""Bytes that one clip's work may take."""

STARTS = 3
"""Times that a child is started anew before the run is given up."""

START_TIMEOUT = 120
"""Seconds that a child may take to import the codecs, on a machine with other things to do."""

_spawn = multiprocessing.get_context("spawn")  # Beam's workers have threads; they must not fork


class CodecPool:
    """A fixed number of children; ``run`` may be called from any number of threads.

    Clips are taken up in the order they come, each by a thread that waits for its child.
    """

    def __init__(self, size: int, memory_limit: int = MEMORY_LIMIT) -> None:
        self._memory_limit = memory_limit
        self._threads = ThreadPoolExecutor(size)
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._busy: set[_Child] = set()
        self._closed = False
        for _ in range(size):
            self._idle.put(_start_child(memory_limit))

    def run(self, request: Request, timeout: float) -> Outcome:
        """Do one clip's work in the next idle child, within ``timeout`` seconds.

        A child that dies or overruns is replaced, and its clip's outcome says so.
        """
        return self._threads.submit(self._run, request, timeout).result()

    def _run(self, request: Request, timeout: float) -> Outcome:
        child: _Child | None = self._idle.get()
        try:
            if child is None or not child.is_ready():
                child = self._start_ready_child()
            self._busy.add(child)
            outcome = child.ask(request, timeout)
            if outcome.reason == "too_large":
                child.kill()  # what a codec leaves behind when memory is out is anybody's guess
            return outcome
        finally:
            if child is not None:
                self._busy.discard(child)
                if self._closed:
                    child.kill()
                if not child.process.is_alive():
                    child = None
            self._idle.put(child)

    def _start_ready_child(self) -> "_Child":
        for _ in range(STARTS):
            child = _start_child(self._memory_limit)
            if child.is_ready():
                return child
        raise RunError(
            f"cannot start a process for the codecs: it {_cause_of_death(child.process)}; "
            "see whether this Python can start processes and import av"
        )

    def close(self) -> None:
        """End all children, busy ones too."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in tuple(self._busy):
            child.process.kill()  # whoever waits for it sees the pipe close
        while not self._idle.empty():
            if idle := self._idle.get():
                idle.kill()


@dataclass(eq=False)
class _Child:
    process: BaseProcess
    connection: Connection
    _ready: bool = False

    def is_ready(self) -> bool:
        """Wait until the child can work; False where it has died before."""
        if not self._ready:
            with suppress(EOFError, OSError):
                self._ready = self.connection.poll(START_TIMEOUT) and self.connection.recv()
            if not self._ready:
                self.kill()
        return self._ready

    def ask(self, request: Request, timeout: float) -> Outcome:
        overrun = threading.Event()

        def end() -> None:
            overrun.set()
            self.process.kill()

        # The timer covers the sending too: a child that has stopped reads nothing.
        timer = threading.Timer(timeout, end)
        timer.daemon = True
        timer.start()
        try:
            self.connection.send(request)
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.kill()  # it may only have closed its pipe
            self.process.join()
            if overrun.is_set():
                return Outcome.failed("timeout", f"not done after {timeout:g} s")
            return Outcome.failed("crashed", f"its process {_cause_of_death(self.process)}")
        finally:
            timer.cancel()
            timer.join()
            if overrun.is_set():
                self.process.join()  # it may have answered just in time, and be ended all the same

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _cause_of_death(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _start_child(memory_limit: int) -> _Child:
    ours, theirs = _spawn.Pipe()
    process = _spawn.Process(target=work, args=(theirs, memory_limit), daemon=True)
    children.start(process)
    theirs.close()  # so that the child's death closes the pipe
    return _Child(process, ours)
