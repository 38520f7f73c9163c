"""What Kinetics costs at Dataflow, from the processor time that clips take on this machine.

    python benchmarks/cost.py street_854x480.mp4 cockatoo_1280x720.mp4 [--write README.md]

The first clip stands for all, the second for a set of large ones. Time and bytes are taken for
ten seconds of each.
"""

import argparse
import statistics
import time
from pathlib import Path

from beam_pipeline.codec.child import Request, answer
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.engines.dataflow import WORKERS
from benchmarks.markdown import put, table

CLIPS = {"Kinetics-400": 306_245, "Kinetics-600": 495_547, "Kinetics-700-2020": 647_907}
"""As DeepMind's papers count them; some are not to be had any more."""

SECONDS = 10
"""Of a clip."""

CORES, MEMORY_GB = 4, 16
"""Of the default machine; a core of Google's is a thread of which a real one has two."""

THREAD = 1.6
"""Times as long as one clip alone takes each of two that share a real core."""

IDLE = 1.25
"""Times the work: start-up, the join, the merge, the last clips."""

CORE_PRICE, MEMORY_PRICE = 0.056, 0.003557
"""Dollars an hour, of a core and of a gigabyte: batch, us-central1."""

REQUESTS_PRICE = (0.0050 + 0.0004) / 1000
"""Dollars to write one object and to read one."""

ROUNDS = 5


def cpu_seconds(clip: Path) -> float:
    """Processor time of one clip of ten seconds like this, the median of some tries."""
    request = Request(clip.read_bytes(), None, ClipSettings())
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        outcome = answer(request)
        taken.append(time.process_time() - began)
    if outcome.facts.duration is None:
        raise SystemExit(f"{clip}: {outcome.reason} {outcome.detail}")
    return statistics.median(taken) / outcome.facts.duration * SECONDS


def costs(clips: int, seconds: float) -> tuple[float, float, float]:
    """Core hours of the work itself, hours on the default machines, and dollars."""
    work = clips * seconds / 3600
    hours = work * THREAD * IDLE / (WORKERS * CORES)
    machine = CORES * CORE_PRICE + MEMORY_GB * MEMORY_PRICE
    return work, hours, WORKERS * hours * machine + clips * REQUESTS_PRICE


def main() -> None:
    """Print the table, or write it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs=2, help="a typical one and a large one")
    parser.add_argument("--write", type=Path, help="the document to put the table into")
    asked = parser.parse_args()
    seconds = [cpu_seconds(clip) for clip in asked.clips]
    rows = []
    for name, clips in CLIPS.items():
        low, high = (costs(clips, each) for each in seconds)
        pairs = zip(low, high, ("{:.0f}", "{:.1f}", "${:.0f}"), strict=True)
        cells = [f"{form.format(one)} to {form.format(other)}" for one, other, form in pairs]
        rows.append([name, f"{clips:,}", *cells])
    header = ["", "clips", "hours of work", f"hours on {WORKERS} machines", "price"]
    text = table(header, rows) + (
        f"\n\nFrom {seconds[0]:.2f} s of processor time for ten seconds of {asked.clips[0].name}, "
        f"and {seconds[1]:.2f} s of {asked.clips[1].name}."
    )
    if asked.write:
        put(asked.write, "cost", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
