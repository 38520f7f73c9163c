"""The phase and order in which archives are read.

The contents of an archive are unknown until it is read. So each rank with archives is a phase of
work: first the loose files up to that rank, then the archives. A later phase makes only the clips
that earlier phases did not make.
"""

from collections.abc import Collection, Iterator, Sequence

import apache_beam as beam

from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive
from beam_pipeline.kinetics.file_names import is_video
from beam_pipeline.shard import Shard

MAX_PHASES = 8
"""Each phase adds stages to the graph. Archives of all further ranks share the last phase. On one
machine they are still read in order."""


def count_phases(videos: Sequence[str], splits: Collection[str] = ()) -> int:
    """The maximum number of phases for these arguments: one per rank with archives.

    ``splits`` are arguments whose archives hold one split each. Those at the end of ``videos``
    share the last phase: no clip is in two splits, so no machine has to wait for the archives of
    another split.
    """
    archives = [argument for argument in videos if not is_video(argument)]
    while len(archives) > 1 and {archives[-1], archives[-2]} <= set(splits):
        archives.pop()
    return min(MAX_PHASES, max(1, len(archives)))


class OrderArchives(beam.PTransform):
    """Divide archives into one collection per phase.

    Within a phase they are ordered by rank and path, and spread over the workers. With ``--shard``
    they are those of this part.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, archives: beam.PCollection[Archive]) -> list[beam.PCollection[Archive]]:
        phases = count_phases(self._config.videos, self._config.split_archives())
        in_phases = (
            archives
            | "All archives" >> Gather()
            | "Order"
            >> beam.FlatMap(archives_of_run, phases, self._config.shard).with_output_types(
                tuple[int, Archive]
            )
            | "Phases" >> beam.Partition(lambda numbered, _: numbered[0], phases)
        )
        return [
            numbered
            | f"Archives of phase {phase}" >> beam.Values()
            | f"Spread archives of phase {phase}" >> beam.Reshuffle()
            for phase, numbered in enumerate(in_phases)
        ]


def archives_of_run(
    archives: Sequence[Archive], phases: int, shard: Shard | None
) -> Iterator[tuple[int, Archive]]:
    """(phase, archive) of the archives that are read in this run, in reading order.

    A part takes its share of each phase, because archives of one phase are about equally large.
    """
    ordered = list(order_archives(archives, phases))
    for phase in range(phases):
        of_phase = [numbered for numbered in ordered if numbered[0] == phase]
        yield from of_phase if shard is None else shard.share(of_phase)


def order_archives(archives: Sequence[Archive], phases: int) -> Iterator[tuple[int, Archive]]:
    """(phase, archive), in reading order. An archive that is named twice is read once."""
    ranks = sorted({archive.rank for archive in archives})
    unique = {a.path: a for a in sorted(archives, key=lambda a: (a.rank, a.path), reverse=True)}
    for archive in sorted(unique.values(), key=lambda archive: (archive.rank, archive.path)):
        yield min(ranks.index(archive.rank), phases - 1), archive
