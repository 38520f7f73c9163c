"""Leases on an output: how a run shows that it is alive, and which other runs are dead.

On a disk a lease is a file lock, which all processes of a run share. In a bucket it is a heartbeat:
an object that is rewritten.
"""

import errno
import fcntl
import os
import posixpath
import random
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import IO

from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output.output_folder import (
    NAMES,
    ROWS,
    SETTINGS,
    STATE,
    SUMMARY,
    TEMPORARY,
    Output,
    as_write_error,
)
from beam_pipeline.progress.counts import LOCAL_COUNTS
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

ALIVE = "alive"

HEARTBEAT_INTERVAL = 20.0
"""Seconds between two heartbeats in a bucket. Each is three requests."""

REMOVAL_TIME = 2.0
"""Seconds in which another worker, which ends the run, removes the run's state."""

LEASE_TIMEOUT = 2.5 * HEARTBEAT_INTERVAL
"""Seconds without a heartbeat after which a run is dead."""

_leases: dict[str, "IO[bytes] | _Heartbeat"] = {}
"""The leases of this process, by the URL of the run's state. They end with the process."""

_acquiring = threading.Lock()


def acquire_lease(output: Output) -> None:
    """Show other runs that this run is alive, until the lease is closed or the process ends.

    Raises:
        InputError: the output is shared, and this machine does not see it.
        OutputError: the output cannot be written.
    """
    with _acquiring:
        if (name := output.url(output.state)) not in _leases:
            _leases[name] = _lock(output) if output.is_local else _Heartbeat(output)


def begin_shared_run(output: Output) -> None:
    """Make the folder of a run whose workers are on other machines, and hold its lease.

    Raises:
        OutputError: the output cannot be written.
    """
    acquire_lease(replace(output, shared=False) if output.is_local else output)


def release_lease(output: Output) -> None:
    """Give up this process's lease on a run that has ended, if it has one."""
    lease = _leases.pop(output.url(output.state), None)
    if isinstance(lease, _Heartbeat):
        lease.release()
    elif lease is not None:
        lease.close()


def dead_runs(output: Output) -> list[str]:
    """Folders, relative to the output, of runs that have ended.

    On a disk a live run holds the lock in its folder. In a bucket it writes heartbeats there, so
    telling live from dead runs takes ``LEASE_TIMEOUT``.
    """
    others = [run for run in runs_in(output) if run != output.state]
    if output.is_local:
        return [run for run in others if not is_alive(output, run)]
    before = {run: files.find(output.url(run)) for run in others}
    if not any(_has_heartbeat(output, run, entries) for run, entries in before.items()):
        return others  # none, or all released their leases
    LOCAL_COUNTS.checking_leases = True
    time.sleep(LEASE_TIMEOUT)
    LOCAL_COUNTS.checking_leases = False
    return [run for run in others if files.find(output.url(run)) == before[run]]


def remove_state(output: Output, is_spent: Callable[[str], bool] = lambda _run: True) -> None:
    """Remove the state of this run, and of those dead runs whose folder ``is_spent``.

    If no other state is left, the settings go too.
    """
    lease = _leases.get(output.url(output.state))
    if isinstance(lease, _Heartbeat):
        lease.close()  # so that it writes nothing into removed folders
    for run in filter(is_spent, dead_runs(output)):
        remove_run(output, run)
    remove_own_state(output)


def remove_own_state(output: Output) -> None:
    """Remove the state of this run, and the settings if no other state is left."""
    lease = _leases.pop(output.url(output.state), None)
    if lease is not None:
        lease.close()  # FUSE and NFS keep a removed file in its folder until it is closed
    # Other processes of the run may have it open yet: then the one that is last removes the rest.
    with suppress(OutputError) if output.shared else nullcontext():
        output.remove(output.state)
    _remove_unused_settings(output)


@contextmanager
def visit(output: Output) -> Iterator[None]:
    """Let a command that is no run write files of the output, atomically, in the block.

    Its folder in the state goes after the block. Settings and other runs' state stay.

    Raises:
        OutputError: the output cannot be written.
    """
    if not output.is_local:  # a bucket needs no temporary files
        yield
        return
    acquire_lease(output)
    try:
        yield
    finally:
        release_lease(output)
        with suppress(OutputError, OSError):
            output.remove(output.state)
            os.rmdir(urls.local_path(output.url(STATE)))  # only if it is empty


def end_part(output: Output) -> None:
    """End the lease of a run that leaves its rows to another; its folder goes if it is empty.

    Only the worker that holds the lock can release it; it does so at the latest when it ends.
    """
    lease = _leases.pop(output.url(output.state), None)
    if lease is not None:
        lease.close()
    if not any(output.urls_in(f"{output.state}/{name}") for name in (ROWS, NAMES)):
        output.remove(output.state)
        _remove_unused_settings(output)
    elif not output.is_local:
        output.remove(f"{output.state}/{ALIVE}")


def _remove_unused_settings(output: Output) -> None:
    if not runs_in(output):
        output.remove(SETTINGS)
        if output.is_local:
            # Only if it is empty: another run may just have started.
            with suppress(OSError):
                os.rmdir(urls.local_path(output.url(STATE)))


def remove_run(output: Output, run: str) -> None:
    """Remove the folder of a dead run."""
    if run.endswith(NEW) and output.is_local:
        # It may come alive, and must not lose its lock then: so it loses its name first.
        taken = f"{STATE}/{uuid.uuid4().hex}{NEW}"
        with as_write_error(output.url(run)):
            try:
                os.rename(urls.local_path(output.url(run)), urls.local_path(output.url(taken)))
            except FileNotFoundError:
                return
        run = taken
    output.remove(run)


def remove_unused_state(output: Output, remote: bool = False) -> None:
    """Remove the state of a run that ended in a bucket before it made any clip.

    On a disk this is not needed: the lock ends with the process, and the settings of such a run
    do not bind the next one. ``remote``: the run was on other machines and has ended there; then
    its folder goes on a disk too, for it was made before anything was checked.
    """
    lease = _leases.get(output.url(output.state))
    if output.is_local and output.shared and remote:
        _remove_unused_folder(output)
    if output.is_local or (lease is None and not remote):
        return
    if lease is not None:
        lease.close()
    with suppress(OutputError, OSError):
        if not output.urls_in(f"{output.state}/{ROWS}"):
            output.remove(output.state)
            if not runs_in(output):
                output.remove(SETTINGS)


def _remove_unused_folder(output: Output) -> None:
    """Remove a run's folder from a disk if no clip was made; the settings of other runs stay."""
    with suppress(OutputError, OSError):
        if not output.urls_in(f"{output.state}/{ROWS}"):
            release_lease(output)
            output.remove(output.state)
            os.rmdir(urls.local_path(output.url(STATE)))  # only if it is empty


def release_all(seconds: float) -> None:
    """Remove this process's heartbeats from buckets, within ``seconds``.

    The next run then need not wait for ``LEASE_TIMEOUT``. A shared run may go on without this
    process: its heartbeat stays.
    """

    def release_heartbeats() -> None:
        for lease in tuple(_leases.values()):
            if isinstance(lease, _Heartbeat) and not lease.output.shared:
                lease.release()

    thread = threading.Thread(target=release_heartbeats, daemon=True)
    thread.start()
    thread.join(seconds)


def _has_heartbeat(output: Output, run: str, entries: list[files.Entry]) -> bool:
    return output.url(f"{run}/{ALIVE}") in {entry.url for entry in entries}


class _Heartbeat:
    """Rewrites an object of the run at intervals. It grows, because listings show sizes."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self._closed = threading.Event()
        # Of another process of this run it goes on: a size that was seen before would look dead.
        beats = b""
        with suppress(OSError):
            beats = files.read(output.url(f"{output.state}/{ALIVE}"))
        output.write(f"{output.state}/{ALIVE}", beats + b".")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        url = self.output.url(f"{self.output.state}/{ALIVE}")
        while not self._closed.wait(HEARTBEAT_INTERVAL):
            try:
                files.write(url, files.read(url) + b".")
                if self._closed.wait(REMOVAL_TIME):
                    return
                if not files.exists(self.output.url(SETTINGS)):
                    files.remove(url)  # written while another worker was removing the state
                    return
            except FileNotFoundError:
                return  # another worker has finished the run
            except OSError:
                continue  # a missed heartbeat must not fail the run

    def close(self) -> None:
        self._closed.set()
        self._thread.join(HEARTBEAT_INTERVAL)  # it may be waiting for unresponsive storage

    def release(self) -> None:
        self.close()
        with suppress(OutputError, OSError):
            self.output.remove(f"{self.output.state}/{ALIVE}")


def _lock(output: Output) -> IO[bytes]:
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


_RUN = re.compile(r"[0-9a-f]{32}(\.new)?")


def runs_in(output: Output) -> list[str]:
    """The folders of all runs, relative to the output.

    Only a name that a run gives itself counts, and no link: what else lies there is of others.
    """
    return [
        f"{STATE}/{posixpath.basename(url)}"
        for url in output.urls_in(STATE)
        if _RUN.fullmatch(posixpath.basename(url))
        and not (output.is_local and os.path.islink(urls.local_path(url)))
    ]


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
