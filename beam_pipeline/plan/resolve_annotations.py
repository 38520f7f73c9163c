"""One clip for all that is stated about it, or a conflict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beam_pipeline.elements import Annotation, Clip
from beam_pipeline.kinetics.classes import UNLABELLED_ID


@dataclass(frozen=True)
class ResolvedClip:
    """A clip, and what contradicts itself about it (None: nothing)."""

    clip: Clip
    conflict: str | None


def resolve_annotations(
    annotations: Iterable[Annotation], label_ids: dict[str, int]
) -> list[ResolvedClip]:
    """One clip for all that is stated of it: alike counts once, a stated label beats none.

    Two labels or two splits contradict each other; the clip stands in the split stated first.
    """
    stated: dict[str, list[Annotation]] = {}
    for annotation in sorted(annotations, key=lambda a: (a.place, a.clip_id, a.label or "")):
        stated.setdefault(annotation.clip_id, []).append(annotation)
    return [_resolve_one(stated[clip_id], label_ids) for clip_id in sorted(stated)]


def _resolve_one(statements: Sequence[Annotation], label_ids: dict[str, int]) -> ResolvedClip:
    first = statements[0]
    if len(statements) == 1:
        return ResolvedClip(_clip(first, first.label, label_ids), None)
    labels = {a.label: a for a in reversed(statements) if a.label is not None}
    splits = {a.split: a for a in reversed(statements)}
    conflict = next(
        (
            "; ".join(f"{value} in {_where(a)}" for value, a in reversed(stated.items()))
            for stated in (labels, splits)
            if len(stated) > 1
        ),
        None,
    )
    if conflict:
        return ResolvedClip(_clip(first, None, label_ids)._replace(label_id=None), conflict)
    return ResolvedClip(_clip(first, next(iter(labels), None), label_ids), None)


def _clip(stated: Annotation, label: str | None, label_ids: dict[str, int]) -> Clip:
    youtube_id, time_start, time_end, _, split, _ = stated
    label_id = UNLABELLED_ID if label is None else label_ids[label]
    return Clip(stated.clip_id, youtube_id, time_start, time_end, split, label, label_id)


def _where(annotation: Annotation) -> str:
    _, path, line, _ = annotation.place
    return f"{path} line {line}"
