"""Measure what WebDataset shards cost, as a Markdown table.

    python -m benchmarks.shards --clips FOLDER [--count 1000] [--made 48] [--rounds 3]
        [--write docs/shards.md]

Packing: from a finished output of ``--count`` clips, by a run that packs them, less one that finds
nothing to do. In the same run: ``--made`` clips are resized by runs with and without shards, in
pairs. Both are by the processor time of the command and all its children, so that others on the
machine do not count; the share of the rate is the one of the clips' own time, without start-up.
"""

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from beam_pipeline.progress.state import counted
from benchmarks.dataset import make_dataset, videos_in
from benchmarks.markdown import replace_section, table

HEADINGS = ("what", "clips", "MB", "processor time, s", "result")
SHARDS = ("--list_format", "webdataset")


def seconds(folder: Path, output: Path, *flags: str) -> float:
    """The processor time of the command on a data set, with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [
            sys.executable, "-m", "beam_pipeline", "--annotations", str(folder / "val.csv"),
            "--videos", str(folder / "sources"), "--output", str(output), "--splits", "val", *flags,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        sys.exit(f"the run exited with {result.returncode}: {result.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def shard_bytes(output: Path) -> int:
    """The size of all shards of an output."""
    return sum(path.stat().st_size for path in (output / "webdataset").glob("*.tar"))


def packing(clips: Sequence[Path], count: int, rounds: int, work: Path) -> tuple[float, int]:
    """The processor time to pack the clips of a finished output, and the bytes of the shards."""
    make_dataset(clips, count, work / "finished")
    output = work / "finished" / "output"
    seconds(work / "finished", output)
    taken, size = [], 0
    for _ in range(rounds):
        idle = seconds(work / "finished", output)
        taken.append(seconds(work / "finished", output, *SHARDS) - idle)
        size = shard_bytes(output)
        shutil.rmtree(output / "webdataset")
        print(f"packing: {taken[-1]:.2f} s over {idle:.2f} s", file=sys.stderr)
    return statistics.median(taken), size


def pairs(clips: Sequence[Path], count: int, rounds: int, work: Path) -> tuple[float, float, int]:
    """The processor time to make clips, alone and with shards, without start-up; their bytes."""
    make_dataset(clips, count, work / "made")
    taken: dict[bool, list[float]] = {False: [], True: []}
    start_up, size = [], 0
    for number in range(rounds):
        for with_shards in (False, True) if number % 2 else (True, False):
            output = work / "made" / "output"
            taken[with_shards].append(
                seconds(work / "made", output, *(SHARDS if with_shards else ()))
            )
            if with_shards:
                size = shard_bytes(output)
            else:
                start_up.append(seconds(work / "made", output))
            shutil.rmtree(output)
        print(
            f"pair {number + 1}: {taken[False][-1]:.2f} s alone, {taken[True][-1]:.2f} s with "
            f"shards, {start_up[-1]:.2f} s start-up",
            file=sys.stderr,
        )
    idle = statistics.median(start_up)
    alone, both = (statistics.median(taken[which]) - idle for which in (False, True))
    return alone, both, size


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, default=Path("sample/videos"))
    parser.add_argument("--count", type=int, default=1000, help="clips to pack")
    parser.add_argument("--made", type=int, default=48, help="clips to make")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="a document that contains <!-- shards -->")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        make_dataset(videos_in(args.clips), len(videos_in(args.clips)), work / "first")
        seconds(work / "first", work / "first" / "output")
        resized = videos_in(work / "first" / "output" / "videos")
        took, packed = packing(resized, args.count, args.rounds, work)
        shutil.rmtree(work / "finished")
        alone, both, made = pairs(videos_in(args.clips), args.made, args.rounds, work)
    rows = [
        ["packed from a finished output", f"{args.count:,}", f"{packed / 1e6:,.0f}", f"{took:.2f}",
         f"{packed / took / 1e6:,.0f} MB/s a core"],
        ["made, loose clips alone", f"{args.made:,}", "", f"{alone:.2f}", ""],
        ["made, with shards too", f"{args.made:,}", f"{made / 1e6:,.0f}", f"{both:.2f}",
         f"{alone / both:.3f} of the rate"],
    ]  # fmt: skip
    text = f"\n{table(HEADINGS, rows)}\n\nMedians of {counted(args.rounds, 'round')}.\n"
    print(text)
    if args.write:
        replace_section(args.write, "shards", text)


if __name__ == "__main__":
    main()
