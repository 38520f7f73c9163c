"""In which phase and order archives are read.

What an archive holds shows only when it is read. So there is a phase of work for each rank that
has archives: first the loose files of that rank and those before it, then the archives. A later
phase makes only what the earlier ones have not made.
"""

from collections.abc import Collection, Iterator, Sequence

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive
from beam_pipeline.kinetics.file_names import is_video

MAX_PHASES = 8
"""Each phase adds stages to the graph. Archives of all further ranks share the last phase; on one
machine they are still read in order there."""


def phases_of(videos: Sequence[str], splits: Collection[str] = ()) -> int:
    """How many phases these arguments need at most: one for each rank with archives.

    Arguments in ``splits`` that stand at the end share the last phase: each is of one split alone
    and no clip is in two splits, so no machine has to wait for the archives of another split.
    """
    archives = [argument for argument in videos if not is_video(argument)]
    while len(archives) > 1 and {archives[-1], archives[-2]} <= set(splits):
        archives.pop()
    return min(MAX_PHASES, max(1, len(archives)))


class OrderArchives(beam.PTransform):
    """Archives to one collection for each phase.

    In a phase they come in the order of rank and path, spread over the workers.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, archives: beam.PCollection[Archive]) -> list[beam.PCollection[Archive]]:
        phases = phases_of(self._config.videos, self._config.split_archives())
        in_phases = (
            archives
            | "All archives" >> beam.combiners.ToList()
            | "Order" >> beam.FlatMap(order, phases).with_output_types(tuple[int, Archive])
            | "Phases" >> beam.Partition(lambda numbered, _: numbered[0], phases)
        )
        return [
            numbered
            | f"Archives of phase {phase}" >> beam.Values()
            | f"Spread archives of phase {phase}" >> beam.Reshuffle()
            for phase, numbered in enumerate(in_phases)
        ]


def order(archives: Sequence[Archive], phases: int) -> Iterator[tuple[int, Archive]]:
    """(phase, archive), in reading order. An archive that is named twice is read once."""
    ranks = sorted({archive.rank for archive in archives})
    once = {a.path: a for a in sorted(archives, key=lambda a: (a.rank, a.path), reverse=True)}
    for archive in sorted(once.values(), key=lambda archive: (archive.rank, archive.path)):
        yield min(ranks.index(archive.rank), phases - 1), archive
