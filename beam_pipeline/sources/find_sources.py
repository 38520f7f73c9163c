"""Step 2, sources: every file that may hold a clip."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import apache_beam as beam

from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import ARCHIVE_EXTENSIONS, EXTENSIONS
from beam_pipeline.sources.list_videos import ARCHIVES, VIDEO_FILES, ListVideos


class Sources(NamedTuple):
    """What the ``--videos`` arguments name.

    videos: loose files (Video).
    archives: tar archives, unread (Archive).
    count: one element, how many files and archives there are; at least one.
    archive_ranks: one element, the ranks of arguments that name archives, sorted.
    """

    videos: beam.PCollection[Video]
    archives: beam.PCollection[Archive]
    count: beam.PCollection[int]
    archive_ranks: beam.PCollection[tuple[int, ...]]


class FindSources(beam.PTransform):
    """The ``--videos`` arguments to the files that they name: see ``Sources``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> Sources:
        config = self._config
        listed = (
            root
            | "Video arguments" >> beam.Create(list(enumerate(config.videos)))
            | ListVideos(config.output.root, config.mirror)
        )
        videos, archives = listed[VIDEO_FILES], listed[ARCHIVES]
        count = (
            (videos, archives)
            | "All files" >> beam.Flatten()
            | "Count files" >> beam.combiners.Count.Globally()
            | "Check files" >> beam.Map(check_found, config.videos)
        )
        ranks = (
            archives
            | "Named archives" >> beam.combiners.ToList()
            | "Ranks" >> beam.Map(ranks_of, config.resize).with_output_types(tuple[int, ...])
        )
        return Sources(videos, archives, count, ranks)


def check_found(found: int, arguments: Iterable[str]) -> int:
    """How many files there are.

    Raises:
        InputError: there is none, so an argument must be wrong.
    """
    if not found:
        raise InputError(
            f"no video under {', '.join(arguments)}; --videos searches for {' '.join(EXTENSIONS)} "
            f"files and {' '.join(ARCHIVE_EXTENSIONS)} archives"
        )
    return found


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
