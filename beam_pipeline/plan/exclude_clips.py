"""Which clips --exclude_annotations leaves out."""

from collections.abc import Collection, Iterable

import apache_beam as beam

from beam_pipeline.annotations.read_files import ReadFiles
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, Clip, Row, Split

EXCLUDED = "excluded"
"""The name of the statements of ``--exclude_annotations`` in the join of the plan."""


class ReadExcluded(beam.PTransform):
    """Read every annotation in the files of ``--exclude_annotations``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Annotation]:
        arguments = list(enumerate(self._config.exclude_annotations))
        return (
            root
            | "Arguments" >> beam.Create(arguments)
            | ReadFiles(
                self._config.slowfast_lists(), self._config.output.root, "--exclude_annotations"
            )
        )


def first_statements(annotations: Iterable[Annotation]) -> dict[str, Annotation]:
    """The first statement of each YouTube id, which messages name."""
    first: dict[str, Annotation] = {}
    for annotation in annotations:
        known = first.get(annotation.youtube_id)
        if known is None or annotation.place < known.place:
            first[annotation.youtube_id] = annotation
    return first


def excluded_row(
    clip: Clip, excluded: dict[str, Annotation], splits: Collection[Split]
) -> Row | None:
    """The row of a clip that is left out of its split; None if it is not.

    ``excluded`` are statements by their YouTube id, left out of these ``splits``.
    """
    if clip.split not in splits or (statement := excluded.get(clip.youtube_id or "")) is None:
        return None
    _, path, line, _ = statement.place
    return Row.of(clip, "excluded", detail=f"its YouTube id is in {path} line {line}")
