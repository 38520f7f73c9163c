"""Measure how many cores one process can keep busy with clips, as a Markdown table.

    python -m benchmarks.feed --clips FOLDER [--count 1000] [--rounds 3]
        [--write docs/benchmarks.md]

A process reads the clips, sends them to its children, which work on them, and writes what comes
back. Its own processor time is measured with children that answer at once. From a run of
``--count`` clips a run of a few is subtracted, so start-up does not count. What a child needs for
a clip is measured with the real codecs. The bucket is an emulator in another process.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.progress.state import counted
from benchmarks.dataset import make_dataset, pack, videos_in
from benchmarks.markdown import replace_section, table
from benchmarks.ready_made import save_answers
from tests.buckets import BUCKET, Buckets

HEADINGS = (
    "source", "parent, ms a clip", "child, s a clip", "cores kept busy", "clips/s of the parent",
)  # fmt: skip

TIMEOUT = 600
"""Seconds that a clip may take."""


@dataclass(frozen=True)
class Source:
    """Flags that name the same clips in one kind of source: a few of them, and many."""

    name: str
    few: tuple[str, ...]
    many: tuple[str, ...]


def made(clips: Sequence[Path]) -> dict[Path, Outcome]:
    """The clips that are resized, and what becomes of them. Others are left out."""
    pool = CodecPool(1)
    outcomes = {
        clip: pool.run(Request(clip.read_bytes(), None, ClipSettings()), TIMEOUT) for clip in clips
    }
    pool.close()
    return {clip: outcome for clip, outcome in outcomes.items() if outcome.status == "resized"}


def child_seconds(rounds: Sequence[dict[Path, Outcome]]) -> float:
    """The processor time that a child takes for a clip: the mean of the clips' medians."""
    of_clips = zip(*(outcomes.values() for outcomes in rounds), strict=True)
    return statistics.mean(
        statistics.median(outcome.cpu_seconds or 0.0 for outcome in outcomes)
        for outcomes in of_clips
    )


def sources_of(clips: Sequence[Path], count: int, buckets: Buckets, work: Path) -> list[Source]:
    """A folder, an archive and a bucket, with each clip once, and with ``count`` clips."""
    flags: dict[str, list[tuple[str, ...]]] = {"folder": [], "tar.gz": [], "bucket": []}
    for name, size in (("few", len(clips)), ("many", count)):
        files = make_dataset(clips, size, work / name)
        pack(work / f"{name}.tar.gz", files)
        common = ("--annotations", str(work / name / "val.csv"), "--videos")
        flags["folder"].append((*common, str(work / name / "sources")))
        flags["tar.gz"].append((*common, str(work / f"{name}.tar.gz")))
        stored = buckets.put(work / name / "sources", name)
        flags["bucket"].append((*common, stored, *buckets.flags))
    return [Source(name, *few_and_many) for name, few_and_many in flags.items()]


def parent_seconds(source: Source, flags: Sequence[str], answers: Path, buckets: Buckets) -> float:
    """The parent's processor time for a run into a new output of the same kind."""
    folder = answers.parent / "output"
    output = f"gs://{BUCKET}/output" if source.name == "bucket" else str(folder)
    command = ["-m", "benchmarks.ready_made", str(answers), *flags, "--output", output]
    result = subprocess.run(
        [sys.executable, *command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        sys.exit(f"the run exited with {result.returncode}: {result.stderr}")
    if source.name == "bucket":
        buckets.direct().rm(output, recursive=True)
        buckets.reset()
    else:
        shutil.rmtree(folder)
    return float(result.stdout.split()[-1])


def measure(
    clips: Sequence[Path], outcomes: Sequence[Outcome], count: int, rounds: int, work: Path
) -> dict[str, float]:
    """The parent's processor time for a clip in seconds, for each kind of source."""
    answers = work / "answers"
    save_answers(answers, zip((clip.read_bytes() for clip in clips), outcomes, strict=True))
    taken: dict[str, list[float]] = {}
    with Buckets() as buckets:
        sources = sources_of(clips, count, buckets, work)
        for number in range(rounds):
            for source in sources:
                few, many = (
                    parent_seconds(source, flags, answers, buckets)
                    for flags in (source.few, source.many)
                )
                taken.setdefault(source.name, []).append((many - few) / (count - len(clips)))
                print(f"round {number + 1}, {source.name}: {few:.2f} s, {many:.2f} s",
                      file=sys.stderr)  # fmt: skip
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, default=Path("sample/videos"))
    parser.add_argument("--count", type=int, default=1000, help="number of clips in a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a document that contains <!-- feed -->")
    args = parser.parse_args()
    outcomes = made(videos_in(args.clips))
    clips = list(outcomes)
    child = child_seconds([outcomes, *(made(clips) for _ in range(args.rounds - 1))])
    with tempfile.TemporaryDirectory() as folder:
        parents = measure(clips, list(outcomes.values()), args.count, args.rounds, Path(folder))
    rows = [
        [
            name,
            f"{1000 * parent:.2f}",
            f"{child:.3f}",
            f"{child / parent:,.0f}",
            f"{1 / parent:,.0f}",
        ]
        for name, parent in parents.items()
    ]
    size = statistics.mean(clip.stat().st_size for clip in clips)
    text = (
        f"\n{table(HEADINGS, rows)}\n\n{args.count:,} clips, copies of {len(clips)} different ones "
        f"of {size / 1e6:.2f} MB on average; medians of {counted(args.rounds, 'round')}.\n"
    )
    print(text)
    if args.write:
        replace_section(args.write, "feed", text)


if __name__ == "__main__":
    main()
