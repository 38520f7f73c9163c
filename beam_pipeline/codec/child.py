"""What a child process runs: it resizes one clip after another until its pipe closes.

Separate from the pool, so that a child imports the codecs and nothing else.
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
import av.subtitles.stream  # PyAV imports it with the first file, when memory may be short

from beam_pipeline.codec.disk_file import DiskFile
from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.mp4 import OpenOutput
from beam_pipeline.codec.outcome import BadClip, Facts, Outcome
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment


@dataclass(frozen=True)
class Request:
    """A clip to resize.

    ``source`` is the file's bytes, or the path of a local file that is too large for memory. With
    a path, the clip is written to ``output_path``. ``segment`` is set if the source may be the
    whole video: the part of the video that is the clip.
    """

    source: bytes | str = field(repr=False)
    output_path: str | None
    settings: ClipSettings
    segment: Segment | None = None


def serve(connection: Connection, memory_limit: int) -> None:
    """Send an Outcome for every Request on the connection; return when it closes."""
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
        started = time.process_time()
        try:
            outcome = handle_request(request)
        except OSError as error:  # the source is a file that no longer exists
            outcome = Outcome.failed("unreadable", error.strerror or str(error))
        del request  # frees up to 64 MB before the next clip arrives
        try:
            connection.send(replace(outcome, cpu_seconds=time.process_time() - started))
        except BrokenPipeError:
            return


def handle_request(request: Request) -> Outcome:
    """Resize one clip. A clip that cannot be resized gives a failed Outcome, not an exception."""
    if isinstance(request.source, bytes):
        memory = MemoryFile()
        outcome = _resize(BytesIO(request.source), memory.open, request)
        if outcome.status == "failed":
            return outcome
        return Outcome(outcome.status, None, outcome.detail, memory.getvalue(), outcome.facts)
    path = request.output_path
    assert path is not None
    read_errors: list[OSError] = []
    write_errors: list[OSError] = []
    with DiskFile(request.source, "rb", read_errors) as source:
        outcome = _resize(source, lambda: DiskFile(path, "rb+", write_errors), request)
    if write_errors:
        return Outcome("failed", write_error=write_errors[0])
    if read_errors:
        return Outcome.failed("unreadable", read_errors[0].strerror or str(read_errors[0]))
    return outcome


def _resize(source: BinaryIO | RawIOBase, output: OpenOutput, request: Request) -> Outcome:
    facts = Facts()
    try:
        resized = resize(source, output, request.settings, facts, request.segment)
    except BadClip as bad:
        return Outcome.failed(bad.reason, bad.detail, facts)
    except (MemoryError, av.error.MemoryError):
        return Outcome.failed("too_large", "the clip needs more memory than is allowed", facts)
    except Exception as error:  # no clip may end the child, whatever the codecs raise
        return Outcome.failed("crashed", f"{type(error).__name__}: {error}", facts)
    return Outcome("copied" if resized.copied else "resized", None, resized.detail, None, facts)


def _lower_priority() -> None:
    """Let the parent, which sends the clips and enforces the deadlines, run before this process.

    If the program was started under a real-time policy, a busy child would never give way.
    """
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):  # a sandbox may not support the policy
            if os.sched_getscheduler(0) != os.SCHED_IDLE:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _silence_output() -> None:
    """Discard what x264 and Python print to the terminal when memory runs out."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_device, 1)
    os.dup2(null_device, 2)
    os.close(null_device)


def _exit_with_parent() -> None:
    """End when the parent ends, even if a codec hangs: nothing else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(limit: int) -> None:
    """Let this process map ``limit`` bytes more than it has mapped now.

    Only Linux reports what is mapped now. Elsewhere the limit is counted from zero.
    """
    try:
        with open("/proc/self/statm") as statm:
            mapped = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        mapped = 0
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    new_limit = mapped + limit
    if hard != resource.RLIM_INFINITY:
        new_limit = min(new_limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (new_limit, hard))
