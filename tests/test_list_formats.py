"""List formats: an accepted list is read by its trainer as it was written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.errors import InputError
from beam_pipeline.output.list_formats import TEXT_FORMATS, list_format
from tests import trainers

READERS: dict[str, Callable[[Path, str], list[trainers.Sample]]] = {
    "slowfast": trainers.slowfast,
    "pytorchvideo": lambda file, _: trainers.pytorchvideo(file),
    "mmaction2": lambda file, separator: trainers.mmaction2(file, delimiter=separator),
    "videomae": lambda file, _: trainers.videomae(file),
}
PLAIN = "/data/videos/train/air_drumming/--nQbRBEz2s_000104_000114.mp4"
SPACES = "/my data/air drumming/a b.mp4"

# Characters that a file system allows in paths, separators of lists more often than others.
CHARACTERS = st.sampled_from(" ,;'\"\\\t\r\x0b\u2028\x85ab/.") | st.characters(
    codec="utf-8", exclude_characters="\0"
)
PATHS = st.text(CHARACTERS, min_size=1).map(lambda text: f"{text}.mp4")
LABELS = st.integers(-1, 699)


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_every_dialect_takes_plain_paths(name: str) -> None:
    dialect = list_format(name, " ")
    dialect.check(PLAIN)
    assert dialect.write([(PLAIN, 5), (PLAIN, -1)]).splitlines() == [f"{PLAIN} 5", f"{PLAIN} -1"]


@pytest.mark.parametrize(
    ("name", "separator", "accepted"),
    [
        ("slowfast", " ", False),
        ("slowfast", ",", True),
        ("pytorchvideo", " ", True),
        ("mmaction2", " ", False),
        ("mmaction2", ",", True),
        ("videomae", " ", True),
    ],
)
def test_spaces_in_a_path_are_taken_by_some(name: str, separator: str, accepted: bool) -> None:
    dialect = list_format(name, separator)
    if accepted:
        dialect.check(SPACES)
    else:
        with pytest.raises(InputError, match="would misread the path '/my data/air drumming"):
            dialect.check(SPACES)


@pytest.mark.parametrize("name", TEXT_FORMATS)
@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_what_passes_is_what_the_trainer_reads(
    name: str, separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dialect, file = list_format(name, separator), tmp_path_factory.mktemp("lists") / "val.csv"

    @given(st.lists(st.tuples(PATHS, LABELS), min_size=1, max_size=5))
    def holds(entries: list[tuple[str, int]]) -> None:
        text = dialect.write(entries)
        if not dialect.misreads(text, entries):
            file.write_bytes(text.encode())
            assert READERS[name](file, separator) == [
                trainers.Sample(path, label) for path, label in entries
            ]

    holds()


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_a_list_that_was_changed_is_noticed(name: str) -> None:
    dialect = list_format(name, " ")
    entries = [(PLAIN, 5), ("/b.mp4", 6)]
    text = dialect.write(entries)
    for changed in (text[:-3], text.replace("6", "7"), text + "/c.mp4 1\n", ""):
        assert dialect.misreads(changed, entries)
