"""Compare an archive with a folder of the same clips, and a large archive with a small one.

    python benchmarks/archives.py --clips FOLDER [--count 200] [--rounds 3]

The rate is that of the whole beam_pipeline command, alternating between folder and archive.
Memory is the peak of the main process while it reads archives with few wanted clips. Its child
processes have their own limit.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dataset import make_dataset, pack, videos_in

SMALL, LARGE = 200, 2000
"""Sizes in megabytes of the archives whose memory use is compared."""

WANTED = 20
"""Annotated clips at the beginning of such an archive."""


def prepare(annotations: Path, videos: Path, output: Path) -> tuple[float, float]:
    """Wall seconds of a run, and the peak memory of its main process in megabytes."""
    code = (
        "import resource, sys\n"
        "from beam_pipeline import cli\n"
        "status = cli.main(sys.argv[1:])\n"
        "print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    flags = ("--annotations", annotations, "--videos", videos, "--output", output)
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, flags)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds = time.monotonic() - start
    status, kilobytes = result.stdout.split()[-2:]
    assert status == "0", result.stderr
    return seconds, int(kilobytes) / 1000


def rates(clips: Sequence[Path], count: int, rounds: int, work: Path) -> list[float]:
    """The archive's rate relative to the folder's, for each round."""
    sources = make_dataset(clips, count, work)
    pack(work / "all.tar.gz", sources)
    ratios = []
    for number in range(rounds):
        folder, _ = prepare(work / "val.csv", work / "sources", work / f"folder{number}")
        archive, _ = prepare(work / "val.csv", work / "all.tar.gz", work / f"archive{number}")
        print(f"round {number + 1}: folder {folder:.1f} s, archive {archive:.1f} s",
              file=sys.stderr)  # fmt: skip
        ratios.append(folder / archive)
    return ratios


def peak_megabytes(clips: Sequence[Path], megabytes: int, work: Path) -> float:
    """The peak memory of a run on an archive of this size, with few wanted clips."""
    mean_size = sum(clip.stat().st_size for clip in clips) / len(clips)
    sources = make_dataset(clips, int(megabytes * 1e6 / mean_size), work)
    pack(work / "all.tar.gz", sources)
    lines = (work / "val.csv").read_text().splitlines(keepends=True)
    # The first clips, and the last one, so that the whole archive is read.
    (work / "val.csv").write_text("".join([*lines[:WANTED], lines[-1]]))
    return prepare(work / "val.csv", work / "all.tar.gz", work / "output")[1]


def main() -> None:
    """Print both results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=200, help="number of clips in a run")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    clips = videos_in(args.clips)
    with tempfile.TemporaryDirectory() as folder:
        ratios = rates(clips, args.count, args.rounds, Path(folder))
    print(
        f"An archive of {args.count} clips: {statistics.median(ratios):.3f} of the rate of the "
        f"same clips in a folder (median of {args.rounds} rounds, "
        f"{min(ratios):.3f} to {max(ratios):.3f})"
    )
    peaks = []
    for megabytes in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            peaks.append(peak_megabytes(clips, megabytes, Path(folder)))
    small, large = peaks
    print(
        f"Peak memory with an archive of {SMALL} MB: {small:.0f} MB; of {LARGE} MB: "
        f"{large:.0f} MB ({large - small:+.0f} MB)"
    )


if __name__ == "__main__":
    main()
