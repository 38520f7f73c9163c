"""What crosses the stages survives the crossing."""

import apache_beam as beam
import pytest
from apache_beam import coders
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.elements import Annotation, Clip, ResizeTask, Row, Video
from tests.kinetics import COLUMN_TYPES, on_beam

ELEMENTS = (Annotation, Video, Clip, ResizeTask, Row)

PLACE = (0, "f.csv", 2, 0)

st.register_type_strategy(float, st.floats(allow_nan=False))  # NaN is not equal to itself


@pytest.mark.parametrize("element_type", ELEMENTS)
@given(st.data())
def test_every_element_survives_its_coder(element_type: type, data: st.DataObject) -> None:
    element = data.draw(st.from_type(element_type))
    coder = coders.registry.get_coder(element_type)
    again = coder.decode(coder.encode(element))
    assert again == element
    assert type(again) is element_type


def test_an_element_takes_less_than_a_pickle_of_it() -> None:
    video = Video("/videos/val/abseiling/0wR5jVB-WPk_000417_000427.mp4", 0, 1_234_567)
    compact = coders.registry.get_coder(Video).encode(video)
    assert len(compact) < len(coders.PickleCoder().encode(video))


@pytest.mark.parametrize("element_type", ELEMENTS)
def test_elements_cannot_be_changed(element_type: type) -> None:
    element = element_type(*element_type._fields)
    with pytest.raises(AttributeError):
        setattr(element, element_type._fields[0], "changed")


def test_the_manifest_has_the_columns_of_the_contract() -> None:
    assert set(Row._fields) == set(COLUMN_TYPES)


def test_a_clip_id_has_times_of_six_digits_or_more() -> None:
    assert Annotation("a_b", 7, 17, None, "val", PLACE).clip_id == "a_b_000007_000017"
    assert Annotation("a", 999_999, 1_000_009, None, "val", PLACE).clip_id == "a_999999_1000009"


def test_a_row_takes_over_what_is_known_of_the_clip() -> None:
    clip = Clip("abc_000007_000017", "abc", 7, 17, "val", "zumba", 3)
    row = Row.of(clip, "failed", reason="timeout")
    assert (row.clip_id, row.youtube_id, row.split, row.label, row.label_id) == (
        "abc_000007_000017", "abc", "val", "zumba", 3,
    )  # fmt: skip
    assert (row.time_start, row.time_end, row.reason) == (7.0, 17.0, "timeout")


def test_elements_cross_a_shuffle_unchanged() -> None:
    made = [
        Annotation("abc", 1, 11, None, "val", (0, "f", 2)),
        Annotation("abc", 1, 11, "zumba", "train", (1, "f", 3)),
    ]
    with on_beam() as pipeline:
        shuffled = pipeline | beam.Create(made).with_output_types(Annotation) | beam.Reshuffle()
        assert_that(shuffled, equal_to(made))
