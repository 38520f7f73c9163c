"""Elements in bulk: what goes through a shuffle by the hundred thousand travels in batches.

A runner spends about as much on a batch as on one element, so that a key has to be shared by
many: a bucket of names, a piece of a split.
"""

import pickle
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

HELD = 50_000
"""Elements that wait in memory for others of their key."""

BUCKETS = 512
"""Parts of a join: enough for many workers, few enough that each is worth a shuffle's while."""

T = TypeVar("T")

Kinds: TypeAlias = Mapping[str, tuple[type, Callable[[Any], str]]]
"""What a join brings together, by name: the elements' type, and the group that one is of."""

Group: TypeAlias = dict[str, list[Any]]
"""The elements of one group, by kind."""


class BringTogether(beam.PTransform):
    """Collections of some kinds to buckets; all elements of a group are in one bucket."""

    def __init__(self, kinds: Kinds) -> None:
        super().__init__()
        self._kinds = kinds

    def expand(
        self, collections: dict[str, beam.PCollection]
    ) -> beam.PCollection[tuple[int, dict[str, Iterable[bytes]]]]:
        return {
            kind: collections[kind] | f"Gather {kind}" >> gather(int, _bucket_by(group_of))
            for kind, (_, group_of) in self._kinds.items()
        } | "Bring together" >> beam.CoGroupByKey()


def groups_of(kinds: Kinds, bucket: Mapping[str, Iterable[bytes]]) -> Mapping[str, Group]:
    """The groups in a bucket, by name."""
    groups: defaultdict[str, Group] = defaultdict(lambda: {kind: [] for kind in kinds})
    for kind, (element_type, group_of) in kinds.items():
        elements: Iterator[Any] = unpack(element_type, bucket[kind])
        for element in elements:
            groups[group_of(element)][kind].append(element)
    return groups


def _bucket_by(group_of: Callable[[Any], str]) -> Callable[[Any], int]:
    return lambda element: bucket_of(group_of(element))


def bucket_of(group: str) -> int:
    """The bucket of a group; the same on every machine."""
    return crc32(group.encode()) % BUCKETS


def gather(key_type: Any, key_of: Callable[..., Hashable], *side_inputs: Any) -> beam.ParDo:
    """Elements to (key, batch), each batch a packed part of all elements of its key."""
    packed = beam.ParDo(_Gather(key_of), *side_inputs)
    return packed.with_output_types(tuple[key_type, bytes])


def unpack(element_type: type[T], batches: Iterable[bytes]) -> Iterator[T]:
    """The elements of some batches."""
    for batch in batches:
        for values in pickle.loads(batch):
            yield element_type(*values)


class _Gather(beam.DoFn):
    def __init__(self, key_of: Callable[..., Hashable]) -> None:
        self._key_of = key_of

    def start_bundle(self) -> None:
        self._held: dict[Hashable, list[tuple[Any, ...]]] = {}
        self._count = 0

    def process(self, element: Any, *side_inputs: Any) -> Iterable[tuple[Hashable, bytes]] | None:
        self._held.setdefault(self._key_of(element, *side_inputs), []).append(tuple(element))
        self._count += 1
        return self._packed() if self._count >= HELD else None

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for batch in self._packed():
            yield WindowedValue(batch, MIN_TIMESTAMP, (GlobalWindow(),))

    def _packed(self) -> list[tuple[Hashable, bytes]]:
        # As plain tuples: half the time and room of named ones. A string that stands in many of
        # them, like the path of an annotation file, is written once.
        packed = [(key, pickle.dumps(values, protocol=5)) for key, values in self._held.items()]
        self._held.clear()
        self._count = 0
        return packed
