"""How a run shows on a disk that it is alive: the lock of a file, which all its processes share."""

import errno
import fcntl
import os
import random
import socket
import time
from contextlib import suppress
from typing import IO

from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import SUMMARY, TEMPORARY, Output
from beam_pipeline.storage import files, urls

LOCK = "lock"
NEW = ".new"
"""Suffix of a run's folder until the run holds its lock. Without a lock it may be removed: a run
that is just beginning makes another."""

ATTEMPTS = 20
"""Times that a run makes its folder while others remove it."""

PROBES = 5
"""Times that a lock is tried that another may hold for no longer than to try it as well."""

PROBE_INTERVAL = 0.01
"""Seconds between two of these, on average."""


def hold_lock(output: Output) -> IO[bytes]:
    """Make this run's folder and hold its lock.

    The folder gets its final name once the lock is held, so that no other run takes it for dead.
    """
    folder = urls.local_path(output.url(output.state))
    if output.shared and not os.path.isdir(folder):
        _refuse_unseen(output)
    with as_write_error(folder):
        for _ in range(ATTEMPTS):
            current = folder if os.path.isdir(folder) else folder + NEW
            with suppress(FileNotFoundError):  # another run has removed it, or renamed it
                os.makedirs(current, exist_ok=True)
                lock = open(os.path.join(current, LOCK), "ab+")  # noqa: SIM115 - held until the end
                _lock_file(lock)
                with suppress(FileExistsError):
                    os.mkdir(os.path.join(current, TEMPORARY))
                if current == folder or _rename(current, folder):
                    return lock
                output.remove(output.state + NEW)  # another worker of this run was faster
        _refuse_unmakeable(output)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)


def _refuse_unmakeable(output: Output) -> None:
    """Raise OutputError if the system makes no folder at the root, as below /proc."""
    root = urls.local_path(output.root)
    try:
        os.makedirs(root, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the output folder {root} cannot be made: the system makes no folder in "
            f"{os.path.dirname(root)} ({error.strerror}); choose another --output"
        ) from error


def _refuse_unseen(output: Output) -> None:
    """Raise InputError, unless the folder is gone because another worker has finished the run."""
    if not files.exists(output.url(SUMMARY)):
        raise InputError(
            f"the worker on {socket.gethostname()} does not see --output {output.root}; type "
            "--output with a folder that all machines share, or with a bucket"
        )


def _rename(folder: str, name: str) -> bool:
    """Rename a folder; False if there is another of that name."""
    try:
        os.rename(folder, name)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _lock_file(lock: IO[bytes]) -> None:
    """Lock a file, as all processes of a run do; do nothing if locks are unsupported."""
    for _ in range(20):  # another run's check may hold it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return
        else:
            return


def is_alive(output: Output, run: str) -> bool:
    """Whether a run holds its lock on a disk. Always False in a bucket: see ``dead_runs``."""
    if not output.is_local:
        return False
    path = os.path.join(urls.local_path(output.url(run)), LOCK)
    try:
        with _open_to_probe(path) as lock:
            return not _can_lock(lock)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _open_to_probe(path: str) -> IO[bytes]:
    """Open a lock file. NFS locks only what is open for writing, a disk whatever is open."""
    try:
        return open(path, "rb+")
    except PermissionError:
        return open(path, "rb")


def _can_lock(lock: IO[bytes]) -> bool:
    """Whether nobody holds a lock, but for those who try it too."""
    for _ in range(PROBES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(random.uniform(0, 2 * PROBE_INTERVAL))
        else:
            return True
    return False
