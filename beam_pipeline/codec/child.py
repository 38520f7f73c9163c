"""What a child process runs: it works on one clip after another until its pipe closes.

Separate from the pool, so that a child imports the codecs and nothing else.
"""

import multiprocessing
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

from beam_pipeline.codec import confinement
from beam_pipeline.codec.collage import Collage
from beam_pipeline.codec.messages import (
    JOIN,
    READY,
    AskedCollage,
    decode_request,
    encode_outcome,
)
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.request import (
    composed,
    inspect_bytes,
    inspect_file,
    join_files,
    resize_bytes,
    resize_files,
    thumbnail_of_bytes,
    thumbnail_of_file,
)


def serve(connection: Connection, memory_limit: int, output_limit: int) -> None:
    """Answer every request on the connection; return when it closes.

    ``memory_limit`` is the bytes of memory that one clip may use, ``output_limit`` those of a
    clip that is written to a file.
    """
    _silence_output()
    _lower_priority()
    # The descriptors of large files come beside the bytes, which a Connection does not see.
    beside = socket.socket(fileno=connection.fileno())
    confine(connection, memory_limit, output_limit)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    connection.send_bytes(READY)
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        answer_requests(connection, beside, output_limit)
    beside.detach()


def confine(connection: Connection, memory_limit: int, output_limit: int) -> None:
    """Give up what a clip does not need. Nothing can be opened, reached or started afterwards."""
    confinement.load_what_comes_late()
    parent = multiprocessing.parent_process()
    kept = [connection.fileno(), *([parent.sentinel] if parent else [])]
    confinement.close_other_files(kept)  # among them the pipe to Python's resource tracker
    system_calls = confinement.system_call_filter()
    confinement.limit_resources(memory_limit, output_limit)
    if system_calls is not None:
        with suppress(OSError):  # a sandbox around this one may forbid it
            system_calls.load()


def answer_requests(connection: Connection, beside: socket.socket, output_limit: int) -> None:
    """Do what is asked for, one clip or sheet after another.

    ``beside`` is the socket of the connection.

    Raises:
        EOFError, ConnectionResetError, BrokenPipeError: the parent has gone.
    """
    while True:
        outcome = _answer(connection, beside, output_limit)
        connection.send_bytes(encode_outcome(outcome))
        if outcome.output is not None:
            connection.send_bytes(outcome.output)
        del outcome  # frees the clip before the next one arrives


def _answer(connection: Connection, beside: socket.socket, output_limit: int) -> Outcome:
    """Wait for a request; its outcome."""
    header = connection.recv_bytes()
    if header == JOIN:
        return _answer_join(beside, output_limit)
    asked = decode_request(header)
    if isinstance(asked, AskedCollage):
        return composed(Collage.of(connection.recv_bytes(), *asked))
    settings, segment, in_memory, thumbnail = asked
    if in_memory:
        source = connection.recv_bytes()
        started = time.process_time()
        if settings is None:
            outcome = (thumbnail_of_bytes if thumbnail else inspect_bytes)(source)
        else:
            outcome = resize_bytes(source, settings, segment, thumbnail)
    else:
        _, received, _, _ = socket.recv_fds(beside, 1, 2)
        started = time.process_time()
        try:
            if settings is None:
                outcome = (thumbnail_of_file if thumbnail else inspect_file)(received[0])
            else:
                source_file, output_file = received
                outcome = resize_files(
                    source_file, output_file, settings, segment, output_limit, thumbnail
                )
        finally:
            for descriptor in received:
                os.close(descriptor)
    return replace(outcome, cpu_seconds=time.process_time() - started)


def _answer_join(beside: socket.socket, output_limit: int) -> Outcome:
    """Join the files whose descriptors come."""
    _, received, _, _ = socket.recv_fds(beside, 1, 3)
    started = time.process_time()
    try:
        pictures, sound, output = received
        outcome = join_files(pictures, sound, output, output_limit)
    finally:
        for descriptor in received:
            os.close(descriptor)
    return replace(outcome, cpu_seconds=time.process_time() - started)


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
