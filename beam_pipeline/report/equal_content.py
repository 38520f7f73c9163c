"""Clips with equal bytes in several splits: a model would be tested on what it was trained on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.output import manifest

PREFIX_DIGITS = 16
"""Digits of a SHA-256 by which clips are compared first: 8 bytes a clip. They are equal by chance
once in 100 million data sets of 650,000 clips."""

SHOWN_GROUPS = 200
"""Groups of equal clips that are looked up and shown."""

SHOWN_CLIPS = 10
"""Clips of a group that are shown."""

COLUMNS = ("clip_id", "split", "label", "path", "status", "sha256")

Prefixes = npt.NDArray[np.uint64]


class EqualClip(NamedTuple):
    """A clip whose bytes another split has too."""

    clip_id: str
    split: str | None
    label: str | None
    path: str | None


class EqualContent(NamedTuple):
    """``contents`` are in clips of several splits; ``groups`` are the clips of some of them."""

    contents: int
    groups: list[list[EqualClip]]


NOTHING_EQUAL = EqualContent(0, [])


def prefixes_of(sha256: pa.ChunkedArray) -> Prefixes:
    """The first 8 bytes of each SHA-256, given as 64 hexadecimal digits; others are left out."""
    whole = sha256.filter(pc.fill_null(pc.equal(pc.binary_length(sha256), 64), False))
    if not len(whole):
        return np.empty(0, np.uint64)
    start = pc.utf8_slice_codeunits(whole, 0, PREFIX_DIGITS).combine_chunks()
    fixed = start.cast(pa.binary()).cast(pa.binary(PREFIX_DIGITS))
    letters = np.frombuffer(fixed.buffers()[1], np.uint8, PREFIX_DIGITS * len(fixed))
    digits = ((letters & 15) + 9 * (letters >> 6)).astype(np.uint64).reshape(-1, PREFIX_DIGITS)
    shifts = np.arange(4 * (PREFIX_DIGITS - 1), -4, -4, dtype=np.uint64)
    prefixes: Prefixes = np.bitwise_or.reduce(digits << shifts, axis=1)
    return prefixes


def in_several(by_split: Sequence[Prefixes]) -> Prefixes:
    """The prefixes that are in more than one of several splits, sorted."""
    each_once = [np.unique(prefixes) for prefixes in by_split]
    if not each_once:
        return np.empty(0, np.uint64)
    values, counts = np.unique(np.concatenate(each_once), return_counts=True)
    return values[counts > 1]


def find_equal(
    by_split: Sequence[Prefixes], tables: Callable[[], Iterable[pa.Table]]
) -> EqualContent:
    """Find equal clips by their prefixes, then look some of them up by their whole SHA-256.

    Args:
        by_split: the prefixes of the listed clips of each split.
        tables: reads the tables of ``COLUMNS`` of all splits once more.
    """
    several = in_several(by_split)
    if not len(several):
        return NOTHING_EQUAL
    groups: dict[str, list[EqualClip]] = {}
    looked_up = pa.array([f"{prefix:016x}" for prefix in several[:SHOWN_GROUPS].tolist()])
    for sha256, clip in _clips(tables(), looked_up):
        groups.setdefault(sha256, []).append(clip)
    found = [group for group in groups.values() if len({clip.split for clip in group}) > 1]
    not_looked_up = max(len(several) - SHOWN_GROUPS, 0)
    shown = sorted(_some_of_each_split(group) for group in found)
    return EqualContent(len(found) + not_looked_up, shown)


def _clips(tables: Iterable[pa.Table], prefixes: pa.Array) -> Iterator[tuple[str, EqualClip]]:
    for table in tables:
        starts = pc.utf8_slice_codeunits(table.column("sha256"), 0, PREFIX_DIGITS)
        equal = table.filter(pc.is_in(starts, value_set=prefixes))
        for clip_id, split, label, path, _, sha256 in manifest.values_of(equal):
            yield sha256, EqualClip(clip_id, split, label, path)


def _some_of_each_split(group: Sequence[EqualClip]) -> list[EqualClip]:
    """The first clips of a group, with at least one of each split in it."""
    first = {clip.split: clip for clip in reversed(group)}.values()
    rest = [clip for clip in group if clip not in first]
    some = [*first, *rest][: max(SHOWN_CLIPS, len(first))]
    return [clip for clip in group if clip in some]
