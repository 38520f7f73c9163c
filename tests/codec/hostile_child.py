"""A codec child that a clip has taken over: it does what the clip's bytes name.

``serve`` takes the place of the real one in a pool. It is confined like any other, then does what
it is told; with any other clip it does its work.
"""

import json
import multiprocessing
import os
import pickle
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from beam_pipeline.codec import child, messages
from beam_pipeline.codec.outcome import Outcome

DO = b"do "
"""What the bytes of such a clip begin with; then the name of a deed, and a path for it."""


class Bomb:
    """What makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (self._path,)


def _open(path: str) -> None:
    os.open("/etc/passwd", os.O_RDONLY)


def _write(path: str) -> None:
    os.open(path, os.O_WRONLY | os.O_CREAT)


def _fork(path: str) -> None:
    if not os.fork():
        os._exit(0)


def _in_a_thread(path: str) -> None:
    thread = threading.Thread(target=_open, args=(path,))
    thread.start()
    thread.join()


def _kill_the_parent(path: str) -> None:
    os.kill(multiprocessing.parent_process().pid, 0)


FORBIDDEN: dict[str, Callable[[str], object]] = {
    "open": _open,
    "write": _write,
    "remove": os.unlink,
    "remove a folder": os.rmdir,
    "make a folder": lambda path: os.mkdir(path + ".new"),
    "change a mode": lambda path: os.chmod(path, 0o777),
    "cut": lambda path: os.truncate(path, 0),
    "link": lambda path: os.symlink(path, path + ".new"),
    "rename": lambda path: os.rename(path, path + ".new"),
    "socket": lambda path: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "datagram": lambda path: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "local socket": lambda path: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "execve": lambda path: os.execv("/bin/true", ["true"]),
    "fork": _fork,
    "subprocess": lambda path: subprocess.run(["/bin/true"], check=True),
    "posix_spawn": lambda path: os.posix_spawn("/bin/true", ["true"], {}),
    "kill": _kill_the_parent,
    "open in a thread": _in_a_thread,
}
"""What costs a child its life, by name; each is given a path."""


def _fail() -> None:
    raise MemoryError


def _fail_in_a_thread(path: str) -> None:
    thread = threading.Thread(target=_fail)
    thread.start()
    thread.join()


class FailsAtItsEnd:
    """What raises an error where nobody can catch it."""

    def __init__(self, path: str) -> None:
        pass

    def __del__(self) -> None:
        _fail()


REPORTED: dict[str, Callable[[str], object]] = {
    "fail in a thread": _fail_in_a_thread,
    "fail at an end": FailsAtItsEnd,
}
"""Errors that Python reports on stderr and goes on, by name."""


def _say(connection: Connection, said: bytes) -> None:
    connection.send_bytes(said)


def _state_a_length(connection: Connection, length: int) -> None:
    os.write(connection.fileno(), struct.pack("!i", length))


def _answer(**changed: object) -> bytes:
    """An answer that is as it should be but for what is changed."""
    good = messages.encode_outcome(Outcome.failed("truncated", "half of it", None))
    return json.dumps(json.loads(good) | changed).encode()


def _promise_a_clip(connection: Connection, size: int) -> None:
    """Say that a clip of some bytes follows, and state more than that."""
    facts = Outcome("resized").facts
    facts.bytes = size
    connection.send_bytes(messages.encode_outcome(Outcome("resized", facts=facts, cpu_seconds=0.0)))
    os.write(connection.fileno(), struct.pack("!i", size))


RUBBISH: dict[str, Callable[[Connection, str], None]] = {
    "nothing": lambda pipe, path: _say(pipe, b""),
    "noise": lambda pipe, path: _say(pipe, bytes(range(256))),
    "a pickle": lambda pipe, path: _say(pipe, pickle.dumps(Bomb(path))),
    "a pickled outcome": lambda pipe, path: pipe.send(Outcome.failed("truncated", "half")),
    "a list": lambda pipe, path: _say(pipe, b"[]"),
    "many brackets": lambda pipe, path: _say(pipe, b"[" * messages.MAX_HEADER),
    "a number of many digits": lambda pipe, path: _say(pipe, b"9" * 10_000),
    "a header that is too long": lambda pipe, path: _say(pipe, b" " * (messages.MAX_HEADER + 1)),
    "a length of 2 GB": lambda pipe, path: _state_a_length(pipe, 2**31 - 1),
    "a length below zero": lambda pipe, path: _state_a_length(pipe, -7),
    "a clip of 2 GB": lambda pipe, path: _promise_a_clip(pipe, 2**31 - 1),
    "a reason of its own": lambda pipe, path: _say(pipe, _answer(reason="boredom")),
    "a thumbnail that is none": lambda pipe, path: _say(
        pipe, _answer(status="resized", reason=None, detail=None, thumbnail="PHNjcmlwdD4=")
    ),
    "a write error in memory": lambda pipe, path: _say(
        pipe, _answer(write_error=[28, "No space left on device"])
    ),
}
"""Answers that are none, by name."""


def serve(connection: Connection, memory_limit: int, output_limit: int) -> None:
    """What the pool starts in place of ``child.serve``."""
    real = child.resize_bytes

    def resize_bytes(source: bytes, *arguments: object) -> Outcome:
        if source.startswith(DO):
            name, path = source.removeprefix(DO).decode().split(":")
            if name in FORBIDDEN | REPORTED:
                (FORBIDDEN | REPORTED)[name](path)
            elif name in RUBBISH:
                RUBBISH[name](connection, path)
                signal.pause()
            return Outcome.failed("truncated", "it was let")
        return real(source, *arguments)

    child.resize_bytes = resize_bytes
    child.serve(connection, memory_limit, output_limit)
