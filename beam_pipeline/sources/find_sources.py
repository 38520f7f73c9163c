"""Step 2, sources: every file that may contain a clip."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam

from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import ARCHIVE_EXTENSIONS, EXTENSIONS
from beam_pipeline.sources.list_videos import ARCHIVES, PASSED_OVER, VIDEO_FILES, ListVideos
from beam_pipeline.sources.passed_over import CountPassedOver


class Sources(NamedTuple):
    """The files that the ``--videos`` arguments name.

    videos: loose files (Video).
    archives: tar archives, not yet read (Archive).
    passed_over: what was not taken, see ``CountPassedOver``; empty if everything was.
    count: one element, the number of files and archives; at least 1.
    archive_ranks: one element, the sorted ranks of the arguments that name archives.
    """

    videos: beam.PCollection[Video]
    archives: beam.PCollection[Archive]
    passed_over: beam.PCollection[dict[str, Any]]
    count: beam.PCollection[int]
    archive_ranks: beam.PCollection[tuple[int, ...]]


class FindSources(beam.PTransform):
    """Find the files that the ``--videos`` arguments name: see ``Sources``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> Sources:
        config = self._config
        listed = (
            root
            | "Video arguments" >> beam.Create(list(enumerate(config.videos)))
            | ListVideos(config.output.root, config.mirror, config.allow_local)
        )
        videos, archives = listed[VIDEO_FILES], listed[ARCHIVES]
        # Counted before they are put together: a runner would store every file once more.
        count = (
            (
                videos | "Count videos" >> beam.combiners.Count.Globally(),
                archives | "Count archives" >> beam.combiners.Count.Globally(),
            )
            | "Both counts" >> beam.Flatten()
            | "Count files" >> beam.CombineGlobally(sum)
            | "Check files" >> beam.Map(check_found, config.videos)
        )
        ranks = (
            archives
            | "Collect archives" >> Gather()
            | "Archive ranks"
            >> beam.Map(ranks_of_archives, config.resize).with_output_types(tuple[int, ...])
        )
        passed_over = (
            listed[PASSED_OVER]
            | "Passed over" >> beam.CombineGlobally(CountPassedOver()).without_defaults()
        )
        return Sources(videos, archives, passed_over, count, ranks)


def check_found(count: int, arguments: Iterable[str]) -> int:
    """Return the number of files unchanged.

    Raises:
        InputError: it is 0, so an argument must be wrong.
    """
    if not count:
        raise InputError(
            f"no video under {', '.join(arguments)}; --videos searches for {' '.join(EXTENSIONS)} "
            f"files and {' '.join(ARCHIVE_EXTENSIONS)} archives"
        )
    return count


def ranks_of_archives(archives: Sequence[Archive], resize: bool) -> tuple[int, ...]:
    """The sorted ranks of the arguments that name archives.

    Raises:
        InputError: there are archives, but ``resize`` is False: videos in them cannot be listed.
    """
    if archives and not resize:
        raise InputError(
            f"--resize false lists videos as they are, but {min(archives).path} is an archive; "
            "unpack it or leave out --resize false"
        )
    return tuple(sorted({archive.rank for archive in archives}))
