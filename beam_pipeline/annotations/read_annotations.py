"""Step 1, annotations: everything that the annotation files state, and the id of each class."""

from typing import NamedTuple

import apache_beam as beam

from beam_pipeline.annotations.assign_label_ids import AssignLabelIds
from beam_pipeline.annotations.read_files import ReadFiles
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation


class Annotations(NamedTuple):
    """What is annotated.

    statements: every statement of every file (Annotation).
    label_ids: one element, the id of each class (dict).
    """

    statements: beam.PCollection[Annotation]
    label_ids: beam.PCollection[dict[str, int]]


class ReadAnnotations(beam.PTransform):
    """The ``--annotations`` arguments to what they state: see ``Annotations``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> Annotations:
        config = self._config
        statements = (
            root
            | "Annotation arguments" >> beam.Create(list(enumerate(config.annotations)))
            | ReadFiles(config.lists())
        )
        label_ids = statements | AssignLabelIds(
            config.label_map, config.classes, config.splits_in_folders()
        )
        return Annotations(statements, label_ids)
