"""The id of each class, and checks of its name as a folder."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import apache_beam as beam

from beam_pipeline.elements import Annotation, Split
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER, class_folder
from beam_pipeline.kinetics.label_map import PUBLISHED, read_label_map

_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]|\.\.|^\.$")
_MAX_NAME_BYTES = 255  # of a file name on common file systems


LabelSplits = dict[tuple[str | None, Split], int]
"""How many statements there are of each class in each split; None stands for no label."""


class CollectClasses(beam.PTransform):
    """Combine all annotations into one element, ``LabelSplits``."""

    def expand(self, annotations: beam.PCollection[Annotation]) -> beam.PCollection[LabelSplits]:
        return annotations | "Collect classes" >> beam.CombineGlobally(_CollectClasses())


class AssignLabelIds(beam.PTransform):
    """Turn the one element ``LabelSplits`` into another: the id of each class.

    ``label_map`` names a map that defines the ids, also of classes that are not annotated.
    ``classes`` are the requested classes, None for all. ``class_folder_splits`` are the splits
    that get class folders, which a trainer numbers by itself. ``names`` are names in the map that
    stand for others in the annotations.
    """

    def __init__(
        self,
        label_map: str | None,
        classes: Iterable[str] | None,
        class_folder_splits: Iterable[Split] = (),
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self._arguments = (
            label_map,
            None if classes is None else frozenset(classes),
            tuple(class_folder_splits),
            dict(names),
        )

    def expand(self, classes: beam.PCollection[LabelSplits]) -> beam.PCollection[dict[str, int]]:
        return classes | "Assign ids" >> beam.Map(
            checked_label_ids, *self._arguments
        ).with_output_types(dict[str, int])


class _CollectClasses(beam.CombineFn):
    """Annotations to ``LabelSplits``."""

    def create_accumulator(self) -> LabelSplits:
        return {}

    def add_input(self, annotated: LabelSplits, annotation: Annotation) -> LabelSplits:
        if annotation.split is not None:
            key = annotation.label, annotation.split
            annotated[key] = annotated.get(key, 0) + 1
        return annotated

    def merge_accumulators(self, accumulators: Iterable[LabelSplits]) -> LabelSplits:
        merged: LabelSplits = {}
        for annotated in accumulators:
            for key, count in annotated.items():
                merged[key] = merged.get(key, 0) + count
        return merged

    def extract_output(self, annotated: LabelSplits) -> LabelSplits:
        return annotated


def checked_label_ids(
    annotated: LabelSplits,
    label_map: str | None,
    classes: frozenset[str] | None,
    class_folder_splits: Iterable[Split],
    names: Mapping[str, str],
) -> dict[str, int]:
    """The id of each class.

    Raises:
        InputError: a requested class does not exist, or a label, the map or the class folders of
            a split cannot be used.
    """
    stated = (label for label, _ in annotated if label is not None)
    ids = assign_label_ids(stated, label_map, names)
    check_classes(ids, sorted(classes or ()))
    for split in class_folder_splits:
        labels = {label for label, of in annotated if label is not None and of == split}
        check_torchvision_ids({label: ids[label] for label in labels & (classes or labels)}, split)
    return ids


def assign_label_ids(
    labels: Iterable[str],
    label_map: str | None = None,
    names: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, int]:
    """Number classes in the order of their original names.

    If ``label_map`` names a map, all its ids are used instead, annotated or not. ``names`` are
    names in the map that stand for others.

    Raises:
        InputError: a class cannot be a folder name, two classes would share a folder, or a class
            is not in the map.
    """
    labels = sorted(set(labels))
    ids = {label: number for number, label in enumerate(labels)}
    if label_map is not None:
        read = read_label_map(label_map)
        ids = {names.get(label, label): number for label, number in read.items()}
        for label in labels:
            if label not in ids:
                raise InputError(_unknown(label, label_map, ids))
    folders: dict[str, str] = {UNLABELLED_FOLDER: "a clip without a label"}
    for label in ids:
        if _UNSAFE.search(label) or len(label.encode()) > _MAX_NAME_BYTES:
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
    """Return the ids unchanged if they contain all requested classes.

    Raises:
        InputError: a class is not among them.
    """
    for label in classes:
        if label not in ids:
            near = _nearest(label, ids)
            hint = f"; type {json.dumps(near)}" if near else ""
            raise InputError(f"--classes {json.dumps(label)}: there is no such class{hint}")
    return ids


def check_torchvision_ids(ids: Mapping[str, int], split: Split) -> None:
    """Raise InputError if torchvision would give a class of a split a different id.

    torchvision numbers the existing class folders in order. So ids differ as soon as a class
    without clips comes before a class with clips, and under a label map that is not sorted.
    """
    by_folder = {class_folder(label): label_id for label, label_id in ids.items()}
    in_order = [by_folder[folder] for folder in sorted(by_folder)]
    for number, folder in enumerate(sorted(by_folder)):
        if by_folder[folder] != number:
            cause = "the label map numbers the classes in another order"
            if in_order == sorted(in_order):
                cause = f"the class with id {number} has no clip in this split"
            raise InputError(
                f"torchvision numbers the class folders of {split} in order: {folder} would get id "
                f"{number} instead of {by_folder[folder]}, because {cause}; leave torchvision out "
                "of --list_format"
            )


def _unknown(label: str, label_map: str, ids: Iterable[str]) -> str:
    near = _nearest(label, ids)
    hint = f"; the nearest label in it is {json.dumps(near)}" if near else ""
    official = [name for name in PUBLISHED if "-" not in name and label in read_label_map(name)]
    if official:
        hint += f"; it is in {', '.join(official)}: type the map of your data set"
    return f"the label {json.dumps(label)} is not in --label_map {label_map}{hint}"


def _nearest(label: str, ids: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(label, ids, n=1)), None)
