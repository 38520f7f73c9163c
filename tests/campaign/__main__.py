"""Run a campaign: ``python -m tests.campaign --hours 1``, or one trial of it by its seed."""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.campaign.kinds import KINDS
from tests.campaign.record import HEADER, Count, add_to_document

SEEDS = 2**31
SAY_EVERY = 60.0
"""Seconds between two lines that say how far the campaign is."""


@dataclass(frozen=True)
class Trial:
    """What one seed of a kind came to: faults made, seconds, and the error if it did harm."""

    kind: str
    seed: int
    tried: int
    seconds: float
    error: str | None


def attempt(kind: str, seed: int) -> Trial:
    """Make the faults of one seed."""
    began = time.monotonic()
    tried, error = 1, None
    try:
        tried = KINDS[kind].check(seed)
    except BaseException:  # whatever it is, it is a failure of this seed
        error = traceback.format_exc()
    return Trial(kind, seed, tried, time.monotonic() - began, error)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 if a fault did harm."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--hours", type=float, default=0.1, help="default: 0.1")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND",
                        help=f"some of {', '.join(KINDS)} (default: all)")  # fmt: skip
    parser.add_argument("--seed", type=int, help="one trial of each kind, with this seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="add the counts to the table of a document")
    given = parser.parse_args(argv)
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="campaign")
    try:
        if given.seed is not None:
            trials = [attempt(kind, given.seed) for kind in given.kinds]
        else:
            trials = campaign(given.kinds, given.hours * 3600, given.processes)
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    counts = {kind: count_of(kind, trials) for kind in given.kinds}
    Console().print(table_of(counts, trials))
    if given.write:
        add_to_document(given.write, {KINDS[kind].what: count for kind, count in counts.items()})
    return int(any(trial.error for trial in trials))


def campaign(kinds: Sequence[str], seconds: float, processes: int) -> list[Trial]:
    """Trials of random seeds until the time is up; each kind gets its share of the time."""
    until = time.monotonic() + seconds
    trials: list[Trial] = []
    pending: dict[Future[Trial], tuple[str, int]] = {}
    spent = dict.fromkeys(kinds, 0.0)
    said = time.monotonic()
    pool = new_pool(processes)
    while pending or time.monotonic() < until:
        while len(pending) < processes and time.monotonic() < until:
            kind = min(kinds, key=lambda kind: spent[kind] / KINDS[kind].share)
            spent[kind] += 1  # until it is known what it takes
            seed = random.randrange(SEEDS)
            pending[pool.submit(attempt, kind, seed)] = (kind, seed)
        done, _ = wait(pending, timeout=SAY_EVERY, return_when=FIRST_COMPLETED)
        for future in done:
            kind, seed = pending.pop(future)
            try:
                trial = future.result()
            except BrokenProcessPool:
                trial = Trial(kind, seed, 1, 0, "its process died")
                pool = new_pool(processes)
            trials.append(trial)
            spent[kind] += trial.seconds - 1
            if trial.error:
                print(f"{trial.error}\nmake campaign KINDS={kind} SEED={seed}", flush=True)
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            made = ", ".join(f"{kind} {count_of(kind, trials).tried:,}" for kind in kinds)
            print(f"{(until - said) / 60:.0f} minutes left: {made}", flush=True)
    pool.shutdown()
    return trials


def new_pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def count_of(kind: str, trials: Sequence[Trial]) -> Count:
    """The faults that were made, and the seeds of which one did harm."""
    of_kind = [trial for trial in trials if trial.kind == kind]
    return Count(
        sum(trial.tried for trial in of_kind), sum(trial.error is not None for trial in of_kind)
    )


def table_of(counts: dict[str, Count], trials: Sequence[Trial]) -> Table:
    """What was tried, and the seeds that bring each failure back."""
    table = Table(*HEADER, "seeds that failed")
    for kind, count in counts.items():
        seeds = [str(trial.seed) for trial in trials if trial.kind == kind and trial.error]
        numbers = (f"{count.tried:,}", f"{count.held:,}", f"{count.failed:,}")
        table.add_row(KINDS[kind].what, *numbers, " ".join(seeds))
    return table


if __name__ == "__main__":
    sys.exit(main())
