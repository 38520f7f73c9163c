"""Ours and theirs in turn on the same clips on this machine, as a Markdown table.

    python benchmarks/bench.py --clips FOLDER [--count 200] [--rounds 3]
        [--moviepy PYTHON] [--write README.md]

The clips of the folder are repeated under new names until there are as many as asked for. Those
that are damaged, that ours would copy, or that one way cannot make, are left out: all encode the
same clips.
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
from markdown import put, table
from quality import mean_window_seconds, picture_bytes, ssim

from beam_pipeline.codec.child import Request
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.settings import ClipSettings

HEADINGS = (
    "way", "seconds", "clips/s", "times our seconds", "our bytes to theirs",
    "our SSIM less theirs, in 1/1000", "times our read",
)  # fmt: skip

SUFFIXES = {".mp4", ".mkv", ".webm", ".avi", ".mov"}

HEADER = "youtube_id,time_start,time_end,label,split\n"


@dataclass
class Timed:
    """Wall seconds of each round."""

    seconds: list[float] = field(default_factory=list)

    def ratio(self, to: "Timed") -> float:
        """The median over the rounds of how many times as long it took."""
        pairs = zip(self.seconds, to.seconds, strict=False)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def lay_out(clips: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Copy clips under ids of their own, ``count`` in all, and annotate them."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    made = []
    with (folder / "val.csv").open("w") as annotations:
        annotations.write(HEADER)
        for number in range(count):
            clip = clips[number % len(clips)]
            youtube_id = f"bench{number:06d}"
            name = f"{youtube_id}_000000_000010{clip.suffix}"
            made.append(Path(shutil.copyfile(clip, sources / name)))
            annotations.write(f"{youtube_id},0,10,zumba,val\n")
    return made


def comparable(folder: Path, ways: Sequence[Contender], work: Path) -> tuple[list[Path], list[str]]:
    """The clips of a folder that every way encodes, and the names of the others."""
    clips = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    sources = lay_out(clips, len(clips), work)
    for way in ways:
        run(way, work / "sources", work / way.key, strict=False)
    rows = pq.read_table(work / OURS / "manifest" / "val.parquet").to_pylist()
    usable, others = [], []
    for clip, source, row in zip(clips, sources, rows, strict=True):
        made = all(_is_whole(way.result(work / way.key, source)) for way in ways)
        if made and row["status"] == "resized" and not row["decode_errors"]:
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
    """Wall seconds of one run; a strict one has to succeed."""
    results.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    ended = subprocess.run(
        contender.on(sources, results),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    if strict and ended.returncode:
        sys.exit(f"{NAMES[contender.key]} ended with status {ended.returncode}:\n{ended.stderr}")
    return seconds


def time_all(
    ways: Sequence[Contender], sources: Path, work: Path, rounds: int, slow_rounds: int
) -> tuple[dict[str, Timed], Timed]:
    """Each way once a round, in turn; and ours again with nothing left to do: its start-up."""
    timed = {way.key: Timed() for way in ways}
    startup = Timed()
    for number in range(rounds):
        for way in ways:
            if way.key == MOVIEPY and number >= slow_rounds:
                continue
            results = work / way.key
            shutil.rmtree(results, ignore_errors=True)
            timed[way.key].seconds.append(run(way, sources, results))
            if way.key == OURS:
                startup.seconds.append(run(way, sources, results))
            print(f"round {number + 1}, {way.key}: {timed[way.key].seconds[-1]:.1f} s",
                  file=sys.stderr)  # fmt: skip
    return timed, startup


@dataclass(frozen=True)
class Worth:
    """What one way made of one clip: bytes of pictures, SSIM, seconds to read a window."""

    bytes: int
    ssim: float | None
    window: float


def judge(
    ways: Sequence[Contender], sources: Sequence[Path], work: Path, ffmpeg: str
) -> dict[str, list[Worth]]:
    """The worth of every way's result for some of the sources."""
    found: dict[str, list[Worth]] = {way.key: [] for way in ways}
    for source in sources:
        made = {way.key: way.result(work / way.key, source) for way in ways}
        windows = mean_window_seconds(list(made.values()))
        for (name, path), window in zip(made.items(), windows, strict=True):
            worth = Worth(picture_bytes(path), ssim(ffmpeg, source, path), window)
            found[name].append(worth)
    return found


def without(whole: Timed, part: Timed) -> Timed:
    """The seconds of each round less those of a part."""
    return Timed([a - b for a, b in zip(whole.seconds, part.seconds, strict=True)])


def rows_of(
    timed: dict[str, Timed], startup: Timed, worth: dict[str, list[Worth]], count: int
) -> list[list[str]]:
    """A row for every way."""
    rows = []
    first = worth[OURS]
    work = without(timed[OURS], startup)
    for key, seconds in timed.items():
        mine = worth[key]
        differences = [
            1000 * (one.ssim - theirs.ssim)
            for one, theirs in zip(first, mine, strict=True)
            if one.ssim is not None and theirs.ssim is not None
        ]
        median = statistics.median(seconds.seconds)
        rows.append([
            NAMES[key],
            f"{median:.1f}",
            f"{count / median:.2f}",
            f"{seconds.ratio(timed[OURS]):.2f}",
            f"{sum(w.bytes for w in first) / sum(w.bytes for w in mine):.2f}",
            f"{min(differences):+.2f} to {max(differences):+.2f}" if differences else "",
            f"{sum(w.window for w in mine) / sum(w.window for w in first):.2f}",
        ])  # fmt: skip
    median = statistics.median(work.seconds)
    rows.insert(1, ["the same, start-up aside", f"{median:.1f}", f"{count / median:.2f}",
                    f"{work.ratio(timed[OURS]):.2f}", "1.00", "", "1.00"])  # fmt: skip
    return rows


def peak_megabytes(clips: Sequence[Path]) -> tuple[float, str]:
    """The most memory that a child holds over all clips, and at which."""
    most = (0.0, "")
    for clip in clips:
        pool = CodecPool(1)
        outcome = pool.run(Request(clip.read_bytes(), None, ClipSettings()), 600)
        assert outcome.status in ("resized", "copied"), outcome
        (child,) = multiprocessing.active_children()
        status = Path(f"/proc/{child.pid}/status").read_text()
        kilobytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]
        most = max(most, (kilobytes / 1000, clip.name))
        pool.close()
    return most


def main() -> None:
    """Run it all; print the table, and write it into a document if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=200, help="clips in a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow_rounds", type=int, default=1, help="of the moviepy loop")
    parser.add_argument("--moviepy", help="a Python with moviepy 1.0.3 and Pillow below 10")
    parser.add_argument("--write", type=Path, help="a document with <!-- bench --> in it")
    asked = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    ways = contenders(ffmpeg, asked.moviepy)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clips, others = comparable(asked.clips, ways, work / "trial")
        sources = lay_out(clips, asked.count, work)
        timed, startup = time_all(ways, work / "sources", work, asked.rounds, asked.slow_rounds)
        worth = judge(ways, sources[: len(clips)], work, ffmpeg)
        memory, where = peak_megabytes(clips)
        rows = rows_of(timed, startup, worth, asked.count)
    of_limit = timed[LIMIT].ratio(without(timed[OURS], startup))
    version = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True)
    remarks = (
        f"{asked.count} clips made of {len(clips)} different ones, {CORES} cores, medians of "
        f"{asked.rounds} rounds (moviepy: {asked.slow_rounds}), ffmpeg {version.stdout.split()[2]}."
        f" Start-up: {statistics.median(startup.seconds):.1f} s, a run with nothing to do; "
        f"without it, {of_limit:.3f} of the speed of the bare loop. A child holds at most "
        f"{memory:.0f} MB ({where}). Left out, being damaged, copied by ours, or beyond some way: "
        f"{', '.join(others) or 'none'}."
    )
    text = f"\n{table(HEADINGS, rows)}\n\n{remarks}\n"
    print(text)
    if asked.write:
        put(asked.write, "bench", text)


if __name__ == "__main__":
    main()
