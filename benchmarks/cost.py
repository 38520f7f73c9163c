"""Estimate the cost of Kinetics on Dataflow from the processor time of clips on this machine.

    python -m benchmarks.cost street_854x480.mp4 cockatoo_1280x720.mp4 [--write docs/dataflow.md]

The first clip represents an average data set, the second one of large clips. Both are scaled to
ten seconds. The model is in ``beam_pipeline/engines/dataflow_cost.py``.
"""

import argparse
import statistics
import time
from pathlib import Path

from beam_pipeline.codec.request import Request, handle_request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.engines.dataflow_cost import NUM_WORKERS, cost_of, default_machines
from benchmarks.markdown import replace_section, table

CLIPS = {"Kinetics-400": 306_245, "Kinetics-600": 495_547, "Kinetics-700-2020": 647_907}
"""Numbers of clips in DeepMind's papers; some are no longer available."""

SECONDS = 10
"""Length of a clip."""

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

    ``seconds`` is the processor time of a clip. The hours are those of the default number of
    machines.
    """
    machines = default_machines()
    loose = cost_of(clips, clips * seconds, machines)
    packed = cost_of(clips, clips * seconds, machines, in_archives=True)
    work = clips * seconds / 3600
    return work, loose.hours, loose.dollars, packed.hours, packed.dollars


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
