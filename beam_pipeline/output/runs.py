"""The runs that have their state in an output: which there are, and which of them are dead."""

import os
import posixpath
import re
import time
import uuid

from beam_pipeline.output.heartbeat import ALIVE, LEASE_TIMEOUT
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import STATE, Output
from beam_pipeline.output.run_lock import NEW, is_alive
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.storage import files, urls

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


def _has_heartbeat(output: Output, run: str, entries: list[files.Entry]) -> bool:
    return output.url(f"{run}/{ALIVE}") in {entry.url for entry in entries}


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
