"""Elements in bulk: what goes through a shuffle by the hundred thousand travels in batches.

A runner spends about as much on a batch as on one element, so that a key has to be shared by
many: a bucket of names, a piece of a split.
"""

import pickle
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

HELD = 50_000
"""Elements that wait in memory for others of their key."""

T = TypeVar("T")


def gather(key_type: Any, key_of: Callable[[Any], Hashable]) -> beam.ParDo:
    """Elements to (key, batch), each batch a packed part of all elements of its key."""
    return beam.ParDo(_Gather(key_of)).with_output_types(tuple[key_type, bytes])


def unpack(element_type: type[T], batches: Iterable[bytes]) -> Iterator[T]:
    """The elements of some batches."""
    for batch in batches:
        for values in pickle.loads(batch):
            yield element_type(*values)


class _Gather(beam.DoFn):
    def __init__(self, key_of: Callable[[Any], Hashable]) -> None:
        self._key_of = key_of

    def start_bundle(self) -> None:
        self._held: dict[Hashable, list[tuple[Any, ...]]] = {}
        self._count = 0

    def process(self, element: Any) -> Iterable[tuple[Hashable, bytes]] | None:
        self._held.setdefault(self._key_of(element), []).append(tuple(element))
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
