"""Compare beam_pipeline with other tools on the same clips and machine, as a Markdown table.

    python benchmarks/bench.py --clips FOLDER [--count 200] [--rounds 3]
        [--moviepy PYTHON] [--write docs/benchmarks.md]

The clips of the folder are repeated under new names up to ``--count``. Clips are left out if they
are damaged, if beam_pipeline would copy them, or if any tool fails on them. So all tools encode
the same clips.
"""

import argparse
import multiprocessing
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av.error
import imageio_ffmpeg
import pyarrow.parquet as pq
from contenders import CORES, LIMIT, MOVIEPY, NAMES, OURS, Contender, contenders
from dataset import make_dataset, videos_in
from markdown import replace_section, table
from quality import mean_window_seconds, picture_bytes, ssim

from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.progress.state import counted

HEADINGS = (
    "tool", "seconds", "clips/s", "seconds / ours", "our bytes / theirs",
    "our SSIM - theirs, in 1/1000", "read time / ours",
)  # fmt: skip


@dataclass
class Timings:
    """The wall seconds of each round."""

    seconds: list[float] = field(default_factory=list)

    def ratio(self, other: "Timings") -> float:
        """The median over the rounds of its seconds divided by the other's."""
        pairs = zip(self.seconds, other.seconds, strict=False)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def comparable(
    folder: Path, tools: Sequence[Contender], work: Path
) -> tuple[list[Path], list[str]]:
    """The clips of a folder that every tool encodes, and the names of the others."""
    clips = videos_in(folder)
    sources = make_dataset(clips, len(clips), work)
    for tool in tools:
        run(tool, work / "sources", work / tool.key, strict=False)
    rows = pq.read_table(work / OURS / "manifest" / "val.parquet").to_pylist()
    usable, others = [], []
    for clip, source, row in zip(clips, sources, rows, strict=True):
        all_made = all(_is_whole(tool.result(work / tool.key, source)) for tool in tools)
        if all_made and row["status"] == "resized" and not row["decode_errors"]:
            usable.append(clip)
        else:
            others.append(clip.name)
    return usable, others


def _is_whole(path: Path) -> bool:
    try:
        return picture_bytes(path) > 0
    except (OSError, av.error.FFmpegError):
        return False


def run(contender: Contender, sources: Path, results: Path, *, strict: bool = True) -> float:
    """Wall seconds of one run. If ``strict``, a failure exits this program."""
    results.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    result = subprocess.run(
        contender.on(sources, results),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    seconds = time.monotonic() - start
    if strict and result.returncode:
        sys.exit(f"{NAMES[contender.key]} exited with {result.returncode}:\n{result.stderr}")
    return seconds


def time_all(
    tools: Sequence[Contender], sources: Path, work: Path, rounds: int, slow_rounds: int
) -> tuple[dict[str, Timings], Timings]:
    """Time each tool once per round, in turn; also the start-up time of beam_pipeline.

    Start-up is a second run, with nothing left to do.
    """
    timings = {tool.key: Timings() for tool in tools}
    startup = Timings()
    for number in range(rounds):
        for tool in tools:
            if tool.key == MOVIEPY and number >= slow_rounds:
                continue
            results = work / tool.key
            shutil.rmtree(results, ignore_errors=True)
            timings[tool.key].seconds.append(run(tool, sources, results))
            if tool.key == OURS:
                startup.seconds.append(run(tool, sources, results))
            print(f"round {number + 1}, {tool.key}: {timings[tool.key].seconds[-1]:.1f} s",
                  file=sys.stderr)  # fmt: skip
    return timings, startup


@dataclass(frozen=True)
class Quality:
    """One tool's result for one clip: bytes of its pictures, SSIM, and seconds to read a window."""

    bytes: int
    ssim: float | None
    window_seconds: float


def measure_quality(
    tools: Sequence[Contender], sources: Sequence[Path], work: Path, ffmpeg: str
) -> dict[str, list[Quality]]:
    """The quality of every tool's results, by the tool's key, in the order of the sources."""
    qualities: dict[str, list[Quality]] = {tool.key: [] for tool in tools}
    for source in sources:
        results = {tool.key: tool.result(work / tool.key, source) for tool in tools}
        windows = mean_window_seconds(list(results.values()))
        for (key, path), window in zip(results.items(), windows, strict=True):
            quality = Quality(picture_bytes(path), ssim(ffmpeg, source, path), window)
            qualities[key].append(quality)
    return qualities


def subtract(total: Timings, part: Timings) -> Timings:
    """The seconds of each round without those of a part."""
    return Timings([a - b for a, b in zip(total.seconds, part.seconds, strict=True)])


def rows_of(
    timings: dict[str, Timings], startup: Timings, qualities: dict[str, list[Quality]], count: int
) -> list[list[str]]:
    """A row for every tool."""
    rows = []
    ours = qualities[OURS]
    work = subtract(timings[OURS], startup)
    for key, timing in timings.items():
        theirs = qualities[key]
        differences = [
            1000 * (mine.ssim - other.ssim)
            for mine, other in zip(ours, theirs, strict=True)
            if mine.ssim is not None and other.ssim is not None
        ]
        median = statistics.median(timing.seconds)
        rows.append([
            NAMES[key],
            f"{median:.1f}",
            f"{count / median:.2f}",
            f"{timing.ratio(timings[OURS]):.2f}",
            f"{sum(q.bytes for q in ours) / sum(q.bytes for q in theirs):.2f}",
            f"{min(differences):+.2f} to {max(differences):+.2f}" if differences else "",
            f"{sum(q.window_seconds for q in theirs) / sum(q.window_seconds for q in ours):.2f}",
        ])  # fmt: skip
    median = statistics.median(work.seconds)
    rows.insert(1, ["the same, without start-up", f"{median:.1f}", f"{count / median:.2f}",
                    f"{work.ratio(timings[OURS]):.2f}", "1.00", "", "1.00"])  # fmt: skip
    return rows


def peak_megabytes(clips: Sequence[Path]) -> tuple[float, str]:
    """The peak memory of a child process over all clips, and the name of that clip."""
    peak = (0.0, "")
    for clip in clips:
        pool = CodecPool(1)
        outcome = pool.run(Request(clip.read_bytes(), None, ClipSettings()), 600)
        assert outcome.status in ("resized", "copied"), outcome
        (child,) = multiprocessing.active_children()
        status = Path(f"/proc/{child.pid}/status").read_text()
        kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]
        peak = max(peak, (kilobytes / 1000, clip.name))
        pool.close()
    return peak


def main() -> None:
    """Run everything and print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=200, help="number of clips in a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow_rounds", type=int, default=1, help="rounds of the moviepy loop")
    parser.add_argument("--moviepy", help="a Python with moviepy 1.0.3 and Pillow below 10")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- bench -->")
    args = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    tools = contenders(ffmpeg, args.moviepy)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clips, others = comparable(args.clips, tools, work / "trial")
        sources = make_dataset(clips, args.count, work)
        timings, startup = time_all(tools, work / "sources", work, args.rounds, args.slow_rounds)
        qualities = measure_quality(tools, sources[: len(clips)], work, ffmpeg)
        memory, largest_clip = peak_megabytes(clips)
        rows = rows_of(timings, startup, qualities, args.count)
    speed = timings[LIMIT].ratio(subtract(timings[OURS], startup))
    version = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True)
    remarks = (
        f"{args.count} clips, copies of {len(clips)} different ones; {CORES} cores; medians of "
        f"{counted(args.rounds, 'round')} (moviepy: {args.slow_rounds}); ffmpeg "
        f"{version.stdout.split()[2]}. "
        f"Start-up is a run with nothing to do: {statistics.median(startup.seconds):.1f} s. "
        f"Without it, beam_pipeline reaches {speed:.3f} of the speed of the bare loop. A child "
        f"process uses at most {memory:.0f} MB ({largest_clip}). Left out because they are "
        f"damaged, copied by beam_pipeline, or fail with some tool: {', '.join(others) or 'none'}."
    )
    text = f"\n{table(HEADINGS, rows)}\n\n{remarks}\n"
    print(text)
    if args.write:
        replace_section(args.write, "bench", text)


if __name__ == "__main__":
    main()
