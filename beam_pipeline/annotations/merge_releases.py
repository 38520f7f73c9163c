"""Merge the annotations of several releases into one data set, video by video.

The rules, where newer releases come before older ones:

- A video of any val or test set is in no train set. Every clip of val and test stays.
- Of any other video one clip is in train: of the newest release that has the video, and there the
  first by clip_id.
- A clip has the label of the newest release that states one. It is in val if any release says so:
  test sets often have no labels, and results on a val set compare only if it is whole.
- What one release states twice of a clip, and differently, stays so: ``plan`` tells the conflict.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_releases import release_of
from beam_pipeline.batches import JoinByBucket, JoinInputs, groups_in
from beam_pipeline.elements import Annotation, MergedReleases, Split
from beam_pipeline.kinetics.kinetics710 import RELEASES

STATEMENTS, MERGED = "statements", "merged"

_INPUTS: JoinInputs = {STATEMENTS: (Annotation, lambda annotation: annotation.youtube_id)}

_PRIORITY: tuple[Split, ...] = ("val", "test", "train")
"""Of two splits of a clip, the one that counts is first."""

CLIPS, REPEATED, OTHER_CLIPS, HELD_OUT = "clips", "repeated", "other_clips", "in_val_or_test"
"""What becomes of each clip of a release: it is in the merged data set; it is there already, from
another release; it is of train, and its video is there with another clip; it is of train, and its
video is in a val or test set."""

UNEQUAL_LABELS, VAL_AND_TEST = "unequal_labels", "val_and_test"
"""Clips of the merged data set about which releases differ. Other words in the counts,
``release/split``, are what the releases have."""

ByRelease = Mapping[int, Sequence[Annotation]]
"""What each release states of one clip, the newest release first."""


class MergeReleases(beam.PTransform):
    """Merge annotations; returns them (Annotation), and one element that counts (MergedReleases).

    One shuffle groups them by YouTube id.
    """

    def expand(
        self, statements: beam.PCollection[Annotation]
    ) -> tuple[beam.PCollection[Annotation], beam.PCollection[MergedReleases]]:
        merged = (
            {STATEMENTS: statements}
            | JoinByBucket(_INPUTS)
            | "Merge"
            >> beam.FlatMap(_merge_bucket)
            .with_output_types(Annotation, **{MERGED: MergedReleases})
            .with_outputs(MERGED, main=STATEMENTS)
        )
        add = beam.CombineGlobally(add_merged).with_output_types(MergedReleases)
        return merged[STATEMENTS], merged[MERGED] | "Count merged" >> add


def _merge_bucket(
    element: tuple[int, dict[str, Iterable[bytes]]],
) -> Iterator[Annotation | pvalue.TaggedOutput]:
    _, bucket = element
    tally = Tally()
    for group in groups_in(_INPUTS, bucket).values():
        yield from merge_video(group[STATEMENTS], tally)
    yield pvalue.TaggedOutput(MERGED, tally.result())


def add_merged(parts: Iterable[MergedReleases]) -> MergedReleases:
    """The sum of what was counted in parts."""
    tally = Tally()
    for part in parts:
        tally.counts.update(part.counts)
        tally.files.update(part.files)
        if part.example is not None:
            tally.add_example(part.example)
    return tally.result()


@dataclass
class Tally:
    """What was counted so far, see ``MergedReleases``."""

    counts: Counter[str] = field(default_factory=Counter)
    example: str | None = None
    files: set[str] = field(default_factory=set)

    def add_example(self, clip_id: str) -> None:
        """Keep the first clip."""
        self.example = clip_id if self.example is None else min(self.example, clip_id)

    def add_stated(self, by_release: ByRelease) -> None:
        """Count a clip in the releases that have it."""
        for release, stated in by_release.items():
            self.counts[f"{RELEASES[release]}/{stated[0].split}"] += 1
            self.files.update(each.place[1] for each in stated)

    def result(self) -> MergedReleases:
        """The element."""
        return MergedReleases(
            dict(sorted(self.counts.items())), self.example, tuple(sorted(self.files))
        )


def merge_video(statements: Iterable[Annotation], tally: Tally) -> list[Annotation]:
    """Merge what all releases state about one video; the rules are those of this file.

    A clip that is left out has one annotation, without split and label.
    """
    by_clip: dict[str, dict[int, list[Annotation]]] = {}
    for each in sorted(statements, key=lambda a: (a.clip_id, -release_of(a), a.place)):
        by_clip.setdefault(each.clip_id, {}).setdefault(release_of(each), []).append(each)
    held_out = {clip_id for clip_id, of_clip in by_clip.items() if not _is_in_train(of_clip)}
    kept = held_out or {_first_of_newest(by_clip)}
    merged: list[Annotation] = []
    for clip_id, by_release in by_clip.items():
        tally.add_stated(by_release)
        if clip_id in kept:
            _count_kept(by_release, tally)
            merged += _merge_clip(by_release)
        else:
            tally.counts[HELD_OUT if held_out else OTHER_CLIPS] += len(by_release)
            first = next(iter(by_release.values()))[0]
            merged.append(first._replace(split=None, label=None))
    return merged


def _is_in_train(by_release: ByRelease) -> bool:
    """Whether train is the only split of a clip."""
    return all(each.split == "train" for stated in by_release.values() for each in stated)


def _first_of_newest(by_clip: Mapping[str, ByRelease]) -> str:
    newest = max(release for by_release in by_clip.values() for release in by_release)
    return min(clip_id for clip_id, by_release in by_clip.items() if newest in by_release)


def _count_kept(by_release: ByRelease, tally: Tally) -> None:
    """Count what the releases have of a clip that is in the merged data set."""
    splits = {each.split for stated in by_release.values() for each in stated}
    of_train = sum(_is_in_train({0: stated}) for stated in by_release.values())
    left_out = of_train if splits != {"train"} else 0
    tally.counts[CLIPS] += 1
    tally.counts[HELD_OUT] += left_out
    tally.counts[REPEATED] += len(by_release) - left_out - 1
    tally.counts[VAL_AND_TEST] += splits >= {"val", "test"}
    if _has_unequal_labels(by_release):
        tally.counts[UNEQUAL_LABELS] += 1
        tally.add_example(next(iter(by_release.values()))[0].clip_id)


def _has_unequal_labels(by_release: ByRelease) -> bool:
    """Whether a clip has the label of one release, and another states another.

    If the newest with a label contradicts itself, the clip has none.
    """
    stated = [labels for labels in map(_labels, by_release.values()) if labels]
    return bool(stated) and len(stated[0]) == 1 and any(each != stated[0] for each in stated)


def _merge_clip(by_release: ByRelease) -> Sequence[Annotation]:
    """The one annotation that counts for a clip, or those of one release that conflict."""
    every = list(by_release.values())
    deciding = next((stated for stated in every if _labels(stated)), every[0])
    labels = _labels(deciding)
    if len(labels) > 1 or len({each.split for each in deciding}) > 1:
        return deciding
    splits = {each.split for stated in every for each in stated}
    split = next(split for split in _PRIORITY if split in splits)
    return [deciding[0]._replace(split=split, label=next(iter(labels), None))]


def _labels(stated: Collection[Annotation]) -> set[str]:
    return {each.label for each in stated if each.label is not None}
