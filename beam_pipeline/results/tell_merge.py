"""What a merge of several releases has done, for ``summary.json`` and as notes."""

from collections.abc import Iterator
from typing import Any

from beam_pipeline.annotations.merge_releases import (
    CLIPS,
    HELD_OUT,
    OTHER_CLIPS,
    REPEATED,
    UNEQUAL_LABELS,
    VAL_AND_TEST,
)
from beam_pipeline.elements import SPLITS, MergedReleases
from beam_pipeline.kinetics.kinetics710 import RELEASES, TITLES
from beam_pipeline.output.output_folder import SUMMARY, Output
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.state import counted

NUMBERS = (CLIPS, REPEATED, OTHER_CLIPS, HELD_OUT, UNEQUAL_LABELS, VAL_AND_TEST)
"""Counts of the whole merge. The first four add up to all clips that the releases have."""


def merge_summary(merged: MergedReleases) -> dict[str, Any]:
    """The entry ``merged`` of ``summary.json``: what became of the clips that each release has."""
    counts = merged.counts
    return {
        "stated": {
            release: {split: counts.get(f"{release}/{split}", 0) for split in SPLITS}
            for release in RELEASES
        },
        **{name: counts.get(name, 0) for name in NUMBERS},
    }


def told_merge(output: Output) -> MergedReleases:
    """What ``summary.json`` of an output tells of its merge; that has no example."""
    summary = output.read_json(SUMMARY) or {}
    merged = summary["merged"]
    stated = {
        f"{release}/{split}": count
        for release, counts in merged["stated"].items()
        for split, count in counts.items()
        if count
    }
    numbers = {name: merged[name] for name in NUMBERS}
    return MergedReleases({**stated, **numbers}, None, tuple(summary["inputs"]["annotations"]))


def files_of(merged: MergedReleases) -> list[str]:
    """The annotation files that were read, as they may be shown."""
    return [public_address(path) for path in merged.files]


def merge_notes(merged: MergedReleases) -> Iterator[str]:
    """Notes about what was merged, a sentence each."""
    numbers = {name: merged.counts.get(name, 0) for name in NUMBERS}
    stated = {key: count for key, count in merged.counts.items() if key not in NUMBERS}
    if not stated:
        return
    yield (
        f"merged {counted(sum(stated.values()), 'clip')} of {', '.join(TITLES.values())} into "
        f"{numbers[CLIPS]:,}: {numbers[REPEATED]:,} are in several, {numbers[OTHER_CLIPS]:,} of "
        f"train have a video of which train has another clip, {numbers[HELD_OUT]:,} of train have "
        "a video that is in val or test"
    )
    if unequal := numbers[UNEQUAL_LABELS]:
        yield (
            "clips with other labels in other releases have that of the newest one: "
            f"{unequal:,}" + (f", first {merged.example}" if merged.example else "")
        )
    if both := numbers[VAL_AND_TEST]:
        yield f"clips in val of one release and in test of another are in val: {both:,}"
    for release in RELEASES:
        missing = [split for split in ("val", "test") if f"{release}/{split}" not in stated]
        if missing:
            yield (
                f"there are no annotations of {' and '.join(missing)} of {TITLES[release]}: their "
                "videos could not be taken out of train"
            )
