"""Class ids and class folders."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.annotations.assign_label_ids import (
    AssignLabelIds,
    CollectClasses,
    assign_label_ids,
    check_torchvision_ids,
)
from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.classes import class_folder
from beam_pipeline.results.warnings import label_id_warnings
from tests.kinetics import SHARED, on_beam

REAL = SHARED / "annotations"


@pytest.mark.skipif(
    not REAL.exists(), reason="the real annotation files are not beside the project"
)
@pytest.mark.parametrize(
    ("annotations", "published"),
    [
        ("kinetics-400_val.csv", "label_map_k400.txt"),
        ("kinetics-600_val.csv", "label_map_k600.txt"),
    ],
)
def test_ids_of_the_real_annotations_are_the_published_ones(
    annotations: str, published: str
) -> None:
    statements = read_file(0, str(REAL / annotations))
    names = Path(REAL / published).read_text().splitlines()
    assert assign_label_ids(s.label for s in statements) == {
        name: number for number, name in enumerate(names)
    }


@pytest.mark.skipif(
    not REAL.exists(), reason="the real annotation files are not beside the project"
)
@pytest.mark.parametrize(
    "published", ["label_map_k400.txt", "label_map_k600.txt", "label_map_k700.txt"]
)
def test_real_classes_have_safe_folders_that_sort_like_their_ids(published: str) -> None:
    names = Path(REAL / published).read_text().splitlines()
    folders = [class_folder(name) for name in assign_label_ids(names)]
    assert folders == sorted(folders)
    assert not any(" " in folder for folder in folders)


def test_ids_follow_the_original_names_not_the_order_of_annotations() -> None:
    assert assign_label_ids(["zumba", "abseiling", "Ärobic", "zumba"]) == {
        "abseiling": 0,
        "zumba": 1,
        "Ärobic": 2,
    }


def test_a_class_keeps_everything_but_spaces_in_its_folder() -> None:
    assert (
        class_folder("passing American football (in game)") == "passing_American_football_(in_game)"
    )
    assert class_folder("massaging person's head") == "massaging_person's_head"
    assert class_folder(None) == "unlabelled"


@pytest.mark.parametrize(
    "label",
    ["a/b", "..", "../up", "a..b", ".", "a\\b", "tab\there", "line\nfeed", "\x7f", "line\x85end",
     "long" * 100],
)  # fmt: skip
def test_a_label_that_cannot_be_a_folder_is_an_error(label: str) -> None:
    with pytest.raises(InputError, match="folder"):
        assign_label_ids(["abseiling", label])


@pytest.mark.parametrize(("one", "other"), [("air drumming", "air_drumming"), ("a  b", "a _b")])
def test_two_labels_with_one_folder_are_an_error_that_names_both(one: str, other: str) -> None:
    with pytest.raises(InputError) as caught:
        assign_label_ids([one, other])
    assert f'"{" ".join(one.split())}"' in str(caught.value)
    assert f'"{other}"' in str(caught.value)


def test_a_class_cannot_take_the_folder_of_clips_without_a_label() -> None:
    with pytest.raises(InputError, match="unlabelled"):
        assign_label_ids(["unlabelled"])


@pytest.mark.parametrize("count", [400, 600, 700])
def test_official_class_counts_need_no_warning(count: int) -> None:
    assert label_id_warnings({str(number): number for number in range(count)}, None) == []


@pytest.mark.parametrize("count", [0, 1, 399, 401, 710])
def test_other_class_counts_are_said_to_be_of_this_subset(count: int) -> None:
    ids = {str(number): number for number in range(count)}
    (warning,) = label_id_warnings(ids, None)
    assert str(count) in warning
    assert label_id_warnings(ids, "kinetics400") == []


@given(st.sets(st.text("abc (',&-", min_size=1).filter(lambda label: label != "unlabelled")))
def test_ids_count_up_in_sorted_order(labels: set[str]) -> None:
    ids = assign_label_ids(labels)
    assert list(ids) == sorted(labels)
    assert list(ids.values()) == list(range(len(labels)))
    assert len({class_folder(label) for label in ids}) == len(ids)


def test_ids_that_torchvision_would_not_give_are_an_error_that_says_why() -> None:
    check_torchvision_ids({"a c": 0, "b": 1}, "val")
    with pytest.raises(InputError, match="id 0 instead of 1, because the class with id 0 has no"):
        check_torchvision_ids({"a c": 1, "b": 2}, "val")
    with pytest.raises(InputError, match="the label map numbers the classes in another order"):
        check_torchvision_ids({"a c": 1, "b": 0}, "val")


@pytest.mark.parametrize("stated", [["b", "a", None, "b"], [None], []])
def test_beam_settles_ids_over_all_annotations(stated: list[str | None]) -> None:
    labels = sorted({label for label in stated if label})
    annotations = [
        Annotation("abc", n, n + 10, label, "val", (0, "f", n)) for n, label in enumerate(stated)
    ]
    with on_beam() as pipeline:
        made = (
            pipeline
            | beam.Create(annotations, reshuffle=False).with_output_types(Annotation)
            | CollectClasses()
            | AssignLabelIds(None, None)
        )
        assert_that(made, equal_to([{label: number for number, label in enumerate(labels)}]))
