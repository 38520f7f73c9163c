"""A part of the work: ``--shard i/n``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

MAX_COUNT = 100_000

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, counted from 1. All parts together are the whole work."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The part that a text such as ``3/8`` names.

        Raises:
            ValueError: it names none.
        """
        numbers = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
        if numbers is None:
            raise ValueError(f"{text!r} is not a part such as 1/8")
        number, count = int(numbers[1]), int(numbers[2])
        if not 1 <= count <= MAX_COUNT:
            raise ValueError(f"{text!r}: there can be 1 to {MAX_COUNT} parts")
        if not 1 <= number <= count:
            raise ValueError(f"{text!r}: parts are counted from 1 to {count}")
        return cls(number, count)

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This part of a list that is the same for all parts: every ``count``-th item."""
        return items[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
