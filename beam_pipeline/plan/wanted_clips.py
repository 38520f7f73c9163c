"""The table of clips to look for in archives, small enough for every worker: 30 bytes a clip."""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

WANTED, ONLY_CLIP, DOUBTFUL, HAS_SOURCE = 1, 2, 4, 8
"""Flags: the clip is to be made; no other clip is annotated with its YouTube id; it was made from
an archive whose checksum is wrong; a source is known, which is tried first."""

NO_VALUE = -1
"""Stands for None."""


def record_of(
    clip: Clip,
    wanted: bool,
    is_only_clip: bool,
    is_doubtful: bool = False,
    has_source: bool = False,
) -> bytes:
    """A clip's record: annotated clips are keyed by YouTube id and times, others by clip_id."""
    split = NO_VALUE if clip.split is None else SPLITS.index(clip.split)
    label_id = NO_VALUE if clip.label_id is None else clip.label_id
    flags = wanted * WANTED + is_only_clip * ONLY_CLIP + is_doubtful * DOUBTFUL
    flags += has_source * HAS_SOURCE
    return key_of(clip) + _REST.pack(label_id, split, flags)


def key_of(clip: Clip | Row) -> bytes:
    """The unique key of a clip."""
    if clip.youtube_id is None or clip.time_start is None or clip.time_end is None:
        return _key(clip.clip_id, NO_VALUE, NO_VALUE)
    return _key(clip.youtube_id, int(clip.time_start), int(clip.time_end))


def split_keys(joined: Iterable[bytes]) -> Iterator[bytes]:
    """Split concatenated keys."""
    for keys in joined:
        for begin in range(0, len(keys), _KEY.size):
            yield keys[begin : begin + _KEY.size]


def _key(name: str, start: int, end: int) -> bytes:
    return _KEY.pack(*_digest(name), start, end)


def _digest(name: str) -> tuple[int, int]:
    # 128 bits: no two of 650,000 names will ever have the same digest.
    high, low = struct.unpack("<QQ", blake2b(name.encode(), digest_size=16).digest())
    return high, low


class Match(NamedTuple):
    """The clips that a file may contain, by its name.

    ``clips`` are the wanted ones: one, or all possible ones if a bare YouTube id is
    ``ambiguous``. A name is ``known`` if it matches an annotated clip, wanted or not. ``passed``
    are the keys of clips that would be wanted if no other source was known.
    """

    clips: tuple[Clip, ...]
    known: bool
    ambiguous: bool = False
    passed: tuple[bytes, ...] = ()


class WantedClips:
    """The table of wanted clips; clips that are made later are removed from it.

    Args:
        table: records, in any order.
        label_ids: the id of every class.
        annotated: False for runs without annotations, in which every clip is wanted that is not
            in the table.

    ``has_doubtful`` says whether a checksum decides if the next clip that is made is right.
    """

    def __init__(self, table: bytes, label_ids: Mapping[str, int], annotated: bool = True) -> None:
        records = np.frombuffer(table, RECORD)
        self._records = records[np.argsort(records["high"], kind="stable")]
        self._high = np.ascontiguousarray(self._records["high"])
        flags = self._records["flags"]
        self._passed = flags & (WANTED | HAS_SOURCE) == WANTED | HAS_SOURCE
        self._wanted = (flags & WANTED).astype(bool) & ~self._passed
        self.has_doubtful = bool((flags & DOUBTFUL).any())
        self._labels = {label_id: label for label, label_id in label_ids.items()}
        self._annotated = annotated
        self._wants_unknown = not annotated
        self._made_unknown: set[bytes] = set()

    def want_only(self, keys: Iterable[bytes]) -> None:
        """Want these clips, whatever other sources they have, and no others."""
        self._wants_unknown = False
        self._passed[:] = self._wanted[:] = False
        for key in keys:
            if (index := self._index_of(key)) is not None:
                self._wanted[index] = True

    def __len__(self) -> int:
        """The number of clips that are still wanted."""
        return int(self._wanted.sum())

    @property
    def wants_any(self) -> bool:
        """Whether any clip may still be wanted."""
        return self._wants_unknown or bool(self._wanted.any())

    def wants_class(self, label: str) -> bool:
        """Whether a clip of the class is wanted."""
        ids = [label_id for label_id, name in self._labels.items() if name == label]
        return bool(np.isin(self._records["label_id"][self._wanted], ids).any())

    def find(self, name: str) -> Match:
        """Find clips by a file name; a full ``clip_id`` has priority over a bare YouTube id."""
        if not self._annotated:
            return self._find_unannotated(Clip(name))
        name = base_name(name)
        youtube_id, *times = name.rsplit("_", 2)
        if len(times) == 2 and all(time.isascii() and time.isdigit() for time in times):
            start, end = map(int, times)
            for index in self._indices_of(_digest(youtube_id)):
                clip = self._clip(index, youtube_id)
                if clip.clip_id == name and (clip.time_start, clip.time_end) == (start, end):
                    return self._match([index], youtube_id)
        indices = list(self._indices_of(_digest(name)))
        is_only_clip = all(self._records["flags"][index] & ONLY_CLIP for index in indices)
        match = self._match(indices, name)
        return match if is_only_clip else match._replace(ambiguous=True, passed=())

    def _match(self, indices: Sequence[int], youtube_id: str) -> Match:
        clips = tuple(self._clip(index, youtube_id) for index in indices if self._wanted[index])
        passed = (self._clip(index, youtube_id) for index in indices if self._passed[index])
        return Match(clips, bool(indices), passed=tuple(map(key_of, passed)))

    def _find_unannotated(self, clip: Clip) -> Match:
        key = key_of(clip)
        if (index := self._index_of(key)) is not None:
            clips = (clip,) if self._wanted[index] else ()
            return Match(clips, True, passed=(key,) if self._passed[index] else ())
        wanted = self._wants_unknown and key not in self._made_unknown
        return Match((clip,) if wanted else (), True)

    def mark_made(self, clip: Clip | Row) -> None:
        """Remove a clip that is made."""
        key = key_of(clip)
        if (index := self._index_of(key)) is not None:
            self._wanted[index] = False
        else:
            self._made_unknown.add(key)  # an unannotated clip is not in the table

    def _index_of(self, key: bytes) -> int | None:
        """The index of the record with this key."""
        high, low, start, end = _KEY.unpack(key)
        for index in self._indices_of((high, low)):
            record = self._records[index]
            if (record["start"], record["end"]) == (start, end):
                return index
        return None

    def _indices_of(self, digest: tuple[int, int]) -> Iterator[int]:
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
