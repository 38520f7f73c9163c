"""The runs in one output: which of them are under way, and how each shows it."""

import fcntl
import os
import posixpath
import threading
import time
from contextlib import suppress
from typing import IO

from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import (
    ROWS,
    SETTINGS,
    STATE,
    TEMPORARY,
    Output,
    write_errors,
)
from beam_pipeline.progress.counts import LOCAL
from beam_pipeline.storage import files, urls

LOCK = "lock"
NEW = ".new"
"""What the name of a run's folder ends in until its lock is held."""

STARTING = 10.0
"""Seconds after which a folder that is still new has lost its maker."""

ALIVE = "alive"

HEARTBEAT = 20.0
"""Seconds between two signs of life in a bucket, each of which is three requests."""

REMOVAL_TIME = 2.0
"""Seconds after which a worker elsewhere that was at the end of the run has removed its state."""

LEASE_TIMEOUT = 2.5 * HEARTBEAT
"""Seconds without one after which a run is dead."""

_leases: dict[str, "IO[bytes] | _Heartbeat"] = {}
"""Of the runs of this process. A claim ends with the process, however that ends."""


def acquire_lease(output: Output) -> None:
    """Show others, until it is closed or the process ends, that this run is under way."""
    if output.url(output.state) not in _leases:
        _leases[output.url(output.state)] = _lock(output) if output.is_local else _Heartbeat(output)


def dead_runs(output: Output) -> list[str]:
    """Folders, relative to the output, of runs that are not under way any more.

    On a disk a run that is under way holds the lock in its folder. In a bucket it writes there,
    so that whether others do takes ``LEASE_TIMEOUT`` to see.
    """
    others = [run for run in runs_in(output) if run != output.state]
    if output.is_local:
        return [run for run in others if not is_alive(output, run)]
    before = {run: files.find(output.url(run)) for run in others}
    if not any(_has_sign(output, run, found) for run, found in before.items()):
        return others  # stopped in order, or there are none
    LOCAL.waiting = True
    time.sleep(LEASE_TIMEOUT)
    LOCAL.waiting = False
    return [run for run in others if files.find(output.url(run)) == before[run]]


def remove_state(output: Output) -> None:
    """Remove this run's state, that of dead runs, and all of it when no other is under way."""
    mine = _leases.pop(output.url(output.state), None)
    if isinstance(mine, _Heartbeat):
        mine.close()  # or it might write into what is removed
    for run in [*dead_runs(output), output.state]:
        output.remove(run)
    if mine is not None:
        mine.close()
    if not runs_in(output):
        output.remove(SETTINGS)
        if output.is_local:
            # Not the folder with what is in it: another run may just have begun.
            with suppress(OSError):
                os.rmdir(urls.local_path(output.url(STATE)))


def remove_unused_state(output: Output, elsewhere: bool = False) -> None:
    """Remove what a run has left in a bucket that ended before it had made anything.

    On a disk its lock is gone with it, and nobody is bound to its settings. ``elsewhere`` says
    that it was other machines which were at work, and are no more.
    """
    mine = _leases.get(output.url(output.state))
    if output.is_local or (mine is None and not elsewhere):
        return
    if mine is not None:
        mine.close()
    with suppress(OutputError, OSError):
        if not files.list_names(output.url(f"{output.state}/{ROWS}")):
            output.remove(output.state)
            if not runs_in(output):
                output.remove(SETTINGS)


def release_all(seconds: float) -> None:
    """Take back the signs of life in buckets, where that takes no longer.

    Who sees none need not wait for the next.
    """

    def close_all() -> None:
        for mine in tuple(_leases.values()):
            if isinstance(mine, _Heartbeat):
                mine.release()

    releasing = threading.Thread(target=close_all, daemon=True)
    releasing.start()
    releasing.join(seconds)


def _has_sign(output: Output, run: str, found: list[files.Entry]) -> bool:
    return output.url(f"{run}/{ALIVE}") in {entry.url for entry in found}


class _Heartbeat:
    """Writes an object of the run now and then; it grows, for sizes are what listings tell."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._closed = threading.Event()
        output.write(f"{output.state}/{ALIVE}", b".")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        url = self._output.url(f"{self._output.state}/{ALIVE}")
        while not self._closed.wait(HEARTBEAT):
            try:
                files.write(url, files.read(url) + b".")
                if self._closed.wait(REMOVAL_TIME):
                    return
                if not files.exists(self._output.url(SETTINGS)):
                    files.remove(url)  # written into what another worker was removing
                    return
            except FileNotFoundError:
                return  # another worker has finished the run
            except OSError:
                continue  # what it is good for is not worth the run

    def close(self) -> None:
        self._closed.set()
        self._thread.join(HEARTBEAT)  # it may be waiting for storage that does not answer

    def release(self) -> None:
        self.close()
        with suppress(OutputError, OSError):
            self._output.remove(f"{self._output.state}/{ALIVE}")


def _lock(output: Output) -> IO[bytes]:
    """Make this run's folder and hold its lock.

    It has its name only once the lock is held: nobody may take it for that of a dead run.
    """
    folder = urls.local_path(output.url(output.state))
    made = folder if os.path.isdir(folder) else folder + NEW
    with write_errors(folder):
        os.makedirs(made, exist_ok=True)
        lock = open(os.path.join(made, LOCK), "wb")  # noqa: SIM115 - held until the end
        _hold(lock)
        os.makedirs(os.path.join(made, TEMPORARY), exist_ok=True)
        if made != folder:
            os.rename(made, folder)
    return lock


def _hold(lock: IO[bytes]) -> None:
    """Hold a lock, unless another worker of this run holds it, or the file system knows none."""
    for _ in range(20):  # the glance of another run may be in the way for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        except OSError:
            return
        else:
            return


def runs_in(output: Output) -> list[str]:
    """The folders of all runs that there are, relative to the output."""
    names = (posixpath.basename(url) for url in files.list_names(output.url(STATE)))
    return [f"{STATE}/{name}" for name in names if name != posixpath.basename(SETTINGS)]


def is_alive(output: Output, run: str) -> bool:
    """Whether a run is under way, as far as a disk tells; of a bucket ``dead_runs`` does."""
    if not output.is_local:
        return False
    folder = urls.local_path(output.url(run))
    try:
        if folder.endswith(NEW):
            return time.time() - os.stat(folder).st_mtime < STARTING
        with open(os.path.join(folder, LOCK), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
