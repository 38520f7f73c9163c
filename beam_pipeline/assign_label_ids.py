"""Which number each class has, and which folder."""

import difflib
import json
import re
from collections.abc import Iterable

import apache_beam as beam

from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.label_map import read_label_map

UNLABELLED_ID = -1
UNLABELLED_FOLDER = "unlabelled"

OFFICIAL_CLASS_COUNTS = (400, 600, 700)

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]|\.\.|^\.$")
_LONGEST = 255  # bytes, of a name on common disks


class AssignLabelIds(beam.PTransform):
    """All annotations to one element: each class's id, over everything that was given.

    ``label_map`` names a map that says the ids, also of classes that are not annotated;
    ``classes`` are those asked for, None for all.
    """

    def __init__(self, label_map: str | None, classes: Iterable[str] | None) -> None:
        super().__init__()
        self._label_map = label_map
        self._classes = sorted(classes or ())

    def expand(self, annotations: beam.PCollection[Annotation]) -> beam.PCollection[dict[str, int]]:
        return (
            annotations
            | "Classes" >> beam.CombineGlobally(_Classes())
            | "Number"
            >> beam.Map(assign_label_ids, self._label_map).with_output_types(dict[str, int])
            | "Check classes"
            >> beam.Map(check_classes, self._classes).with_output_types(dict[str, int])
        )


class _Classes(beam.CombineFn):
    """Annotations to the set of their labels."""

    def create_accumulator(self) -> set[str]:
        return set()

    def add_input(self, labels: set[str], statement: Annotation) -> set[str]:
        if statement.label is not None:
            labels.add(statement.label)
        return labels

    def merge_accumulators(self, accumulators: Iterable[set[str]]) -> set[str]:
        return set().union(*accumulators)

    def extract_output(self, labels: set[str]) -> set[str]:
        return labels


def assign_label_ids(labels: Iterable[str], label_map: str | None = None) -> dict[str, int]:
    """Number classes in the order of their original names, as the published models do.

    ``label_map`` names a map whose ids are taken instead: all of them, annotated or not.

    Raises:
        InputError: a class cannot be a folder, two would share one, or the map lacks one.
    """
    labels = sorted(set(labels))
    ids = {label: number for number, label in enumerate(labels)}
    if label_map is not None:
        ids = read_label_map(label_map)
        for label in labels:
            if label not in ids:
                raise InputError(_unknown(label, label_map, ids))
    folders: dict[str, str] = {UNLABELLED_FOLDER: "a clip without a label"}
    for label in ids:
        if _UNSAFE.search(label) or len(label.encode()) > _LONGEST:
            raise InputError(
                f"the label {label!r} cannot be a folder name; rename it in the annotations"
            )
        folder = class_folder(label)
        if folder in folders:
            raise InputError(
                f"{folders[folder]} and the label {json.dumps(label)} would share the folder "
                f"{folder}; rename one in the annotations"
            )
        folders[folder] = f"the label {json.dumps(label)}"
    return ids


def check_classes(ids: dict[str, int], classes: Iterable[str]) -> dict[str, int]:
    """The ids, if they have all the classes that are asked for.

    Raises:
        InputError: a class is not among them.
    """
    for label in classes:
        if label not in ids:
            near = _nearest(label, ids)
            meant = f"; type {json.dumps(near)}" if near else ""
            raise InputError(f"--classes {json.dumps(label)}: there is no such class{meant}")
    return ids


def _unknown(label: str, label_map: str, ids: Iterable[str]) -> str:
    near = _nearest(label, ids)
    meant = f"; the nearest there is {json.dumps(near)}" if near else ""
    return f"the label {json.dumps(label)} is not in --label_map {label_map}{meant}"


def _nearest(label: str, ids: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(label, ids, n=1)), None)


def class_folder(label: str | None) -> str:
    """The folder of a class: no spaces, for trainers split their lists at them."""
    return UNLABELLED_FOLDER if label is None else label.replace(" ", "_")


def warnings_about(label_ids: dict[str, int], label_map: str | None) -> list[str]:
    """What a user should know about these ids before comparing models."""
    if label_map is not None or len(label_ids) in OFFICIAL_CLASS_COUNTS:
        return []
    annotated = "1 class is" if len(label_ids) == 1 else f"{len(label_ids)} classes are"
    return [
        (
            f"{annotated} annotated, not 400, 600 or 700: the label ids belong "
            "to this subset alone and are not those of published models; --label_map gives those"
        )
    ]
