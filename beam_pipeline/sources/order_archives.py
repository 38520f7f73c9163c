"""Whose turn it is: what ``take_turns.py`` does in turns is put in order here."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, ReadArchive, ResizeTask, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import is_video

MOST_TURNS = 8
"""Each costs the graph a few stages. Archives of the ranks behind share the last turn; on one
machine they are visited in order there too."""


def turns_of(videos: Sequence[str], splits: Collection[str] = ()) -> int:
    """How many turns there may be for these arguments: a rank with archives needs one.

    Those of ``splits``, at the end, share the last: there is no clip of two splits, so that no
    machine has to wait until the archives of another are read.
    """
    archives = [argument for argument in videos if not is_video(argument)]
    while len(archives) > 1 and {archives[-1], archives[-2]} <= set(splits):
        archives.pop()
    return min(MOST_TURNS, max(1, len(archives)))


class OrderArchives(beam.PTransform):
    """Archives to their ``ranks`` (one tuple, sorted) and ``turns`` (a collection each).

    Within a turn they come in the order of rank and path, spread over the workers.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, archives: beam.PCollection[Archive]
    ) -> tuple[beam.PCollection[tuple[int, ...]], list[beam.PCollection[Archive]]]:
        turns = turns_of(self._config.videos, self._config.split_archives())
        together = archives | "All archives" >> beam.combiners.ToList()
        ranks = together | "Ranks" >> beam.Map(ranks_of, self._config.resize).with_output_types(
            tuple[int, ...]
        )
        ordered = (
            together
            | "Order" >> beam.FlatMap(in_turns, turns).with_output_types(tuple[int, Archive])
            | "Turns" >> beam.Partition(lambda numbered, _: numbered[0], turns)
        )
        return ranks, [
            numbered
            | f"Archives of turn {turn}" >> beam.Values()
            | f"Spread archives of turn {turn}" >> beam.Reshuffle()
            for turn, numbered in enumerate(ordered)
        ]


def ranks_of(archives: Sequence[Archive], resize: bool) -> tuple[int, ...]:
    """The ranks that have archives.

    Raises:
        InputError: there are some, and videos are to be listed as they are.
    """
    if archives and not resize:
        raise InputError(
            f"--resize false lists videos as they are, and {min(archives).path} is an archive: "
            "unpack it, or leave out --resize false"
        )
    return tuple(sorted({archive.rank for archive in archives}))


def in_turns(archives: Sequence[Archive], turns: int) -> Iterator[tuple[int, Archive]]:
    """(turn, archive), in the order in which they are to be read; named twice, read once."""
    ranks = ranks_of(archives, resize=True)
    once = {a.path: a for a in sorted(archives, key=lambda a: (a.rank, a.path), reverse=True)}
    for archive in sorted(once.values(), key=lambda archive: (archive.rank, archive.path)):
        yield min(ranks.index(archive.rank), turns - 1), archive






