"""Merge all annotations of a clip into one clip, or a conflict."""

from collections.abc import Sequence
from dataclasses import dataclass

from beam_pipeline.elements import Annotation, Clip
from beam_pipeline.kinetics.classes import UNLABELLED_ID


@dataclass(frozen=True)
class ResolvedClip:
    """A clip, and the conflict between its annotations; None if they agree."""

    clip: Clip
    conflict: str | None


def resolve_annotations(
    annotations: Sequence[Annotation], label_ids: dict[str, int]
) -> list[ResolvedClip]:
    """Merge the annotations of each clip: equal ones count once, a label overrides no label.

    Two labels or two splits are a conflict. Then the clip is in the split stated first.
    """
    if len(annotations) == 1:
        return [_resolve_one(annotations, label_ids)]
    by_clip: dict[str, list[Annotation]] = {}
    for annotation in sorted(annotations, key=lambda a: (a.place, a.clip_id, a.label or "")):
        by_clip.setdefault(annotation.clip_id, []).append(annotation)
    return [_resolve_one(by_clip[clip_id], label_ids) for clip_id in sorted(by_clip)]


def _resolve_one(annotations: Sequence[Annotation], label_ids: dict[str, int]) -> ResolvedClip:
    first = annotations[0]
    if len(annotations) == 1:
        return ResolvedClip(_clip(first, first.label, label_ids), None)
    labels = {a.label: a for a in reversed(annotations) if a.label is not None}
    splits = {a.split: a for a in reversed(annotations)}
    conflict = next(
        (
            "; ".join(f"{value} in {_where(a)}" for value, a in reversed(values.items()))
            for values in (labels, splits)
            if len(values) > 1
        ),
        None,
    )
    if conflict:
        return ResolvedClip(_clip(first, None, label_ids)._replace(label_id=None), conflict)
    return ResolvedClip(_clip(first, next(iter(labels), None), label_ids), None)


def _clip(annotation: Annotation, label: str | None, label_ids: dict[str, int]) -> Clip:
    youtube_id, time_start, time_end, _, split, _ = annotation
    label_id = UNLABELLED_ID if label is None else label_ids[label]
    return Clip(annotation.clip_id, youtube_id, time_start, time_end, split, label, label_id)


def _where(annotation: Annotation) -> str:
    _, path, line, _ = annotation.place
    return f"{path} line {line}"
