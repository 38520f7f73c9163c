"""How evenly archives spread the work over machines: a simulation with measured times.

    python -m benchmarks.spread CLIP ... [--write docs/dataflow.md]

The processor time of each clip is measured here, and so is the speed at which an archive of them
is read. Kinetics-400's archives are then filled with such clips at random, and given to machines
in the program's own order. Each machine has one process, which reads one archive at a time and
keeps a codec child busy on every core. The result is the time until the last machine is done,
over that of perfectly spread work.
"""

import argparse
import heapq
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.sources.name_members import first_searched_rank, in_order
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.work.worker_pool import READ_AHEAD
from benchmarks.cost import cpu_seconds
from benchmarks.markdown import replace_section, table
from tests.packing import pack

PARTS = {"train": 242, "val": 20, "test": 39}
"""Archives of each split of Kinetics-400, as CVDF lists them."""

CLIPS = {"train": 241_255, "val": 19_877, "test": 38_671}
"""Clips in them. All archives of a split but the last have a thousand."""

REPLACEMENTS = 1_392
"""Clips in the archive whose names are read first."""

MACHINES = ((25, 4), (25, 16), (31, 16), (62, 16))
"""(machines, cores of each): 100 to 992 cores."""

COPIES = 40
"""Copies of the clips in the archive whose reading is timed."""


class Measured(NamedTuple):
    """Processor seconds of each clip, and seconds to read one from an archive."""

    clips: Sequence[float]
    reading: float


def measure(clips: Sequence[Path]) -> Measured:
    """Time the clips, and a pass over an archive that holds them."""
    contents = [clip.read_bytes() for clip in clips]
    with tempfile.TemporaryDirectory() as folder:
        members = {
            f"{number}_{copy}.mp4": content
            for copy in range(COPIES)
            for number, content in enumerate(contents)
        }
        path = pack(Path(folder, "archive.tar.gz"), members)
        start = time.process_time()
        with ArchiveReader.open(Archive(str(path), 0, None)) as reader:
            read = sum(len(member.read()) > 0 for member in reader.videos())
        reading = (time.process_time() - start) / read
    return Measured([cpu_seconds(clip) for clip in clips], reading)


def archives_of_k400() -> dict[str, tuple[Archive, int]]:
    """Each archive that is searched, and its number of clips."""
    dataset = DATASETS["kinetics400"]
    videos = dataset.videos(tuple(PARTS))
    config = Config.from_flags(dataset="kinetics400", output="/o")
    searched_from = first_searched_rank(config.videos, config.split_archives())
    found = {}
    for split, parts in PARTS.items():
        rank = videos.index(dataset.archives[split])
        assert rank >= searched_from, "its names would be read first"
        left = CLIPS[split]
        for part in range(parts):
            clips = min(left, -(-CLIPS[split] // parts))
            left -= clips
            path = f"{split}/part_{part}.tar.gz"
            found[path] = Archive(path, rank, None), clips
    return found


def time_of(archive: Iterable[float], cores: int, reading: float) -> float:
    """Seconds in which one machine works on an archive, given the seconds of its clips.

    A clip starts when it is read and a child is free; at most ``READ_AHEAD`` more are read.
    """
    free = [0.0] * cores
    at = end = 0.0
    running: list[float] = []
    for seconds in archive:
        if len(running) >= cores + READ_AHEAD:
            at = max(at, heapq.heappop(running))
        at += reading
        done = max(at, heapq.heappop(free)) + seconds
        heapq.heappush(free, done)
        heapq.heappush(running, done)
        end = max(end, done)
    return end


def spread(measured: Measured, machines: int, cores: int, seed: int) -> float:
    """Time of the work over that of perfectly spread work."""
    chance = random.Random(seed)
    archives = archives_of_k400()
    order = [archive.path for archive in in_order(each for each, _ in archives.values())]
    work = [chance.choices(measured.clips, k=archives[path][1]) for path in order]
    # The archive with known names is a stage of its own, which starts with the others.
    work.insert(0, chance.choices(measured.clips, k=REPLACEMENTS))
    ends = [0.0] * machines
    for archive in work:
        start = heapq.heappop(ends)
        heapq.heappush(ends, start + time_of(archive, cores, measured.reading))
    names = REPLACEMENTS * measured.reading  # read before anything else
    return (max(ends) + names) / (sum(map(sum, work)) / (machines * cores))


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+", help="clips that stand for the data set")
    parser.add_argument("--seeds", type=int, default=3, help="draws of clips for each row")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- spread -->")
    args = parser.parse_args()
    measured = measure(args.clips)
    rows = []
    for machines, cores in MACHINES:
        ratios = [spread(measured, machines, cores, seed) for seed in range(args.seeds)]
        cells = [f"{machines * cores}", f"{machines} of {cores}"]
        rows.append([*cells, f"{statistics.median(ratios):.2f}"])
    header = ["cores", "machines", "time"]
    text = table(header, rows) + (
        f"\n\nA clip takes {statistics.mean(measured.clips):.2f} s of processor time, and "
        f"{measured.reading * 1000:.1f} ms to be read from its archive."
    )
    if args.write:
        replace_section(args.write, "spread", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
