"""Child processes that run the codecs, so that no clip can crash the run.

Each child has its own pipe. The pools of the standard library and of Pebble share one pipe
among all children: a child that dies while it holds the pipe's lock blocks the others.
"""

import multiprocessing
import queue
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from beam_pipeline.codec import child_processes
from beam_pipeline.codec.child import serve
from beam_pipeline.codec.collage import Collage
from beam_pipeline.codec.memory_file import MAX_OUTPUT
from beam_pipeline.codec.messages import (
    JOIN,
    MAX_HEADER,
    READY,
    Malformed,
    decode_outcome,
    encode_collage,
    encode_request,
)
from beam_pipeline.codec.outcome import Outcome, Status
from beam_pipeline.codec.request import (
    CannotOpen,
    Inspection,
    Join,
    Request,
    ThumbnailOf,
    open_files,
)
from beam_pipeline.errors import RunError

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of memory that one clip may use."""

MAX_OUTPUT_FILE = 4 * 1024**3
"""Bytes of a clip that is written to a file."""

MAX_START_ATTEMPTS = 3
"""Times that a child is started before the run fails."""

GONE = 1.0
"""Seconds in which a child ends that has closed its pipe."""

START_TIMEOUT = 120
"""Seconds that a child may take to import the codecs, on a busy machine."""

Job = Request | Inspection | ThumbnailOf | Join | Collage
"""What a child can do."""

_ANSWERS: dict[type, tuple[Status, ...]] = {
    Request: ("resized", "copied"),
    Inspection: ("decoded",),
    ThumbnailOf: ("decoded",),
    Join: ("joined",),
    Collage: ("composed",),
}
"""What a child may answer, but for a failure."""

_spawn = multiprocessing.get_context("spawn")  # Beam's workers have threads, so they must not fork


class CodecPool:
    """A fixed number of children. ``run`` may be called from any number of threads.

    Clips are processed in the order of the calls. A thread waits for each child.
    """

    def __init__(
        self, size: int, memory_limit: int = MEMORY_LIMIT, output_limit: int = MAX_OUTPUT_FILE
    ) -> None:
        self._limits = (memory_limit, output_limit)
        self._threads = ThreadPoolExecutor(size)
        self._idle: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()
        self._busy: set[_Child] = set()
        self._closed = False
        for _ in range(size):
            self._idle.put(None)  # a child starts with its first clip: there may be none to make

    def run(self, request: Job, timeout: float) -> Outcome:
        """Have the next idle child do one job, within ``timeout`` seconds.

        A child that dies or exceeds the timeout is replaced. The outcome of its clip is then
        ``crashed`` or ``timeout``.

        Raises:
            RunError: no child can be started.
        """
        return self._threads.submit(self._run, request, timeout).result()

    def _run(self, request: Job, timeout: float) -> Outcome:
        child: _Child | None = self._idle.get()
        try:
            if child is None or not child.is_ready():
                child = self._start_ready_child()
            self._busy.add(child)
            outcome = child.run(request, timeout)
            if outcome.reason == "too_large":
                child.kill()  # a codec that ran out of memory may be in any state
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
        for _ in range(MAX_START_ATTEMPTS):
            child = _start_child(*self._limits)
            if child.is_ready():
                return child
        raise RunError(
            f"cannot start a process for the codecs: it {_exit_description(child.process)}; "
            "check that this Python can start processes and import av"
        )

    def close(self) -> None:
        """Kill all children, including busy ones."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in tuple(self._busy):
            child.process.kill()  # the thread that waits for it sees the pipe close
        while not self._idle.empty():
            if idle := self._idle.get():
                idle.kill()


@dataclass(eq=False)
class _Child:
    process: BaseProcess
    connection: Connection
    _ready: bool = False

    def is_ready(self) -> bool:
        """Wait until the child is ready; False if it dies first."""
        if not self._ready:
            with suppress(EOFError, OSError):
                self._ready = (
                    self.connection.poll(START_TIMEOUT)
                    and self.connection.recv_bytes(MAX_HEADER) == READY
                )
            if not self._ready:
                self.kill()
        return self._ready

    def run(self, request: Job, timeout: float) -> Outcome:
        timed_out = threading.Event()

        def kill_on_timeout() -> None:
            timed_out.set()
            self.process.kill()

        # The timer covers the sending too: a child that has stopped does not read.
        timer = threading.Timer(timeout, kill_on_timeout)
        timer.daemon = True
        timer.start()
        try:
            self._send(request)
            return self._receive(request)
        except CannotOpen as error:
            return error.outcome
        except Malformed:
            self.process.kill()
            self.process.join()
            return Outcome.failed("crashed", "its process sent what is no answer")
        except (EOFError, OSError):
            self.process.join(GONE)
            killed = self.process.exitcode == -signal.SIGKILL
            self.process.kill()  # it may only have closed its pipe
            self.process.join()
            if timed_out.is_set():
                return Outcome.failed("timeout", f"not finished after {timeout:g} s")
            crashed = Outcome.failed("crashed", f"its process {_exit_description(self.process)}")
            return replace(crashed, killed=killed)
        finally:
            timer.cancel()
            timer.join()
            if timed_out.is_set():
                self.process.join()  # the kill may come just after the child's reply

    def _send(self, request: Job) -> None:
        """Send a clip to work on: its bytes, or its files, which the child cannot open.

        Raises:
            CannotOpen: one of the files.
        """
        if isinstance(request, Join):
            with open_files(request.pictures, request.sound, output=request.output_path) as files:
                self._send_files(JOIN, files)
            return
        if isinstance(request, Collage):
            self.connection.send_bytes(encode_collage(request))
            self.connection.send_bytes(b"".join(request.pictures))
            return
        in_memory = isinstance(request.source, bytes)
        output = None
        if isinstance(request, Request):
            output = request.output_path
            header = encode_request(request.settings, request.segment, in_memory, request.thumbnail)
            assert in_memory or output is not None
        else:
            header = encode_request(None, None, in_memory, isinstance(request, ThumbnailOf))
        if isinstance(request.source, bytes):
            self.connection.send_bytes(header)
            self.connection.send_bytes(request.source)
            return
        with open_files(request.source, output=output) as files:
            self._send_files(header, files)

    def _send_files(self, header: bytes, files: list[int]) -> None:
        """Send a header, and descriptors beside it."""
        with socket.fromfd(self.connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as beside:
            self.connection.send_bytes(header)
            socket.send_fds(beside, [b"\0"], files)

    def _receive(self, request: Job) -> Outcome:
        """The child's answer.

        Raises:
            Malformed: it is none.
        """
        outcome = decode_outcome(self._receive_bytes(MAX_HEADER))
        if outcome.status not in (*_ANSWERS[type(request)], "failed"):
            raise Malformed("something else was asked for")
        if outcome.thumbnail is not None and not _asks_for_thumbnail(request):
            raise Malformed("a thumbnail that was not asked for")
        if isinstance(request, Join):
            return outcome
        if isinstance(request, Request) and not isinstance(request.source, bytes):
            return outcome
        if outcome.write_error is not None:
            raise Malformed("nothing is written to a file")
        if outcome.status in ("failed", "decoded"):
            return outcome
        output = self._receive_bytes(MAX_OUTPUT)
        if len(output) != outcome.facts.bytes:
            raise Malformed("the clip has not the size that is stated")
        if isinstance(request, Collage) and not request.is_result(output):
            raise Malformed("the sheet is none, or has another size")
        return replace(outcome, output=output)

    def _receive_bytes(self, most: int) -> bytes:
        try:
            return self.connection.recv_bytes(most)
        except OSError as error:
            if error.errno is None:  # longer than that
                raise Malformed(str(error)) from error
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _asks_for_thumbnail(request: Job) -> bool:
    if isinstance(request, Request):
        return request.thumbnail
    return isinstance(request, ThumbnailOf)


def _exit_description(process: BaseProcess) -> str:
    code = process.exitcode or 0
    if code >= 0:
        return f"ended with status {code}"
    if -code == signal.SIGSYS:
        return "was killed by SIGSYS: it tried what a codec must not do"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _start_child(memory_limit: int, output_limit: int) -> _Child:
    parent_end, child_end = _spawn.Pipe()
    arguments = (child_end, memory_limit, output_limit)
    process = _spawn.Process(target=serve, args=arguments, daemon=True)
    child_processes.start(process)
    child_end.close()  # so that the child's death closes the pipe
    return _Child(process, parent_end)
