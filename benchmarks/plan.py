"""Compare what ``plan`` says with what the run then takes, on real clips.

    python benchmarks/plan.py --clips FOLDER [--count 200] [--sample 40] [--rounds 1] [--archives 4]
    python benchmarks/plan.py --clips FOLDER --draws 100 [--count 200] [--sample 40]

With ``--draws`` nothing is run: every clip is measured once, and so many samples are drawn of data
sets that repeat them. That shows the error of the sample alone, however busy the machine is.

The clips of the folder, damaged ones too, are repeated under new names up to ``--count``; with
``--archives`` they are packed into so many. On a machine that is busy with other things, compare
the processor time of the clips: that of the run without that of the same run with nothing to do.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from dataset import make_dataset, pack, videos_in

from beam_pipeline.commands.plan.estimate import Sample, total_of
from beam_pipeline.commands.plan.sampling import Reservoir
from beam_pipeline.commands.plan.try_sample import made_of
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask
from beam_pipeline.work.try_clips import Bench

COMMAND = [sys.executable, "-m", "beam_pipeline"]
ROW = "{:28} {:>14} {:>14} {:>8}"


def timed(command: Sequence[str]) -> tuple[str, float, float]:
    """What a command prints, its wall seconds, and its processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, seconds, cpu


def sizes_below(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def flags_for(folder: Path, clips: Path, count: int, archives: int) -> list[str]:
    """Make the data set; returns the flags of the run, but for its output."""
    sources = make_dataset(videos_in(clips), count, folder)
    videos = [folder / "sources"]
    if archives:
        videos = [folder / f"{number}.tar.gz" for number in range(archives)]
        for number, archive in enumerate(videos):
            pack(archive, sources[number::archives])
    return ["--annotations", str(folder / "val.csv"), "--videos", *map(str, videos)]


def compare(flags: Sequence[str], sample: int, output: Path) -> None:
    """Plan, then run, and print both."""
    where = ["--output", str(output)]
    text, plan_seconds, _ = timed(
        [*COMMAND, "plan", *flags, *where, "--json", "--sample", str(sample)]
    )
    assert not output.exists(), "plan has written into the output"
    estimate: dict[str, Any] = json.loads(text)["estimate"]
    _, seconds, cpu = timed([*COMMAND, *flags, *where, "--max_failure_ratio", "1"])
    _, started, start_cpu = timed([*COMMAND, *flags, *where, "--max_failure_ratio", "1"])
    summary = json.loads((output / "summary.json").read_text())
    took = {
        "seconds": seconds,
        "cpu_seconds": cpu - start_cpu,
        "bytes_read": sum(row["source_bytes"] or 0 for row in rows_of(output)),
        "bytes_written": sizes_below(output / "videos"),
        "failed": summary["total"]["failed"],
    }
    print(f"\n{estimate['sample']['clips']} clips tried, plan took {plan_seconds:.1f} s")
    print(ROW.format("", "plan", "run", "ratio"))
    for name, value in took.items():
        said = estimate[name]
        ratio = f"{said['value'] / value:.3f}" if value else ""
        low, high = said["low"], said["high"]
        print(ROW.format(name, f"{said['value']:,.1f}", f"{value:,.1f}", ratio), low, high)
    print(ROW.format("start and end, seconds", estimate["start_seconds"], f"{started:.1f}", ""))


def rows_of(output: Path) -> list[dict[str, Any]]:
    """The rows of the manifest."""
    rows: list[dict[str, Any]] = pq.read_table(output / "manifest" / "val.parquet").to_pylist()
    return rows


def draw_often(clips: Sequence[Path], count: int, most: int, draws: int) -> None:
    """Print how far estimates of samples are from the truth, which is known of every clip."""
    config = Config.from_flags(videos=str(clips[0].parent), output="none")
    bench = Bench(config)
    trials = {clip: bench.submit(task_of(0, number, clip)) for number, clip in enumerate(clips)}
    costs = {clip: made_of(trial.result(), clip.stat().st_size) for clip, trial in trials.items()}
    bench.close()
    repeated = [clips[number % len(clips)] for number in range(count)]
    for name in ("cpu_seconds", "written"):
        truth = sum(getattr(costs[clip], name) for clip in repeated)
        ratios = []
        for draw in range(draws):
            tasks = Reservoir(most)
            for number, clip in enumerate(repeated):
                tasks.add(task_of(draw, number, clip))
            made = [costs[Path(task.sources[0][0])] for task in tasks.draw(most)]
            found = total_of(Sample(tasks.population, made), attrgetter(name))
            ratios.append(found.value / truth)
        print(
            f"{name}: {draws} samples of {most} of {count} clips are at {min(ratios):.3f} to "
            f"{max(ratios):.3f} of the truth, {statistics.mean(ratios):.3f} in the mean"
        )


def task_of(draw: int, number: int, clip: Path) -> ResizeTask:
    """The task of a clip under a name of its own, which decides whether it is drawn."""
    name = f"d{draw:04d}n{number:05d}"
    annotated = Clip(f"{name}_000000_000010", name, 0, 10, "val", "zumba", 0)
    return ResizeTask(annotated, f"{name}.mp4", ((str(clip), clip.stat().st_size),))


def main() -> None:
    """Make the data set, and compare as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=200, help="number of clips in a run")
    parser.add_argument("--sample", type=int, default=40, help="number of clips that plan tries")
    parser.add_argument("--archives", type=int, default=0, help="number of archives; 0: files")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--draws", type=int, help="number of samples to draw, without a run")
    args = parser.parse_args()
    if args.draws:
        draw_often(videos_in(args.clips), args.count, args.sample, args.draws)
        return
    with tempfile.TemporaryDirectory() as folder:
        flags = flags_for(Path(folder), args.clips, args.count, args.archives)
        for number in range(args.rounds):
            compare(flags, args.sample, Path(folder) / f"output{number}")


if __name__ == "__main__":
    main()
