"""Step 1, annotations: the content of the annotation files and the id of each class."""

from typing import NamedTuple

import apache_beam as beam

from beam_pipeline.annotations.assign_label_ids import AssignLabelIds
from beam_pipeline.annotations.read_files import ReadFiles
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation


class Annotations(NamedTuple):
    """The output of step 1.

    statements: every annotation of every file (Annotation).
    label_ids: one element, the id of each class (dict).
    """

    statements: beam.PCollection[Annotation]
    label_ids: beam.PCollection[dict[str, int]]


class ReadAnnotations(beam.PTransform):
    """Read the files that ``--annotations`` names: see ``Annotations``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> Annotations:
        config = self._config
        statements = (
            root
            | "Annotation arguments" >> beam.Create(list(enumerate(config.annotations)))
            | ReadFiles(config.slowfast_lists(), config.output.root)
        )
        label_ids = statements | AssignLabelIds(
            config.label_map, config.classes, config.class_folder_splits()
        )
        return Annotations(statements, label_ids)
