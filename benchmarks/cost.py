"""Estimate the cost of Kinetics on Dataflow from the processor time of clips on this machine.

    python -m benchmarks.cost street_854x480.mp4 cockatoo_1280x720.mp4 [--write docs/dataflow.md]

The first clip represents an average data set, the second one of large clips. Both are scaled to
ten seconds.
"""

import argparse
import statistics
import time
from pathlib import Path

from beam_pipeline.codec.request import Request, handle_request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.engines.dataflow import NUM_WORKERS
from benchmarks.markdown import replace_section, table

CLIPS = {"Kinetics-400": 306_245, "Kinetics-600": 495_547, "Kinetics-700-2020": 647_907}
"""Numbers of clips in DeepMind's papers; some are no longer available."""

SECONDS = 10
"""Length of a clip."""

CORES, MEMORY_GB = 4, 16
"""Of the default machine. Google counts threads as cores; a physical core has two."""

SHARED_CORE = 1.6
"""Slowdown of a clip when two share a physical core."""

OVERHEAD = 1.25
"""Factor for time without resizing: start-up, the join, the merge, the last clips."""

ARCHIVES = 1.08
"""Factor for archives, which spread worse than loose files: see ``spread.py``."""

CORE_PRICE, MEMORY_PRICE = 0.056, 0.003557
"""Dollars per hour for a core and for a gigabyte: batch jobs in us-central1."""

REQUESTS_PRICE = (0.0050 + 0.0004) / 1000
"""Dollars to write one object and read one."""

ROUNDS = 5


def cpu_seconds(clip: Path) -> float:
    """Processor seconds for ten seconds of such a clip, the median of some rounds."""
    request = Request(clip.read_bytes(), None, ClipSettings())
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        outcome = handle_request(request)
        seconds.append(time.process_time() - start)
    if outcome.facts.duration is None:
        raise SystemExit(f"{clip}: {outcome.reason} {outcome.detail}")
    return statistics.median(seconds) / outcome.facts.duration * SECONDS


def costs(clips: int, seconds: float) -> tuple[float, float, float, float, float]:
    """Core hours of resizing; then hours and dollars for loose files and for archives.

    The hours are those of the default number of machines.
    """
    work = clips * seconds / 3600
    hours = work * SHARED_CORE * OVERHEAD / (NUM_WORKERS * CORES)
    machines = NUM_WORKERS * (CORES * CORE_PRICE + MEMORY_GB * MEMORY_PRICE)
    price = hours * machines + clips * REQUESTS_PRICE
    return work, hours, price, hours * ARCHIVES, price + hours * (ARCHIVES - 1) * machines


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs=2, help="a typical clip and a large one")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- cost -->")
    args = parser.parse_args()
    seconds = [cpu_seconds(clip) for clip in args.clips]
    rows = []
    for name, clips in CLIPS.items():
        low, high = (costs(clips, clip_seconds) for clip_seconds in seconds)
        forms = ("{:.0f}", "{:.1f}", "${:.0f}", "{:.1f}", "${:.0f}")
        pairs = zip(low, high, forms, strict=True)
        cells = [f"{form.format(one)} to {form.format(other)}" for one, other, form in pairs]
        rows.append([name, f"{clips:,}", *cells])
    hours = f"hours on {NUM_WORKERS} machines"
    header = ["", "clips", "core hours", hours, "price", f"{hours}, archives", "price, archives"]
    text = table(header, rows) + (
        f"\n\nBased on {seconds[0]:.2f} s of processor time for ten seconds of "
        f"{args.clips[0].name}, and {seconds[1]:.2f} s for {args.clips[1].name}."
    )
    if args.write:
        replace_section(args.write, "cost", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
