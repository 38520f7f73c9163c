"""About how many clips a run includes of each class: it decides of which thumbnails are kept."""

from collections.abc import Iterable, Mapping, Sequence

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.config import Config
from beam_pipeline.elements import Archive, ReadArchive, Split
from beam_pipeline.output.thumbnails import ClassSizes
from beam_pipeline.sources.find_sources import Sources

BYTES_PER_MEMBER = 1_000_000
"""Assumed for the videos in an archive that nobody has read yet."""

UNKNOWN_ARCHIVE = 1_500_000_000
"""Bytes assumed for an archive of unknown size: most of Kinetics's have one to two GB."""


class CountClasses(beam.PTransform):
    """Make one element, the ``ClassSizes`` of the run; empty if it keeps no thumbnails."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources]) -> beam.PCollection[ClassSizes]:
        annotations, sources = steps
        config = self._config
        if not config.keeps_thumbnails:
            return annotations.statements.pipeline | "None" >> beam.Create([{}])
        sizes: beam.PTransform
        if config.annotations:
            sizes = beam.Map(included_sizes, config)
            return annotations.classes | "Included" >> sizes
        sizes = beam.Map(
            estimated_size,
            config.limit,
            pvalue.AsList(sources.archives.read),
            pvalue.AsSingleton(sources.archives.searched),
        )
        return sources.count | "All" >> sizes


def included_sizes(
    stated: Mapping[tuple[str | None, Split], int], config: Config
) -> dict[str | None, int]:
    """The sizes of the classes that a run includes.

    With ``--limit`` every class is taken to have its share of the clips.
    """
    sizes: dict[str | None, int] = {}
    for (label, split), count in stated.items():
        if split in config.splits and (config.classes is None or label in config.classes):
            sizes[label] = sizes.get(label, 0) + min(count, config.limit_per_class or count)
    total = sum(sizes.values())
    if config.limit is None or config.limit >= total:
        return sizes
    return {label: -(-count * config.limit // total) for label, count in sizes.items()}


def estimated_size(
    count: int, limit: int | None, read: Iterable[ReadArchive], searched: Sequence[Archive]
) -> dict[str | None, int]:
    """The number of clips without annotations.

    ``count`` is that of loose files and archives; ``read`` are the archives whose names are known.
    """
    members = sum(archive.videos for archive in read)
    unread = sum(UNKNOWN_ARCHIVE if archive.size is None else archive.size for archive in searched)
    size = count + members + unread // BYTES_PER_MEMBER
    return {None: size if limit is None else min(limit, size)}
