"""Which id each class has."""

import json
from pathlib import Path

import pytest

from beam_pipeline.annotations.assign_label_ids import assign_label_ids
from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.label_map import PUBLISHED, parse_label_map, read_label_map
from tests.conftest import small_clip
from tests.kinetics import SHARED, Kinetics, all_rows, lines, summary

REAL = SHARED / "annotations"

SORTED = ("kinetics400", "kinetics600", "kinetics700")

KNOWN = {
    "kinetics400": {"abseiling": 0, "air drumming": 1, "making tea": 191, "zumba": 399},
    "kinetics600": {"abseiling": 0, "zumba": 599},
    "kinetics700": {"abseiling": 0, "zumba": 699},
    "kinetics710": {"abseiling": 0, "zumba": 399, "bull fighting": 709},
    "videomaev2-kinetics600": {"feeding fish": 0, "playing organ": 599},
    "videomaev2-kinetics700": {"counting money": 0, "gospel singing in church": 699},
    "videomaev2-kinetics710": {"riding a bike": 0, "bull fighting": 709},
}

SHARED_NAMES = {
    **{name: f"label_map_k{name[-3:]}.txt" for name in (*SORTED, "kinetics710")},
    **{name: f"videomaev2_label_map_k{name[-3:]}.txt" for name in KNOWN if "videomaev2" in name},
}

CHANGED = {
    "videomaev2-kinetics600": {
        "passing American football (not in game)": "passing american football (not in game)",
        "picking apples": "picking fruit",
        "throwing ball": "chopping vegetables",
    },
    "videomaev2-kinetics700": {"throwing ball": "archaeological excavation"},
}
"""Class names in VideoMAEv2's files that the releases do not have, and those that they have."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_map_numbers_all_its_classes(name: str) -> None:
    ids = read_label_map(name)
    assert list(ids.values()) == list(range(int(name[-3:])))
    assert KNOWN[name].items() <= ids.items()


@pytest.mark.parametrize("name", SORTED)
def test_the_maps_of_the_releases_are_sorted(name: str) -> None:
    assert list(read_label_map(name)) == sorted(read_label_map(name))


@pytest.mark.parametrize("release", ["kinetics600", "kinetics700"])
def test_the_maps_of_videomaev2_have_the_classes_of_the_release(release: str) -> None:
    assert sorted(read_label_map(f"videomaev2-{release}")) == list(read_label_map(release))


@pytest.mark.skipif(not REAL.exists(), reason="the real label maps are not beside the project")
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_map_is_the_real_one(name: str) -> None:
    real = (REAL / SHARED_NAMES[name]).read_text().splitlines()
    changed = CHANGED.get(name, {})
    assert changed.keys() <= set(real)
    assert list(read_label_map(name)) == [changed.get(label, label) for label in real]


@pytest.mark.skipif(not REAL.exists(), reason="the real annotations are not beside the project")
@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ("kinetics-400_val.csv", "kinetics400"),
        ("kinetics-600_val.csv", "kinetics600"),
        ("kinetics-600_val.csv", "videomaev2-kinetics600"),
    ],
)
def test_every_label_of_the_real_annotations_has_an_id(annotations: str, name: str) -> None:
    labels = {each.label for each in read_file(0, str(REAL / annotations))}
    assert assign_label_ids(labels, name).keys() == labels


@pytest.mark.parametrize("name", ["kinetics710", "videomaev2-kinetics710"])
def test_a_label_that_is_merged_in_kinetics_710_is_named(name: str) -> None:
    with pytest.raises(InputError, match=f'"tying tie" is not in --label_map {name}'):
        assign_label_ids(["abseiling", "tying tie"], name)


@pytest.mark.parametrize("text", ["b\na c\n", "b\r\na c\r\n\r\n", '{"b": 0, "a c": 1}'])
def test_a_file_is_a_class_a_line_or_json(text: str, tmp_path: Path) -> None:
    file = tmp_path / "map"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_label_map(str(file)) == {"b": 0, "a c": 1}


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "no class"),
        ("a\n\nb", "line 2"),
        ("a\nb\na", "'a' is listed twice"),
        ('{"a": 0, "b": 0}', "'a' and 'b' have the same id, 0"),
        ('{"a": "0"}', "'0'"),
        ('{"0": "a"}', "'a'"),
        ('{"a": -1}', "-1"),
        ('{"a": true}', "True"),
        ('{"a": 0', "not valid JSON"),
    ],
)
def test_what_is_no_label_map_is_an_error_that_says_where(text: str, about: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_label_map("the.map", text)
    assert "--label_map the.map" in str(caught.value)
    assert about in str(caught.value)


def test_a_label_that_the_map_lacks_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        assign_label_ids(["passing American football (not in game)"], "kinetics600")
    assert '"passing american football (not in game)"' in str(caught.value)


# From the command line


@pytest.fixture(scope="module")
def subset(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    made = Kinetics(tmp_path_factory.mktemp("subset"))
    one = small_clip()
    made.add("aFirst_000001_000011", "train", "zumba", one)
    made.add("bSecond_000001_000011", "val", "air drumming", one)
    return made.write()


def test_a_subset_under_a_published_map_has_the_published_ids(
    subset: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = subset.prepare(output, "--label_map", "kinetics400")
    assert ended.status == 0, ended.err
    assert lines(output / "train.csv")[0].endswith(" 399")
    assert lines(output / "val.csv")[0].endswith(" 1")
    assert json.loads((output / "label2id.json").read_bytes()) == read_label_map("kinetics400")
    assert not any("label" in warning for warning in summary(output)["warnings"])

    # Ids decide neither bytes nor paths: another map, and no clip is made again.
    file = tmp_path / "map.json"
    file.write_text('{"air drumming": 7, "zumba": 3}')
    assert subset.prepare(output, "--label_map", str(file)).status == 0
    rows = all_rows(output).values()
    assert {row["label"]: row["label_id"] for row in rows} == {"zumba": 3, "air drumming": 7}
    assert {row["status"] for row in rows} == {"reused"}


def test_a_label_map_that_is_not_there_is_one_line(subset: Kinetics, tmp_path: Path) -> None:
    ended = subset.prepare(tmp_path / "output", "--label_map", "kinetics500")
    assert ended.status == 1
    assert "kinetics500" in ended.complaint
    assert ", ".join(PUBLISHED) in ended.complaint


def test_classes_that_are_asked_for_keep_the_ids_they_have_among_all(
    subset: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    assert subset.prepare(output, "--classes", "zumba").status == 0
    assert [row["label"] for row in all_rows(output).values()] == ["zumba"]
    assert lines(output / "train.csv")[0].endswith(" 1")
    assert lines(output / "val.csv") == []
    assert json.loads((output / "label2id.json").read_bytes()) == {"air drumming": 0, "zumba": 1}


def test_a_class_that_is_not_there_is_named_with_the_nearest(
    subset: Kinetics, tmp_path: Path
) -> None:
    ended = subset.prepare(tmp_path / "output", "--classes", "zumba,air_drumming")
    assert ended.status == 1
    assert ended.complaint == (
        '--classes "air_drumming": there is no such class; type "air drumming"'
    )
