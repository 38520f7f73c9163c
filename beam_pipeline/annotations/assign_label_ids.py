"""Which number each class has, and which folder."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping

import apache_beam as beam

from beam_pipeline.elements import Annotation, Split
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER, class_folder
from beam_pipeline.kinetics.label_map import read_label_map

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]|\.\.|^\.$")
_LONGEST = 255  # bytes, of a name on common disks


Stated = set[tuple[str, Split]]
"""Which classes are annotated, each with the splits that it is in."""


class AssignLabelIds(beam.PTransform):
    """All annotations to one element: each class's id, over everything that was given.

    ``label_map`` names a map that says the ids, also of classes that are not annotated;
    ``classes`` are those asked for, None for all. ``in_folders`` are splits for which class
    folders are wanted that a trainer numbers by itself.
    """

    def __init__(
        self, label_map: str | None, classes: Iterable[str] | None, in_folders: Iterable[Split] = ()
    ) -> None:
        super().__init__()
        self._asked = label_map, None if classes is None else frozenset(classes), tuple(in_folders)

    def expand(self, annotations: beam.PCollection[Annotation]) -> beam.PCollection[dict[str, int]]:
        return (
            annotations
            | "Classes" >> beam.CombineGlobally(_Classes())
            | "Number" >> beam.Map(label_ids_of, *self._asked).with_output_types(dict[str, int])
        )


class _Classes(beam.CombineFn):
    """Annotations to what they state of classes."""

    def create_accumulator(self) -> Stated:
        return set()

    def add_input(self, stated: Stated, statement: Annotation) -> Stated:
        if statement.label is not None:
            stated.add((statement.label, statement.split))
        return stated

    def merge_accumulators(self, accumulators: Iterable[Stated]) -> Stated:
        return set().union(*accumulators)

    def extract_output(self, stated: Stated) -> Stated:
        return stated


def label_ids_of(
    stated: Stated,
    label_map: str | None,
    classes: frozenset[str] | None,
    in_folders: Iterable[Split],
) -> dict[str, int]:
    """Every class's id, all that was asked for being possible.

    Raises:
        InputError: it is not.
    """
    ids = assign_label_ids((label for label, _ in stated), label_map)
    check_classes(ids, sorted(classes or ()))
    for split in in_folders:
        there = {label for label, its in stated if its == split}
        check_folders({label: ids[label] for label in there & (classes or there)}, split)
    return ids


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


def check_folders(ids: Mapping[str, int], split: Split) -> None:
    """Raise InputError where torchvision would give a class of a split another id than ours.

    It numbers the folders that are there, so that no class may lack before one that has clips.
    """
    by_folder = {class_folder(label): label_id for label, label_id in ids.items()}
    for number, folder in enumerate(sorted(by_folder)):
        if by_folder[folder] != number:
            raise InputError(
                f"torchvision numbers the class folders that are there: {folder} would be class "
                f"{number} of {split}, and it is {by_folder[folder]}, for the class of id {number} "
                "has no clip in this split; leave torchvision out of --list_format"
            )


def _unknown(label: str, label_map: str, ids: Iterable[str]) -> str:
    near = _nearest(label, ids)
    meant = f"; the nearest there is {json.dumps(near)}" if near else ""
    return f"the label {json.dumps(label)} is not in --label_map {label_map}{meant}"


def _nearest(label: str, ids: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(label, ids, n=1)), None)
