"""Choose the clips of --limit_per_class: a sample of each class that every lab has alike."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import JoinByBucket, JoinInputs, groups_in
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation, Clip
from beam_pipeline.plan.limit_clips import NthSmallest
from beam_pipeline.plan.resolve_annotations import resolve_annotations

KINDS: JoinInputs = {"annotations": (Annotation, lambda annotation: annotation.clip_id)}

LastRanks = Mapping[str, str]
"""By ``class_key``, the rank of the last clip that is in the sample."""


class Sample(NamedTuple):
    """The clips within --limit_per_class.

    clip_ids: each of them once (str).
    last_ranks: one element, ``LastRanks``.
    """

    clip_ids: beam.PCollection[str]
    last_ranks: beam.PCollection[dict[str, str]]


class SampleClips(beam.PTransform):
    """All annotations to the clips within --limit_per_class: see ``Sample``.

    Of each class in each split these are the clips of the lowest rank. All annotated clips of the
    requested splits and classes take part, whether they have a file or not. A clip whose
    annotations contradict each other is of no class, so it is in no sample. ``label_ids`` is the
    id of every class.
    """

    def __init__(self, config: Config, label_ids: pvalue.AsSingleton) -> None:
        super().__init__()
        self._config = config
        self._label_ids = label_ids

    def expand(self, annotations: beam.PCollection[Annotation]) -> Sample:
        config = self._config
        clips = (
            {"annotations": annotations}
            | "Join statements" >> JoinByBucket(KINDS)
            | "Requested clips"
            >> beam.FlatMap(_requested, config, self._label_ids).with_output_types(Clip)
        )
        last_ranks = (
            clips
            | "Rank" >> beam.Map(_ranked, config.seed).with_output_types(tuple[str, str])
            | "Last of a class" >> beam.CombinePerKey(NthSmallest(config.limit_per_class or 0))
            | "All classes"
            >> beam.CombineGlobally(beam.combiners.ToDictCombineFn()).with_output_types(
                dict[str, str]
            )
        )
        clip_ids = clips | "In the sample" >> beam.FlatMap(
            _sampled_id, config.seed, pvalue.AsSingleton(last_ranks)
        ).with_output_types(str)
        return Sample(clip_ids, last_ranks)


def rank_of(clip_id: str, seed: int) -> str:
    """The place of a clip in the random order of a seed: SHA-256 of ``<seed> <clip_id>``."""
    return hashlib.sha256(f"{seed} {clip_id}".encode()).hexdigest()


def class_key(clip: Clip) -> str:
    """What the clips of one class in one split share; no label is empty, or has a slash."""
    return f"{clip.split}/{clip.label or ''}"


def is_sampled(clip: Clip, seed: int, last_ranks: LastRanks) -> bool:
    """Whether a clip that is requested is in the sample."""
    return rank_of(clip.clip_id, seed) <= last_ranks.get(class_key(clip), "")


def _requested(
    element: tuple[int, dict[str, Iterable[bytes]]], config: Config, label_ids: dict[str, int]
) -> Iterator[Clip]:
    _, bucket = element
    for group in groups_in(KINDS, bucket).values():
        for resolved in resolve_annotations(group["annotations"], label_ids):
            if resolved.conflict is None and config.includes(resolved.clip):
                yield resolved.clip


def _ranked(clip: Clip, seed: int) -> tuple[str, str]:
    return class_key(clip), rank_of(clip.clip_id, seed)


def _sampled_id(clip: Clip, seed: int, last_ranks: dict[str, str]) -> Iterator[str]:
    if is_sampled(clip, seed, last_ranks):
        yield clip.clip_id
