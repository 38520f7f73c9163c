"""Find out what is in archives, where that is known or worth a look.

The clips of an archive are unknown until it is read. If it has priority over other sources, these
would have to wait for it, or clips would be made twice. So its names are read first, which takes a
small part of the time that its clips take. All other archives are read only once, unless an
earlier run has written down what is in them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Gather, in_global_window
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, ReadArchive, Video
from beam_pipeline.output.archive_names import ArchiveNames
from beam_pipeline.sources.read_archive import ArchiveReader
from beam_pipeline.storage import urls

MEMBERS, READ, SEARCHED = "members", "read", "searched"

THREADS = 16
"""Archives that a process reads at once. Unpacking them takes a core each, and no memory."""


class NamedArchives(NamedTuple):
    """What is known of archives before any clip is made.

    members: the videos in archives whose names were read (Video).
    read: a record of each of these archives (ReadArchive).
    searched: one element, the list of all other archives of this run, in order.
    """

    members: beam.PCollection[Video]
    read: beam.PCollection[ReadArchive]
    searched: beam.PCollection[list[Archive]]


class NameMembers(beam.PTransform):
    """Read names where others must yield to them; returns ``NamedArchives``.

    ``known`` are the names that earlier runs have found (ArchiveNames).
    """

    def __init__(self, config: Config, known: pvalue.AsList) -> None:
        super().__init__()
        self._known = known
        self._searched_from = first_searched_rank(config.videos, config.split_archives())

    def expand(self, archives: beam.PCollection[Archive]) -> NamedArchives:
        found = (
            archives
            | "Spread archives" >> beam.Reshuffle()
            | "Read names"
            >> beam.ParDo(_NameMembers(self._searched_from), self._known)
            .with_output_types(Video, **{READ: ReadArchive, SEARCHED: Archive})
            .with_outputs(READ, SEARCHED, main=MEMBERS)
        )
        searched = (
            found[SEARCHED]
            | "Collect searched" >> Gather()
            | "In order" >> beam.Map(in_order).with_output_types(list[Archive])
        )
        return NamedArchives(found[MEMBERS], found[READ], searched)


def first_searched_rank(videos: Sequence[str], splits: Collection[str] = ()) -> int:
    """The rank from which on archives are searched without knowing their names.

    These are the last: nothing yields to them. ``splits`` are arguments whose archives hold one
    split each. No clip is in two splits, so those at the end do not yield to each other. Of
    Kinetics-710 a clip may be in the archives of several releases. Reading all their names first
    would take longer than making some of its clips twice, see ``results/settle_clips.py``.
    """
    rank = len(videos) - 1
    while rank > 0 and {videos[rank], videos[rank - 1]} <= {*splits}:
        rank -= 1
    return rank


def in_order(archives: Iterable[Archive]) -> list[Archive]:
    """Archives in their order of priority, in which one worker reads them."""
    return sorted(archives, key=lambda archive: (archive.rank, archive.path))


class _NameMembers(beam.DoFn):
    def __init__(self, searched_from: int) -> None:
        self._searched_from = searched_from

    def start_bundle(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS)
        self._pending: list[Future[list[Video | pvalue.TaggedOutput]]] = []

    def process(
        self, archive: Archive, known: list[ArchiveNames]
    ) -> Iterator[Video | pvalue.TaggedOutput]:
        of_archive = sorted((each for each in known if each.are_of(archive)), key=_is_doubtful)
        if of_archive:
            yield pvalue.TaggedOutput(READ, of_archive[0].record(archive))
        if of_archive and not of_archive[0].is_doubtful:
            yield from _videos(archive, of_archive[0].paths)
        elif archive.rank >= self._searched_from:
            if archive.is_mine:
                yield pvalue.TaggedOutput(SEARCHED, archive)
        else:
            self._pending.append(self._threads.submit(_with_names, archive))

    def finish_bundle(self) -> Iterator[object]:
        for future in self._pending:
            for found in future.result():
                if isinstance(found, pvalue.TaggedOutput):
                    yield pvalue.TaggedOutput(found.tag, in_global_window(found.value))
                else:
                    yield in_global_window(found)
        self._threads.shutdown()


def _is_doubtful(names: ArchiveNames) -> bool:
    return names.is_doubtful


def _with_names(archive: Archive) -> list[Video | pvalue.TaggedOutput]:
    """The videos in an archive, each name once, and a record of what was found."""
    names: dict[str, None] = {}
    with ArchiveReader.open(archive) as reader:
        for member in reader.videos():
            names[urls.member(archive.path, member.name)] = None
    return [*_videos(archive, names), pvalue.TaggedOutput(READ, reader.record())]


def _videos(archive: Archive, paths: Iterable[str]) -> list[Video]:
    return [Video(path, archive.rank, None, archive) for path in paths]
