"""What runs in a child process: one clip after the other, until the pipe closes.

Kept apart from the pool so that a child imports the codecs and nothing else.
"""

import multiprocessing
import os
import resource
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import BytesIO, RawIOBase
from multiprocessing.connection import Connection
from typing import BinaryIO

import av.error

from beam_pipeline.codec.disk_file import DiskFile
from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.mp4 import OpenOutput
from beam_pipeline.codec.outcome import BadClip, Facts, Outcome
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment


@dataclass(frozen=True)
class Request:
    """One clip's work.

    ``source`` is the file's bytes, or the path of a local file that is too large for memory;
    then ``output_path`` says where the clip goes. ``segment`` is the clip's place in its video,
    where the source may be all of that.
    """

    source: bytes | str = field(repr=False)
    output_path: str | None
    settings: ClipSettings
    segment: Segment | None = None


def work(connection: Connection, memory_limit: int) -> None:
    """Answer every Request on the connection with an Outcome; return when it closes."""
    _limit_memory(memory_limit)
    _lower_priority()
    _silence_output()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    connection.send(True)  # ready
    while True:
        try:
            request: Request = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        began = time.process_time()
        try:
            outcome = answer(request)
        except OSError as error:  # of a source that is a file, and has gone
            outcome = Outcome.failed("unreadable", error.strerror or str(error))
        del request  # up to 64 MB that would stand beside the next clip's
        try:
            connection.send(replace(outcome, cpu_seconds=time.process_time() - began))
        except BrokenPipeError:
            return


def answer(request: Request) -> Outcome:
    """Resize one clip; whatever it holds becomes an Outcome."""
    if isinstance(request.source, bytes):
        memory = MemoryFile()
        outcome = _attempt(BytesIO(request.source), memory.open, request)
        if outcome.status == "failed":
            return outcome
        return Outcome(outcome.status, None, outcome.detail, memory.getvalue(), outcome.facts)
    path = request.output_path
    assert path is not None
    unreadable: list[OSError] = []
    refused: list[OSError] = []
    with DiskFile(request.source, "rb", unreadable) as source:
        outcome = _attempt(source, lambda: DiskFile(path, "rb+", refused), request)
    if refused:
        return Outcome("failed", write_error=refused[0])
    if unreadable:
        return Outcome.failed("unreadable", unreadable[0].strerror or str(unreadable[0]))
    return outcome


def _attempt(source: BinaryIO | RawIOBase, output: OpenOutput, request: Request) -> Outcome:
    facts = Facts()
    try:
        resized = resize(source, output, request.settings, facts, request.segment)
    except BadClip as bad:
        return Outcome.failed(bad.reason, bad.detail, facts)
    except (MemoryError, av.error.MemoryError):
        return Outcome.failed("too_large", "the clip needs more memory than it may have", facts)
    except Exception as error:  # a clip must not end the child, whatever it makes of the codecs
        return Outcome.failed("crashed", f"{type(error).__name__}: {error}", facts)
    return Outcome("copied" if resized.copied else "resized", None, resized.detail, None, facts)


def _lower_priority() -> None:
    """Let the parent, who feeds us and holds our deadlines, run whenever it wants to.

    Where all of this was started under a real-time policy, a busy child would never make way.
    """
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):  # a sandbox that knows no such policy
            if os.sched_getscheduler(0) != os.SCHED_IDLE:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _silence_output() -> None:
    """Keep off the user's terminal what x264 and Python say there when memory is out."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _exit_with_parent() -> None:
    """End with the parent, even where a codec hangs: nobody else would end us then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(limit: int) -> None:
    """Let this process map ``limit`` bytes more than it has mapped now.

    Where the system does not tell (anything but Linux), the limit counts from zero.
    """
    try:
        with open("/proc/self/statm") as statm:
            mapped = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        mapped = 0
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mapped + limit
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
