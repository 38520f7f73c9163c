"""Step 1, annotations: the content of the annotation files and the id of each class."""

from typing import NamedTuple

import apache_beam as beam

from beam_pipeline.annotations.assign_label_ids import AssignLabelIds, CollectClasses, LabelSplits
from beam_pipeline.annotations.merge_releases import MergeReleases
from beam_pipeline.annotations.read_files import ReadFiles
from beam_pipeline.annotations.read_releases import ReadReleases
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, MergedReleases
from beam_pipeline.kinetics.kinetics710 import NAMES_IN_MAPS


class Merge(NamedTuple):
    """What is to be told of releases that were merged.

    merged: one element, what became of their clips (MergedReleases).
    left_out: statements of clips that an output has as excluded (Annotation).
    notes: what else is to be said about them (str).
    """

    merged: beam.PCollection[MergedReleases]
    left_out: beam.PCollection[Annotation]
    notes: beam.PCollection[str]


class Annotations(NamedTuple):
    """The output of step 1.

    statements: every annotation of every file (Annotation).
    classes: one element, how often each class is stated in each split (``LabelSplits``).
    label_ids: one element, the id of each class (dict).
    merge: what is to be told of releases that were merged; empty if there is only one.
    """

    statements: beam.PCollection[Annotation]
    classes: beam.PCollection[LabelSplits]
    label_ids: beam.PCollection[dict[str, int]]
    merge: Merge | tuple[()] = ()  # not None, which is no input of a transform


class ReadAnnotations(beam.PTransform):
    """Read the files that ``--annotations`` names: see ``Annotations``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, root: beam.Pipeline) -> Annotations:
        config = self._config
        if config.releases:
            return self._expand_releases(root)
        statements = (
            root
            | "Annotation arguments" >> beam.Create(list(enumerate(config.annotations)))
            | ReadFiles(config.slowfast_lists(), config.output.root)
        )
        classes = statements | CollectClasses()
        label_ids = classes | AssignLabelIds(
            config.label_map, config.classes, config.class_folder_splits()
        )
        return Annotations(statements, classes, label_ids)

    def _expand_releases(self, root: beam.Pipeline) -> Annotations:
        config = self._config
        stated, left_out, notes = root | "Releases" >> ReadReleases(config)
        statements, merged = stated | "Merge releases" >> MergeReleases()
        classes = statements | CollectClasses()
        label_ids = classes | AssignLabelIds(
            config.label_map,
            config.classes,
            config.class_folder_splits(),
            NAMES_IN_MAPS.get(config.label_map or "", {}),
        )
        return Annotations(statements, classes, label_ids, Merge(merged, left_out, notes))
