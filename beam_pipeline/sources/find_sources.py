"""Step 2, sources: every file that may contain a clip."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, Video
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import (
    ANNOTATION_EXTENSIONS,
    ARCHIVE_EXTENSIONS,
    EXTENSIONS,
    UNREAD_ARCHIVES,
)
from beam_pipeline.output.archive_names import ArchiveNames
from beam_pipeline.sources.list_tree import ARCHIVES, PASSED_OVER, VIDEO_FILES
from beam_pipeline.sources.list_videos import UNPACK, ListVideos
from beam_pipeline.sources.name_members import NamedArchives, NameMembers, in_order
from beam_pipeline.sources.passed_over import CountPassedOver


class Sources(NamedTuple):
    """The files that the ``--videos`` arguments name.

    videos: loose files (Video).
    archives: what is known of archives, see ``NamedArchives``.
    passed_over: what was not taken, see ``CountPassedOver``; empty if everything was.
    count: one element, the number of files and archives; at least 1 if there are any arguments.
    """

    videos: beam.PCollection[Video]
    archives: NamedArchives
    passed_over: beam.PCollection[dict[str, Any]]
    count: beam.PCollection[int]


class FindSources(beam.PTransform):
    """Find the files that the ``--videos`` arguments name: see ``Sources``.

    The input are the names in archives that earlier runs have read (ArchiveNames).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, names: beam.PCollection[ArchiveNames]) -> Sources:
        config = self._config
        listed = (
            names.pipeline
            | "Video arguments" >> beam.Create(list(enumerate(config.videos)))
            | ListVideos(config.output.root, config.mirror, config.allow_local)
        )
        videos, archives = listed[VIDEO_FILES], listed[ARCHIVES]
        passed_over = (
            listed[PASSED_OVER]
            | "Passed over" >> beam.CombineGlobally(CountPassedOver()).without_defaults()
        )
        # Counted before they are put together: a runner would store every file once more.
        count = (
            (
                videos | "Count videos" >> beam.combiners.Count.Globally(),
                archives | "Count archives" >> beam.combiners.Count.Globally(),
            )
            | "Both counts" >> beam.Flatten()
            | "Count files" >> beam.CombineGlobally(sum)
            | "Check files" >> beam.Map(check_found, config.videos, pvalue.AsList(passed_over))
        )
        named = (
            archives
            | "Collect archives" >> Gather()
            | "Check archives" >> beam.FlatMap(check_archives, config).with_output_types(Archive)
            | "Names" >> NameMembers(config, pvalue.AsList(names))
        )
        return Sources(videos, named, passed_over, count)


def check_found(
    count: int, arguments: Iterable[str], passed_over: Sequence[dict[str, Any]] = ()
) -> int:
    """Return the number of files unchanged. ``passed_over`` is what was there instead.

    Raises:
        InputError: it is 0, so an argument must be wrong.
    """
    arguments = tuple(arguments)
    if arguments and not count:
        suffixes = {name: n for passed in passed_over for name, n in passed["suffixes"].items()}
        raise InputError(
            f"no video under {', '.join(arguments)}; {_what_is_there(suffixes)}--videos searches "
            f"for {' '.join(EXTENSIONS)} files and {' '.join(ARCHIVE_EXTENSIONS)} archives"
        )
    return count


def _what_is_there(suffixes: Mapping[str, int]) -> str:
    """The commonest files that were passed over, and what helps, with a semicolon; '' if none."""
    common = sorted(suffixes, key=lambda name: (-suffixes[name], name))[:3]
    if not common:
        return ""
    there = ", ".join(f"{suffixes[name]:,} {name or 'without a suffix'}" for name in common)
    if common[0] in UNREAD_ARCHIVES:
        return f"there are {there}: {UNPACK}; "
    if common[0] in ANNOTATION_EXTENSIONS:
        return f"there are {there}: annotations go with --annotations; "
    return f"there are {there}; "


def check_archives(archives: Sequence[Archive], config: Config) -> list[Archive]:
    """The archives, each once, with the lowest of its ranks, in the order in which they are read.

    A part (``--shard``) makes the clips of every n-th: archives are about equally large.

    Raises:
        InputError: this run cannot use archives: the videos in them cannot be listed, and their
            names are not known before they are read.
    """
    if archives and not config.resize:
        raise InputError(
            f"--resize false lists videos as they are, but {min(archives).path} is an archive; "
            "unpack it or leave out --resize false"
        )
    if archives and not config.annotations and config.limit is not None:
        raise InputError(
            "--limit takes the first clips by name, but names in archives are unknown until "
            "they are read; leave out --limit, or type --annotations"
        )
    by_rank = sorted(archives, key=lambda archive: archive.rank, reverse=True)
    ordered = in_order({archive.path: archive for archive in by_rank}.values())
    mine = {*(ordered if config.shard is None else config.shard.share(ordered))}
    return [archive._replace(is_mine=archive in mine) for archive in ordered]
