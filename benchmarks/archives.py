"""An archive against the same clips in a folder, and a large archive against a small one.

    python benchmarks/archives.py --clips FOLDER [--count 200] [--rounds 3]

The rate is of the whole command, ours on both, in turn. Memory is the most that the process
itself holds (its children have a limit of their own) while it goes through archives of clips of
which it wants a few.
"""

import argparse
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import SUFFIXES, lay_out

SMALL, LARGE = 200, 2000
"""Megabytes of archives whose memory is compared."""

WANTED = 20
"""Clips of such an archive that are annotated."""


def prepare(annotations: Path, videos: Path, output: Path) -> tuple[float, float]:
    """Wall seconds of a run, and the most megabytes that its own process held."""
    code = (
        "import resource, sys\n"
        "from beam_pipeline import cli\n"
        "status = cli.main(sys.argv[1:])\n"
        "print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    flags = ("--annotations", annotations, "--videos", videos, "--output", output)
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, flags)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds = time.monotonic() - began
    status, kilobytes = ended.stdout.split()[-2:]
    assert status == "0", ended.stderr
    return seconds, int(kilobytes) / 1000


def pack(archive: Path, sources: Sequence[Path]) -> None:
    """A compressed archive of some files, as CVDF has them."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as made:
        for source in sources:
            made.add(source, f"./{source.name}")


def rates(clips: Sequence[Path], count: int, rounds: int, work: Path) -> list[float]:
    """Of each round, how fast the archive was gone through, the folder being 1."""
    sources = lay_out(clips, count, work)
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
    """The most memory of a run through an archive of that size, most of it not wanted."""
    sizes = sum(clip.stat().st_size for clip in clips) / len(clips)
    sources = lay_out(clips, int(megabytes * 1e6 / sizes), work)
    pack(work / "all.tar.gz", sources)
    lines = (work / "val.csv").read_text().splitlines(keepends=True)
    # The first, and the last, so that all of it is read.
    (work / "val.csv").write_text("".join([*lines[:WANTED], lines[-1]]))
    return prepare(work / "val.csv", work / "all.tar.gz", work / "output")[1]


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=200, help="clips in a run")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    clips = sorted(p for p in asked.clips.rglob("*") if p.suffix.lower() in SUFFIXES)
    with tempfile.TemporaryDirectory() as folder:
        found = rates(clips, asked.count, asked.rounds, Path(folder))
    print(
        f"An archive of {asked.count} clips: {statistics.median(found):.3f} of the rate of the "
        f"same clips in a folder (median of {asked.rounds} rounds, "
        f"{min(found):.3f} to {max(found):.3f})"
    )
    peaks = []
    for megabytes in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            peaks.append(peak_megabytes(clips, megabytes, Path(folder)))
    small, large = peaks
    print(
        f"Memory of an archive of {SMALL} MB: {small:.0f} MB, of one of {LARGE} MB: "
        f"{large:.0f} MB, {large - small:+.0f} MB"
    )


if __name__ == "__main__":
    main()
