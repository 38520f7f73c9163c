"""Annotation files in every form, and what is said about those that cannot be read."""

import csv
import gzip
import io
import json
import tarfile
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.annotations.formats import parse
from beam_pipeline.annotations.read_files import ReadFiles, find_files, read_file
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError, message_of
from tests.kinetics import on_beam

SIX_COLUMNS = (
    'label,youtube_id,time_start,time_end,split,is_cc\n"air drumming",--nQbRBEz2s,104,114,val,0\n'
)
FIVE_COLUMNS = "label,youtube_id,time_start,time_end,split\nair drumming,--nQbRBEz2s,104,114,val\n"
FOUR_COLUMNS = "youtube_id,time_start,time_end,split\n--nQbRBEz2s,104,114,val\n"
ENTRY = {"annotations": {"label": "air drumming", "segment": [104.0, 114.0]}, "subset": "validate"}
JSON = json.dumps({"--nQbRBEz2s": ENTRY})


def parsed(text: str | bytes, name: str = "kinetics.csv") -> list[Annotation]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(parse(0, name, io.BytesIO(data)))


def facts(statement: Annotation) -> tuple[str, int, int, str | None, str]:
    """What is stated, without where."""
    return (
        statement.youtube_id, statement.time_start, statement.time_end, statement.label,
        statement.split,
    )  # fmt: skip


def complaint(text: str | bytes, name: str = "kinetics.csv") -> str:
    with pytest.raises(InputError) as caught:
        parsed(text, name)
    return str(caught.value)


def row(**changes: str) -> str:
    """A CSV of one row, with some of its values changed."""
    values = {
        "label": "abseiling", "youtube_id": "abc", "time_start": "1", "time_end": "2",
        "split": "val",
    } | changes  # fmt: skip
    return ",".join(values) + "\n" + ",".join(values.values()) + "\n"


def entry(**changes: object) -> str:
    """A JSON of one clip, with some of its entry changed; None leaves a part out."""
    whole = ENTRY | changes
    return json.dumps({"abc": {name: value for name, value in whole.items() if value is not None}})


# Forms


@pytest.mark.parametrize("text", [SIX_COLUMNS, FIVE_COLUMNS, JSON])
def test_every_labelled_form_states_the_same(text: str) -> None:
    (statement,) = parsed(text)
    assert facts(statement) == ("--nQbRBEz2s", 104, 114, "air drumming", "val")
    assert statement.clip_id == "--nQbRBEz2s_000104_000114"


def test_the_form_without_labels_states_none() -> None:
    assert facts(parsed(FOUR_COLUMNS)[0]) == ("--nQbRBEz2s", 104, 114, None, "val")


def test_the_labelled_form_with_the_id_first_is_read_by_its_header() -> None:
    text = "label,youtube_id,time_start,time_end,split\ndrinking beer,--6bJUbfpnQ,17,27,test\n"
    assert facts(parsed(text)[0]) == ("--6bJUbfpnQ", 17, 27, "drinking beer", "test")
    turned = "time_end,split,time_start,youtube_id,label\n27,test,17,--6bJUbfpnQ,drinking beer\n"
    assert facts(parsed(turned)[0]) == facts(parsed(text)[0])


@pytest.mark.parametrize("text", [SIX_COLUMNS, FIVE_COLUMNS, FOUR_COLUMNS, JSON])
def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(text: str) -> None:
    windows = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert [facts(s) for s in parsed(windows)] == [facts(s) for s in parsed(text)]


@pytest.mark.parametrize("name", ["train.json", "train.csv", "train.txt", "train"])
def test_the_form_is_told_by_content_not_by_name(name: str) -> None:
    assert parsed(JSON, name)[0].label == "air drumming"
    assert parsed(FIVE_COLUMNS, name)[0].label == "air drumming"


@pytest.mark.parametrize(("text", "seconds"), [("17", 17), ("17.0", 17), ("000017", 17), ("0", 0)])
def test_times_may_read_as_whole_or_decimal_numbers(text: str, seconds: int) -> None:
    assert parsed(row(time_start=text, time_end="99.0"))[0].time_start == seconds


@pytest.mark.parametrize("segment", [[17, 27], [17.0, 27.0], ["17", "27"]])
def test_times_in_json_may_be_numbers_or_text(segment: list) -> None:
    (statement,) = parsed(entry(annotations={"label": "a", "segment": segment}))
    assert (statement.time_start, statement.time_end) == (17, 27)


@pytest.mark.parametrize("word", ["val", "validate", "validation", "Validate", " val "])
def test_validation_goes_by_several_words(word: str) -> None:
    assert parsed(row(split=word))[0].split == "val"
    assert parsed(entry(subset=word))[0].split == "val"


@pytest.mark.parametrize(
    ("name", "split"),
    [("train.csv", "train"), ("kinetics-400_val.csv", "val"), ("k700_2020/validate.json", "val"),
     ("kinetics_600_test_labelled.csv", "test"), ("/data/train/test.csv", "test")],
)  # fmt: skip
def test_a_split_that_is_not_stated_is_the_file_names(name: str, split: str) -> None:
    assert parsed("youtube_id,time_start,time_end\nabc,1,2\n", name)[0].split == split
    assert parsed(row(split=""), name)[0].split == split
    assert parsed(entry(subset=None), name)[0].split == split


def test_the_rows_own_split_is_worth_more_than_the_file_names() -> None:
    assert parsed(row(split="test"), "train.csv")[0].split == "test"


@pytest.mark.parametrize("label", ["", " "])
def test_an_empty_label_is_none(label: str) -> None:
    assert parsed(row(label=label))[0].label is None
    assert parsed(entry(annotations={"label": label, "segment": [1, 2]}))[0].label is None


def test_an_absent_or_null_label_is_none() -> None:
    assert parsed(entry(annotations={"segment": [1, 2]}))[0].label is None
    assert parsed(entry(annotations={"label": None, "segment": [1, 2]}))[0].label is None


def test_an_id_that_stands_twice_in_json_is_two_statements() -> None:
    text = (
        '{"abc": {"annotations": {"label": "a", "segment": [1, 11]}, "subset": "val"},\n'
        ' "abc": {"annotations": {"label": "b", "segment": [30, 40]}, "subset": "val"}}'
    )
    assert [s.clip_id for s in parsed(text)] == ["abc_000001_000011", "abc_000030_000040"]


def test_a_statement_tells_where_it_stands() -> None:
    assert [s.place for s in parsed(FIVE_COLUMNS + "abseiling,abc,1,2,val\n")] == [
        (0, "kinetics.csv", 2, 0),
        (0, "kinetics.csv", 3, 0),
    ]


def test_each_of_two_statements_of_one_id_in_json_tells_its_own_line() -> None:
    text = (
        '{"abc": {"annotations": {"label": "a", "segment": [1, 11]}, "subset": "val"},\n'
        ' "abc": {"annotations": {"label": "b", "segment": [1, 11]}, "subset": "val"}}'
    )
    assert [s.place[2] for s in parsed(text)] == [1, 2]


def test_what_is_stated_first_in_one_line_of_json_comes_first() -> None:
    one = '"abc": {"annotations": {"label": "a", "segment": [1, 11]}, "subset": "val"}'
    other = one.replace("val", "train")
    first, second = parsed("{" + f"{one}, {other}" + "}")
    assert (first.split, second.split) == ("val", "train")
    assert first.place < second.place


def test_blank_lines_in_csv_are_no_rows() -> None:
    assert len(parsed(FIVE_COLUMNS + "\n\n  \n")) == 1


def test_a_header_alone_states_nothing() -> None:
    assert parsed("youtube_id,time_start,time_end,split\n") == []
    assert parsed("{}") == []


# What cannot be read


@pytest.mark.parametrize(
    ("text", "line", "about"),
    [
        ('{"abc": {', 1, "JSON"),
        ('{"abc":\n  nonsense}', 2, "JSON"),
        (JSON[:-3], 1, "JSON"),
        ("[1, 2]", 1, "header"),
        ("", 1, "header"),
        ("<!DOCTYPE html>\n<title>Sign in</title>", 1, "header"),
        ("id,start,end\nabc,1,2\n", 1, "youtube_id,time_start,time_end"),
        ("abseiling,abc,1,2,val\n", 1, "header"),
        (row(time_start="soon"), 2, "soon"),
        (row(time_start="1.5"), 2, "1.5"),
        (row(time_start="-3"), 2, "-3"),
        (row(time_end="nan"), 2, "nan"),
        (row(time_end="inf"), 2, "inf"),
        (row(time_end=""), 2, "time_end"),
        (row(time_start="9", time_end="5"), 2, "5"),
        (row(time_start="5", time_end="5"), 2, "5"),
        (row(split="holdout"), 2, "holdout"),
        (row(youtube_id=""), 2, "''"),
        (row(youtube_id="../../etc/passwd"), 2, "passwd"),
        (row(youtube_id=".."), 2, ".."),
        (row(youtube_id="a/b"), 2, "a/b"),
        (row(youtube_id="a\\b"), 2, "b"),
        (row(youtube_id="a\x00b"), 2, "b"),
        (row(youtube_id="a\x1bb"), 2, "b"),
        (row(youtube_id="a" * 300), 2, "aaa"),
        (row(youtube_id="漢" * 100), 2, "漢"),
        (FIVE_COLUMNS + "sword, fighting,abc,1,2,val\n", 3, "6 values"),
        (FIVE_COLUMNS + "abseiling,abc,1\n", 3, "3 values"),
        (FIVE_COLUMNS + '"abseiling,abc,1,2,val\n', 3, ""),
        (entry(annotations=None), 1, "abc"),
        (entry(annotations=[]), 1, "abc"),
        (entry(annotations="abseiling"), 1, "abc"),
        (entry(annotations={"label": "a"}), 1, "abc"),
        (entry(annotations={"label": "a", "segment": [1]}), 1, "abc"),
        (entry(annotations={"label": "a", "segment": 1}), 1, "abc"),
        (entry(annotations={"label": "a", "segment": [1, None]}), 1, "None"),
        (entry(annotations={"label": "a", "segment": [False, True]}), 1, "False"),
        (entry(annotations={"label": ["a"], "segment": [1, 2]}), 1, "label"),
        (entry(annotations={"label": 7, "segment": [1, 2]}), 1, "7"),
        (entry(subset="holdout"), 1, "holdout"),
        ('{"abc": 3}', 1, "abc"),
        ('{"abc": [1, 2]}', 1, "abc"),
        ('{"..": ' + json.dumps(ENTRY) + "}", 1, ".."),
        ('{"a\\u0000b": ' + json.dumps(ENTRY) + "}", 1, "b"),
        ('{\n "abc": ' + json.dumps(ENTRY) + ',\n "def": {}}', 3, "def"),
        ("{" * 100_000, 1, "JSON"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_file_and_line(text: str, line: int, about: str) -> None:
    said = complaint(text, "some/annotations.csv")
    assert said.startswith(f"some/annotations.csv line {line}: ")
    assert about in said
    assert "\n" not in said
    assert len(said) < 1000


@pytest.mark.parametrize("segment", ["[1, 2" + "0" * 5000 + "]", "[1, 1e999]", "[NaN, 2]"])
def test_numbers_beyond_all_measure_are_an_error_in_that_line(segment: str) -> None:
    text = entry(annotations={"label": "a", "segment": "HERE"}).replace('"HERE"', segment)
    assert complaint(text).startswith("kinetics.csv line 1: ")


@pytest.mark.parametrize("place", ["id", "label"])
def test_half_a_surrogate_pair_is_an_error_in_that_line(place: str) -> None:
    text = entry().replace({"id": "abc", "label": "air drumming"}[place], "\\ud800")
    assert complaint(text).startswith("kinetics.csv line 1: ")


def test_a_row_without_a_split_in_a_file_without_one_is_an_error() -> None:
    said = complaint("youtube_id,time_start,time_end\nabc,1,2\n", "kinetics.csv")
    assert "kinetics.csv line 2" in said
    assert "split" in said


def test_a_file_name_with_two_splits_tells_none() -> None:
    assert "split" in complaint("youtube_id,time_start,time_end\nabc,1,2\n", "train_val.csv")


def test_text_that_is_not_utf_8_is_an_error_in_its_line() -> None:
    assert "line 3" in complaint(FIVE_COLUMNS.encode() + "Übung,abc,1,2,val\n".encode("latin-1"))


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 20, b"\x1f\x8b\x08\x00rest of a gzip", b"\x00" * 5000]
)
def test_a_binary_file_is_an_error(data: bytes) -> None:
    assert complaint(data).startswith("kinetics.csv line ")


def test_a_value_too_long_for_csv_is_an_error() -> None:
    assert "line" in complaint(row(label="a" * 200_000))


# Properties

ids = st.text("abcXYZ019_-", min_size=1, max_size=11)
labels = (
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), max_size=20)
    .map(str.strip)
    .filter(lambda label: label and ".." not in label)
)
segments = st.tuples(st.integers(0, 10**6), st.integers(1, 10**4)).map(
    lambda t: (t[0], t[0] + t[1])
)
splits = st.sampled_from(["train", "val", "test"])
statements = st.lists(st.tuples(ids, segments, st.none() | labels, splits), max_size=8)


@given(statements, st.booleans())
def test_what_is_written_as_json_is_read_again(stated: list, indented: bool) -> None:
    entries = [
        f"{json.dumps(youtube_id)}: "
        + json.dumps(
            {
                "annotations": {"label": label, "segment": [float(t) for t in times]},
                "subset": split,
            },
            indent=2 if indented else None,
        )
        for youtube_id, times, label, split in stated
    ]
    read = parsed("{" + ",\n".join(entries) + "}")
    assert [facts(s) for s in read] == [
        (youtube_id, *times, label, split) for youtube_id, times, label, split in stated
    ]
    assert [s.place for s in read] == sorted(s.place for s in read)


@given(statements, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_written_as_csv_is_read_again(stated: list, line_end: str, decimal: bool) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
    for youtube_id, times, label, split in stated:
        written = [float(t) if decimal else t for t in times]
        writer.writerow([label or "", youtube_id, *written, split])
    assert [facts(s) for s in parsed(text.getvalue())] == [
        (youtube_id, *times, label, split) for youtube_id, times, label, split in stated
    ]


def is_read_or_refused_in_one_line(data: bytes | str) -> bool:
    try:
        parsed(data)
    except InputError as error:
        return str(error).startswith("kinetics.csv line ")
    return True


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    assert is_read_or_refused_in_one_line(data)


@given(st.text(max_size=100))
def test_any_text_inside_json_is_read_or_refused_in_one_line(text: str) -> None:
    assert is_read_or_refused_in_one_line(JSON.replace("air drumming", text))


@given(st.text(st.sampled_from('abc,"\n\r 019'), max_size=60))
def test_any_text_below_a_header_is_read_or_refused_in_one_line(text: str) -> None:
    assert is_read_or_refused_in_one_line(FOUR_COLUMNS + text)


# Files


def test_a_folder_is_searched_for_annotation_files(tmp_path: Path) -> None:
    (tmp_path / "k400").mkdir()
    for name in ("train.json", "k400/val.csv", "README.md", "k400/LICENSE"):
        (tmp_path / name).write_text("")
    found = [path for _, path in find_files(0, str(tmp_path))]
    assert found == [str(tmp_path / "k400/val.csv"), str(tmp_path / "train.json")]


def test_a_glob_names_what_it_matches(tmp_path: Path) -> None:
    for name in ("train.csv", "val.csv", "val.json"):
        (tmp_path / name).write_text("")
    assert [path for _, path in find_files(3, str(tmp_path / "*.csv"))] == [
        str(tmp_path / "train.csv"),
        str(tmp_path / "val.csv"),
    ]


def test_a_name_with_brackets_is_a_name_where_the_file_exists(tmp_path: Path) -> None:
    (tmp_path / "k[400] val.csv").write_text("")
    assert list(find_files(0, str(tmp_path / "k[400] val.csv"))) == [
        (0, str(tmp_path / "k[400] val.csv"))
    ]


@pytest.mark.parametrize("name", ["nothing.csv", "*.csv", "empty"])
def test_annotations_that_are_not_there_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{tmp_path}"):
        list(find_files(0, str(tmp_path / name)))


def archive(path: Path, files: dict[str, str], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("k.tar.gz", "w:gz"), ("k.tgz", "w:gz"), ("k.tar", "w:"), ("k.tar.xz", "w:xz"),
     ("k.tar.bz2", "w:bz2"), ("kinetics.json", "w:gz")],
)  # fmt: skip
def test_an_archive_holds_annotation_files(tmp_path: Path, name: str, mode: str) -> None:
    """As DeepMind's do: the same clips as CSV and as JSON, and a word to the reader."""
    files = {
        "./k700/train.csv": SIX_COLUMNS.replace(",val,", ",,"),
        "./k700/train.json": entry(subset="train"),
        "./k700/._train.csv": "\x00\x05\x16\x07",
        "./k700/README.md": "read me",
    }
    found = list(read_file(3, str(archive(tmp_path / name, files, mode))))
    assert {statement.split for statement in found} == {"train"}
    assert {statement.place[:2] for statement in found} == {
        (3, f"{tmp_path}/{name}/k700/train.csv"),
        (3, f"{tmp_path}/{name}/k700/train.json"),
    }


def test_a_row_in_an_archive_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "k.tar.gz", {"val.csv": SIX_COLUMNS + "zumba,x,9,5,val,0\n"})
    with pytest.raises(InputError, match=r"k\.tar\.gz/val\.csv line 3: the clip ends at 5"):
        list(read_file(0, str(path)))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_an_archive_that_was_cut_short_is_an_error(tmp_path: Path, share: float) -> None:
    rows = "".join(f"zumba,id{number:09d},1,11,val,0\n" for number in range(5000))
    path = archive(tmp_path / "k.tar.gz", {"val.csv": SIX_COLUMNS + rows})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=r"k\.tar\.gz: not a tar archive, or a damaged one"):
        list(read_file(0, str(path)))


@pytest.mark.parametrize(
    ("content", "about"),
    [
        (
            gzip.compress(b"youtube_id,time_start,time_end\n", mtime=0)[:-4],
            "damaged gzip data",
        ),
        (b"BZh nonsense", "not a tar archive, or a damaged one"),
        (b"\xfd7zXZ nonsense", "not a tar archive, or a damaged one"),
    ],
)
def test_what_only_looks_like_an_archive_is_named(
    tmp_path: Path, content: bytes, about: str
) -> None:
    (tmp_path / "val.csv").write_bytes(content)
    with pytest.raises(InputError, match=about):
        list(read_file(0, str(tmp_path / "val.csv")))


def test_an_archive_without_annotations_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "k.tar.gz", {"clip.mp4": "video"})
    with pytest.raises(InputError, match=r"no \.csv or \.json file in this archive"):
        list(read_file(0, str(path)))


def test_all_files_of_all_arguments_come_through_beam(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "val.csv").write_text(FIVE_COLUMNS)
    (tmp_path / "more" / "train.json").write_text(entry(subset="train"))
    with on_beam() as pipeline:
        read = (
            pipeline
            | beam.Create([(0, str(tmp_path / "val.csv")), (1, str(tmp_path / "more"))])
            | ReadFiles()
        )
        assert_that(
            read,
            equal_to(
                [
                    Annotation("--nQbRBEz2s", 104, 114, "air drumming", "val",
                               (0, str(tmp_path / "val.csv"), 2, 0)),
                    Annotation("abc", 104, 114, "air drumming", "train",
                               (1, str(tmp_path / "more" / "train.json"), 1, 0)),
                ]
            ),
        )  # fmt: skip


def test_an_error_comes_out_of_beam_as_the_line_it_was(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text(FIVE_COLUMNS.replace("104", "soon"))
    with pytest.raises(Exception, match="soon") as caught, on_beam() as pipeline:
        _ = pipeline | beam.Create([(0, str(tmp_path / "val.csv"))]) | ReadFiles()
    said = message_of(caught.value)
    assert (
        said == f"{tmp_path}/val.csv line 2: the time_start 'soon' is not a whole number of seconds"
    )
