"""Every reader finds every frame, at its time; what a reader cannot do is named here."""

from collections.abc import Callable

import pytest

from tests.readers.judge import Faults
from tests.readers.read import READERS

OUTPUTS = ("real", "real at 30", "made", "made at 30")

KNOWN: dict[tuple[str, str], dict[str, str]] = {}
"""By output and reader: the number of wrong frames of a clip, and what else is wrong."""

Found = Callable[[str, str], dict[str, Faults]]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("reader", READERS)
def test_frames_rate_duration_and_times_are_right(found: Found, reader: str, output: str) -> None:
    wrong = {name: str(faults) for name, faults in found(reader, output).items()}
    assert wrong == KNOWN.get((output, reader), {})
