"""Leases on an output: how a run takes one, and what it leaves or removes as it gives it up.

On a disk a lease is a lock (``run_lock.py``), in a bucket a heartbeat (``heartbeat.py``). Which
other runs have none any more is in ``runs.py``.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import IO

from beam_pipeline.errors import OutputError
from beam_pipeline.output.heartbeat import ALIVE, Heartbeat
from beam_pipeline.output.output_folder import NAMES, ROWS, SETTINGS, STATE, SUMMARY, Output
from beam_pipeline.output.run_lock import hold_lock
from beam_pipeline.output.runs import dead_runs, remove_run, runs_in
from beam_pipeline.storage import files, urls

_leases: dict[str, IO[bytes] | Heartbeat] = {}
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
            _leases[name] = hold_lock(output) if output.is_local else Heartbeat(output)


def begin_shared_run(output: Output) -> None:
    """Make the folder of a run whose workers are on other machines, and hold its lease.

    Raises:
        OutputError: the output cannot be written.
    """
    acquire_lease(replace(output, shared=False) if output.is_local else output)


def release_lease(output: Output) -> None:
    """Give up this process's lease on a run that has ended, if it has one."""
    lease = _leases.pop(output.url(output.state), None)
    if isinstance(lease, Heartbeat):
        lease.release()
    elif lease is not None:
        lease.close()


def release_all(seconds: float) -> None:
    """Remove this process's heartbeats from buckets, within ``seconds``.

    The next run then need not wait for ``LEASE_TIMEOUT``. A shared run may go on without this
    process: its heartbeat stays.
    """

    def release_heartbeats() -> None:
        for lease in tuple(_leases.values()):
            if isinstance(lease, Heartbeat) and not lease.output.shared:
                lease.release()

    thread = threading.Thread(target=release_heartbeats, daemon=True)
    thread.start()
    thread.join(seconds)


def remove_state(output: Output, is_spent: Callable[[str], bool] = lambda _run: True) -> None:
    """Remove the state of this run, and of those dead runs whose folder ``is_spent``.

    If no other state is left, the settings go too.
    """
    lease = _leases.get(output.url(output.state))
    if isinstance(lease, Heartbeat):
        lease.close()  # so that it writes nothing into removed folders
    for run in filter(is_spent, dead_runs(output)):
        remove_run(output, run)
    remove_own_state(output)


def remove_own_state(output: Output) -> None:
    """Remove the state of this run, and the settings if no other state is left."""
    _close_lease(output)  # FUSE and NFS keep a removed file in its folder until it is closed
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
            _remove_empty_state(output)


def end_part(output: Output) -> None:
    """End the lease of a run that leaves its rows to another; its folder goes if it is empty.

    Only the worker that holds the lock can release it; it does so at the latest when it ends.
    """
    _close_lease(output)
    if not any(output.urls_in(f"{output.state}/{name}") for name in (ROWS, NAMES)):
        output.remove(output.state)
        _remove_unused_settings(output)
    elif not output.is_local:
        output.remove(f"{output.state}/{ALIVE}")


def _remove_unused_settings(output: Output) -> None:
    if not runs_in(output):
        output.remove(SETTINGS)
        if output.is_local:
            _remove_empty_state(output)


def _remove_empty_state(output: Output) -> None:
    """Remove the folder of all runs from a disk, if it is empty: another may just have begun."""
    with suppress(OSError):
        os.rmdir(urls.local_path(output.url(STATE)))


def _close_lease(output: Output) -> None:
    """End this process's lease, if it has one, and leave what shows it to others where it is."""
    lease = _leases.pop(output.url(output.state), None)
    if lease is not None:
        lease.close()


def remove_unused_state(output: Output, remote: bool = False) -> None:
    """Remove the state of a run that ended before it made any clip.

    On a disk that is only needed in a finished output, which a run that failed leaves as it was:
    else the lock ends with the process, and the settings of such a run do not bind the next one.
    ``remote``: the run was on other machines and has ended there; then its folder goes on a disk
    too, for it was made before anything was checked.
    """
    lease = _leases.get(output.url(output.state))
    if output.is_local:
        with suppress(OutputError, OSError):
            if remote if output.shared else files.exists(output.url(SUMMARY)):
                _remove_unused_folder(output)
        return
    if lease is None and not remote:
        return
    if lease is not None:
        lease.close()
    with suppress(OutputError, OSError):
        if not output.urls_in(f"{output.state}/{ROWS}"):
            output.remove(output.state)
            if not runs_in(output):
                output.remove(SETTINGS)


def _remove_unused_folder(output: Output) -> None:
    """Remove a run's folder from a disk if no clip was made.

    The settings stay, for they may be of other runs, unless the output is finished.
    """
    if not output.urls_in(f"{output.state}/{ROWS}"):
        release_lease(output)
        output.remove(output.state)
        if files.exists(output.url(SUMMARY)):
            _remove_unused_settings(output)
        else:
            _remove_empty_state(output)
