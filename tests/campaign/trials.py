"""Trials of the kinds of faults, by random seeds, in processes of their own."""

import random
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

from tests.campaign.kinds import KINDS
from tests.campaign.record import Count
from tests.faults.power_cuts import CannotMountError

SEEDS = 2**31
SAY_EVERY = 60.0
"""Seconds between two lines that say how far the campaign is."""


@dataclass(frozen=True)
class Trial:
    """What one seed of a kind came to: faults made, seconds, and the error if it did harm.

    ``not_tried`` says why no fault could be made.
    """

    kind: str
    seed: int
    tried: int
    seconds: float
    error: str | None
    not_tried: str | None = None


def attempt(kind: str, seed: int) -> Trial:
    """Make the faults of one seed."""
    began = time.monotonic()
    tried, error, not_tried = 1, None, None
    try:
        tried = KINDS[kind].check(seed)
    except CannotMountError as reason:
        tried, not_tried = 0, str(reason)
    except BaseException:  # whatever it is, it is a failure of this seed
        error = traceback.format_exc()
    return Trial(kind, seed, tried, time.monotonic() - began, error, not_tried)


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
            spent[kind] += trial.seconds - 1 if trial.not_tried is None else seconds
            say(trial)
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            made = ", ".join(f"{kind} {count_of(kind, trials).tried:,}" for kind in kinds)
            print(f"{max(until - said, 0) / 60:.0f} minutes left: {made}", flush=True)
    pool.shutdown()
    return trials


def say(trial: Trial) -> None:
    """Print how a trial failed, and what brings it back."""
    if trial.error:
        print(f"{trial.error}\nmake campaign KINDS={trial.kind} SEED={trial.seed}", flush=True)


def new_pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def count_of(kind: str, trials: Sequence[Trial]) -> Count:
    """The faults that were made, and the seeds of which one did harm."""
    of_kind = [trial for trial in trials if trial.kind == kind]
    return Count(
        sum(trial.tried for trial in of_kind), sum(trial.error is not None for trial in of_kind)
    )
