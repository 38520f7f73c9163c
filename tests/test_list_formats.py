"""List formats: an accepted list is read by its trainer as it was written."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.errors import InputError
from beam_pipeline.output.huggingface import class_names, read_huggingface, write_huggingface
from beam_pipeline.output.list_formats import PATH_AND_LABEL, TEXT_FORMATS, Entry, list_format
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


@pytest.mark.parametrize("name", PATH_AND_LABEL)
def test_every_dialect_takes_plain_paths(name: str) -> None:
    dialect = list_format(name, " ")
    dialect.check(PLAIN)
    entries = [Entry(PLAIN, 5), Entry(PLAIN, -1)]
    assert dialect.write(entries).splitlines() == [f"{PLAIN} 5", f"{PLAIN} -1"]


@pytest.mark.parametrize(
    ("name", "separator", "accepted"),
    [
        ("slowfast", " ", False),
        ("slowfast", ",", True),
        ("pytorchvideo", " ", True),
        ("mmaction2", " ", False),
        ("mmaction2", ",", True),
        ("videomae", " ", True),
        ("videomae-pretrain", ",", False),
        ("frames", ",", False),
        ("fiftyone", " ", True),
    ],
)
def test_spaces_in_a_path_are_taken_by_some(name: str, separator: str, accepted: bool) -> None:
    dialect = list_format(name, separator)
    if accepted:
        dialect.check(SPACES)
    else:
        with pytest.raises(InputError, match="would misread the path '/my data/air drumming"):
            dialect.check(SPACES)


@pytest.mark.parametrize("name", PATH_AND_LABEL)
@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_what_passes_is_what_the_trainer_reads(
    name: str, separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dialect, file = list_format(name, separator), tmp_path_factory.mktemp("lists") / "val.csv"

    @given(st.lists(st.tuples(PATHS, LABELS), min_size=1, max_size=5))
    def holds(pairs: list[tuple[str, int]]) -> None:
        entries = [Entry(*pair) for pair in pairs]
        text = dialect.write(entries)
        if not dialect.misreads(text, entries):
            file.write_bytes(text.encode())
            assert READERS[name](file, separator) == [
                trainers.Sample(path, label) for path, label in pairs
            ]

    holds()


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_a_list_that_was_changed_is_noticed(name: str) -> None:
    dialect = list_format(name, " ")
    entries = [Entry(PLAIN, 5, "zumba", "a", 12), Entry("/b.mp4", 6, None, "b", 16)]
    text = dialect.write(entries)
    assert not dialect.misreads(text, entries)
    extra = text.splitlines(keepends=True)[-1].replace("b.mp4", "c.mp4")
    for changed in (text[: text.rindex("b.mp4")], text.replace("b.mp4", "B.mp4"), text + extra, ""):
        assert dialect.misreads(changed, entries)
    if name != "videomae-pretrain":  # which has no labels
        assert dialect.misreads(text.replace("6", "7"), entries)


ENTRIES = st.builds(
    Entry, PATHS, LABELS, st.none() | st.text(CHARACTERS, min_size=1), st.just("a_000001_000011"),
    st.integers(1, 1000),
)  # fmt: skip


def read_by_trainer(name: str, file: Path) -> list[tuple[object, ...]]:
    """What the trainer of a format with other columns makes of a list."""
    if name == "videomae-pretrain":
        return list(trainers.videomae_pretraining(file))
    if name == "frames":
        return list(trainers.raw_frames(file))
    return [
        (row["filepath"], row.get("ground_truth"), int(row["label_id"]), row["clip_id"])
        for row in trainers.fiftyone(file)
    ]


def expected_by_trainer(name: str, entry: Entry) -> tuple[object, ...]:
    if name == "videomae-pretrain":
        return entry.path, 0, -1
    if name == "frames":
        return entry.path, entry.frames, entry.label_id
    return entry.path, entry.label, entry.label_id, entry.clip_id


@pytest.mark.parametrize("name", [name for name in TEXT_FORMATS if name not in PATH_AND_LABEL])
@pytest.mark.parametrize("separator", [" ", ","])
def test_lists_with_other_columns_are_read_by_their_trainers(
    name: str, separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dialect, file = list_format(name, separator), tmp_path_factory.mktemp("lists") / "val.csv"

    @given(st.lists(ENTRIES, min_size=1, max_size=5, unique_by=lambda entry: entry.path))
    def holds(entries: list[Entry]) -> None:
        text = dialect.write(entries)
        if not dialect.misreads(text, entries):
            file.write_bytes(text.encode())
            expected = [expected_by_trainer(name, entry) for entry in entries]
            found = read_by_trainer(name, file)
            assert sorted(found, key=str) == sorted(expected, key=str)

    holds()


def test_the_lists_with_other_columns_are_as_documented() -> None:
    entries = [Entry(PLAIN, 3, "air drumming", "--nQbRBEz2s_000104_000114", 250)]
    assert list_format("videomae-pretrain", ",").write(entries) == f"{PLAIN} 0 -1\n"
    assert list_format("frames", ",").write(entries) == f"{PLAIN} 250 3\n"
    assert list_format("fiftyone", ",").write(entries) == (
        "filepath,ground_truth,label_id,clip_id\n"
        f"{PLAIN},air drumming,3,--nQbRBEz2s_000104_000114\n"
    )


def test_hugging_faces_list_states_the_name_of_every_id() -> None:
    entries = [Entry(PLAIN, 2, "zumba", "a_000001_000011"), Entry("/b.mp4", -1, None, "b")]
    data = write_huggingface(entries, {"archery": 0, "zumba": 2})
    assert read_huggingface(data) == [(PLAIN, 2, "a_000001_000011"), ("/b.mp4", -1, "b")]
    schema = pq.read_schema(pa.BufferReader(data))
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"]["names"] == ["archery", "no class has the id 1", "zumba"]
    assert features["video"] == {"_type": "Video"}
    assert schema.names == list(features)
    assert write_huggingface(entries, {"archery": 0, "zumba": 2}) == data


def test_hugging_faces_list_without_clips_has_no_row_group() -> None:
    data = write_huggingface([], {"archery": 0})
    assert pq.ParquetFile(pa.BufferReader(data)).num_row_groups == 0
    assert class_names({}) == []
