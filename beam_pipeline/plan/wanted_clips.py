"""Which clips are still to be found: a table that every worker can hold, 30 bytes a clip."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from beam_pipeline.elements import SPLITS, Clip, Row
from beam_pipeline.kinetics.file_names import base_name

_KEY = struct.Struct("<QQii")
_REST = struct.Struct("<ibB")
RECORD = np.dtype(
    [
        ("high", "<u8"), ("low", "<u8"), ("start", "<i4"), ("end", "<i4"),
        ("label_id", "<i4"), ("split", "i1"), ("flags", "u1"),
    ]
)  # fmt: skip

WANTED, ALONE = 1, 2
"""Flags: the clip is to be made; no other clip is annotated with its YouTube id."""

NONE = -1
"""In the place of what a clip does not have."""


def record_of(clip: Clip, wanted: bool, alone: bool) -> bytes:
    """A clip's line of the table: annotated clips by YouTube id and times, others by clip_id."""
    split = NONE if clip.split is None else SPLITS.index(clip.split)
    label_id = NONE if clip.label_id is None else clip.label_id
    return key_of(clip) + _REST.pack(label_id, split, wanted * WANTED + alone * ALONE)


def key_of(clip: Clip | Row) -> bytes:
    """What tells a clip from all others."""
    if clip.youtube_id is None or clip.time_start is None or clip.time_end is None:
        return _key(clip.clip_id, NONE, NONE)
    return _key(clip.youtube_id, int(clip.time_start), int(clip.time_end))


def split_keys(joined: Iterable[bytes]) -> Iterator[bytes]:
    """The keys that were put one behind the other."""
    for keys in joined:
        for begin in range(0, len(keys), _KEY.size):
            yield keys[begin : begin + _KEY.size]


def _key(name: str, start: int, end: int) -> bytes:
    return _KEY.pack(*_digest(name), start, end)


def _digest(name: str) -> tuple[int, int]:
    # 128 bits: of 650,000 names no two will ever share them.
    high, low = struct.unpack("<QQ", blake2b(name.encode(), digest_size=16).digest())
    return high, low


class Match(NamedTuple):
    """What a file's name says.

    ``clips`` are those that are still wanted: one, or, where a bare YouTube id is ``ambiguous``,
    all that it could be. Of a name that is ``known`` something is annotated, wanted or not.
    """

    clips: tuple[Clip, ...]
    known: bool
    ambiguous: bool = False


class WantedClips:
    """The table, with the clips taken off that have been made since.

    Args:
        table: records, in any order.
        made: keys of clips that need not be looked for any more.
        label_ids: the id of every class.
        annotated: False where nothing is: then what the table does not hold is wanted.
    """

    def __init__(
        self,
        table: bytes,
        made: Iterable[bytes],
        label_ids: Mapping[str, int],
        annotated: bool = True,
    ) -> None:
        records = np.frombuffer(table, RECORD)
        self._records = records[np.argsort(records["high"], kind="stable")]
        self._high = np.ascontiguousarray(self._records["high"])
        self._wanted = (self._records["flags"] & WANTED).astype(bool)
        self._labels = {label_id: label for label, label_id in label_ids.items()}
        self._annotated = annotated
        self._made: set[bytes] = set()
        for key in split_keys(made):
            self._forget(key)

    def __len__(self) -> int:
        """How many clips are still wanted."""
        return int(self._wanted.sum())

    @property
    def is_open(self) -> bool:
        """Whether there may be a file that is wanted."""
        return not self._annotated or bool(self._wanted.any())

    def wants_class(self, label: str) -> bool:
        """Whether a clip of that class is wanted."""
        ids = [label_id for label_id, name in self._labels.items() if name == label]
        return bool(np.isin(self._records["label_id"][self._wanted], ids).any())

    def find(self, name: str) -> Match:
        """What the name of a file says, a full ``clip_id`` before a bare YouTube id."""
        if not self._annotated:
            clip = Clip(name)
            done = key_of(clip) in self._made or any(True for _ in self._of(_digest(name)))
            return Match(() if done else (clip,), True)
        name = base_name(name)
        youtube_id, *times = name.rsplit("_", 2)
        if len(times) == 2 and all(time.isascii() and time.isdigit() for time in times):
            start, end = map(int, times)
            for index in self._of(_digest(youtube_id)):
                clip = self._clip(index, youtube_id)
                if clip.clip_id == name and (clip.time_start, clip.time_end) == (start, end):
                    return Match((clip,) if self._wanted[index] else (), True)
        indices = list(self._of(_digest(name)))
        clips = tuple(self._clip(index, name) for index in indices if self._wanted[index])
        alone = all(self._records["flags"][index] & ALONE for index in indices)
        return Match(clips, bool(indices), not alone)

    def take(self, clip: Clip | Row) -> None:
        """Note that a clip is made."""
        self._forget(key_of(clip))

    def _forget(self, key: bytes) -> None:
        high, low, start, end = _KEY.unpack(key)
        for index in self._of((high, low)):
            record = self._records[index]
            if (record["start"], record["end"]) == (start, end):
                self._wanted[index] = False
                return
        self._made.add(key)  # what nothing annotates is in no table

    def _of(self, digest: tuple[int, int]) -> Iterator[int]:
        high, low = digest
        index = int(np.searchsorted(self._high, np.uint64(high)))
        while index < len(self._high) and self._high[index] == high:
            if self._records["low"][index] == low:
                yield index
            index += 1

    def _clip(self, index: int, youtube_id: str) -> Clip:
        _, _, start, end, label_id, split, _ = self._records[index].tolist()
        clip_id = f"{youtube_id}_{start:06d}_{end:06d}"
        label = self._labels.get(label_id)
        return Clip(clip_id, youtube_id, start, end, SPLITS[split], label, label_id)
