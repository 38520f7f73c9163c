"""Which clips are left out: by --exclude_annotations, or as the outputs that a run merges say."""

from collections.abc import Collection, Iterable, Iterator, Mapping

import apache_beam as beam

from beam_pipeline.annotations.read_files import find_files, read_file
from beam_pipeline.annotations.read_outputs import PARQUET, find_manifests, read_manifest
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Annotation, Clip, Row, Split
from beam_pipeline.storage import urls

EXCLUDED = "excluded"
"""The name of the statements that exclude clips in the join of the plan.

One with a split leaves its YouTube id out of that split alone: an output that this run merges has
the clip as excluded. One without is of ``--exclude_annotations``.
"""

Excluded = Mapping[tuple[str, Split | None], Annotation]
"""Statements that exclude clips, by their YouTube id and split."""

FLAG = "--exclude_annotations"


class ReadExcluded(beam.PTransform):
    """Read every annotation that ``--exclude_annotations`` names, without its split.

    Of a finished output these are the clips that it lists.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Annotation]:
        config = self._config
        lists = frozenset(urls.real(path) for path in config.slowfast_lists())
        return (
            root
            | "Arguments" >> beam.Create(list(enumerate(config.exclude_annotations)))
            | "Find files"
            >> beam.FlatMapTuple(_find, lists, config.output.root).with_output_types(
                tuple[int, str]
            )
            | "Spread files" >> beam.Reshuffle()
            | "Read files" >> beam.FlatMapTuple(read_excluded).with_output_types(Annotation)
        )


def _find(
    rank: int, argument: str, lists: Collection[str] = (), output: str | None = None
) -> Iterator[tuple[int, str]]:
    manifests = find_manifests(argument)
    if manifests is None:
        yield from find_files(rank, argument, lists, output, FLAG)
    else:
        yield from ((rank, url) for url in manifests)


def read_excluded(rank: int, path: str) -> Iterator[Annotation]:
    """The annotations of a file, or of the listed clips of a manifest, without their splits.

    Raises:
        InputError: the file cannot be read.
    """
    if path.endswith(PARQUET):
        for annotation, status in read_manifest(rank, path):
            if status in LISTED:
                yield annotation._replace(split=None)
    else:
        yield from read_file(rank, path, with_splits=False)


def first_statements(annotations: Iterable[Annotation]) -> Excluded:
    """The first statement of each YouTube id and split, which messages name."""
    first: dict[tuple[str, Split | None], Annotation] = {}
    for annotation in annotations:
        key = annotation.youtube_id, annotation.split
        known = first.get(key)
        if known is None or annotation.place < known.place:
            first[key] = annotation
    return first


def excluded_row(clip: Clip, excluded: Excluded, splits: Collection[Split]) -> Row | None:
    """The row of a clip that is left out of its split; None if it is not.

    Statements without a split leave their YouTube ids out of these ``splits``.
    """
    youtube_id = clip.youtube_id or ""
    given = excluded.get((youtube_id, None)) if clip.split in splits else None
    if given is not None:
        _, path, line, _ = given.place
        return Row.of(clip, "excluded", detail=f"its YouTube id is in {path} line {line}")
    if clip.split is not None and (carried := excluded.get((youtube_id, clip.split))):
        _, path, line, _ = carried.place
        return Row.of(clip, "excluded", detail=f"its YouTube id is excluded in {path} row {line}")
    return None
