"""Batches of elements, for shuffles of hundreds of thousands of them.

A batch costs a runner about as much as one element. To fill batches, many elements share a key:
a bucket of names, or a part of a split. A runner keeps several copies of what is shuffled, some in
memory, so batches are compressed.
"""

import pickle
import struct
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar
from zlib import crc32

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

MAX_HELD = 50_000
"""Elements that a bundle holds in memory before it packs them into batches."""

BUCKETS = 512
"""Keys of a join: enough for many workers, and few enough to fill the batches."""

_LENGTH = struct.Struct("<Q")

T = TypeVar("T")

JoinInputs: TypeAlias = Mapping[str, tuple[type, Callable[[Any], str]]]
"""The inputs of a join, by name: the type of the elements, and a function to an element's group."""

Group: TypeAlias = dict[str, list[Any]]
"""The elements of one group, by the name of their input."""


class Gather(beam.PTransform):
    """All elements of a small collection as one list, in a third of the stages of Beam's ToList."""

    def expand(self, collection: beam.PCollection) -> beam.PCollection[list[Any]]:
        return (
            collection.pipeline
            | "Once" >> beam.Create([None])
            | "List"
            >> beam.Map(lambda _, elements: elements, pvalue.AsList(collection)).with_output_types(
                list[Any]
            )
        )


class JoinByBucket(beam.PTransform):
    """Join collections by bucket. All elements of a group are in the same bucket.

    A collection per input to (bucket, batches per input). ``groups_in`` gives the groups.
    """

    def __init__(self, inputs: JoinInputs) -> None:
        super().__init__()
        self._inputs = inputs

    def expand(
        self, collections: dict[str, beam.PCollection]
    ) -> beam.PCollection[tuple[int, dict[str, Iterable[bytes]]]]:
        return {
            name: collections[name] | f"Batch {name}" >> batch_by_key(int, _bucket_by(group_of))
            for name, (_, group_of) in self._inputs.items()
        } | "Join" >> beam.CoGroupByKey()


def groups_in(inputs: JoinInputs, bucket: Mapping[str, Iterable[bytes]]) -> Mapping[str, Group]:
    """The groups in a bucket, by group name."""
    groups: defaultdict[str, Group] = defaultdict(lambda: {name: [] for name in inputs})
    for name, (element_type, group_of) in inputs.items():
        elements: Iterator[Any] = unpack(element_type, bucket[name])
        for element in elements:
            groups[group_of(element)][name].append(element)
    return groups


def _bucket_by(group_of: Callable[[Any], str]) -> Callable[[Any], int]:
    return lambda element: bucket_of(group_of(element))


def bucket_of(group: str) -> int:
    """The number of a group's bucket. It is the same on every machine."""
    return crc32(group.encode()) % BUCKETS


def batch_by_key(key_type: Any, key_of: Callable[..., Hashable], *side_inputs: Any) -> beam.ParDo:
    """Elements to (key, batch). A batch has some of the elements of its key, see ``pack``."""
    packed = beam.ParDo(_BatchByKey(key_of), *side_inputs)
    return packed.with_output_types(tuple[key_type, bytes])


def pack(values: list[tuple[Any, ...]]) -> bytes:
    """A batch of elements, which are given as plain tuples.

    These take half the time and space of named ones. A string that occurs in many of them, such
    as the path of an annotation file, is written once. LZ4 more than halves what is left, in less
    time than any runner takes to copy it.
    """
    data = pickle.dumps(values, protocol=5)
    return _LENGTH.pack(len(data)) + pa.compress(data, "lz4", asbytes=True)


def unpack(element_type: type[T], batches: Iterable[bytes]) -> Iterator[T]:
    """The elements in batches."""
    for batch in batches:
        (length,) = _LENGTH.unpack_from(batch)
        data = pa.decompress(memoryview(batch)[_LENGTH.size :], length, "lz4", asbytes=True)
        for values in pickle.loads(data):
            yield element_type(*values)


def in_global_window(element: Any) -> WindowedValue:
    """Wrap an element as ``finish_bundle`` must yield it."""
    return WindowedValue(element, MIN_TIMESTAMP, (GlobalWindow(),))


class _BatchByKey(beam.DoFn):
    def __init__(self, key_of: Callable[..., Hashable]) -> None:
        self._key_of = key_of

    def start_bundle(self) -> None:
        self._held: dict[Hashable, list[tuple[Any, ...]]] = {}
        self._count = 0

    def process(self, element: Any, *side_inputs: Any) -> Iterable[tuple[Hashable, bytes]] | None:
        self._held.setdefault(self._key_of(element, *side_inputs), []).append(tuple(element))
        self._count += 1
        return self._packed() if self._count >= MAX_HELD else None

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for batch in self._packed():
            yield in_global_window(batch)

    def _packed(self) -> list[tuple[Hashable, bytes]]:
        packed = [(key, pack(values)) for key, values in self._held.items()]
        self._held.clear()
        self._count = 0
        return packed
