"""Run a campaign: ``python -m tests.campaign --hours 1``, or one trial of it by its seed."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.campaign.kinds import KINDS
from tests.campaign.record import HEADER, Count, add_to_document
from tests.campaign.trials import Trial, attempt, campaign, count_of, say

SHOWN = 5
"""Failures of one kind whose seeds are shown in the table."""


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
            for trial in trials:
                say(trial)
        else:
            trials = campaign(given.kinds, given.hours * 3600, given.processes)
    finally:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    counts = {kind: count_of(kind, trials) for kind in given.kinds}
    Console().print(table_of(counts, trials))
    if given.write:
        add_to_document(given.write, {KINDS[kind].what: count for kind, count in counts.items()})
    return int(any(trial.error for trial in trials))


def table_of(counts: dict[str, Count], trials: Sequence[Trial]) -> Table:
    """What was tried, and the seeds that bring each failure back, or why nothing was."""
    table = Table(*HEADER, "seeds that failed")
    for kind, count in counts.items():
        of_kind = [trial for trial in trials if trial.kind == kind]
        seeds = [str(trial.seed) for trial in of_kind if trial.error][:SHOWN]
        seeds += sorted({f"not tried: {t.not_tried}" for t in of_kind if t.not_tried})
        numbers = (f"{count.tried:,}", f"{count.held:,}", f"{count.failed:,}")
        table.add_row(KINDS[kind].what, *numbers, " ".join(seeds))
    return table


if __name__ == "__main__":
    sys.exit(main())
