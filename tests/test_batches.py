"""Elements in bulk."""

import pickle
import random

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline import batches
from beam_pipeline.batches import batch_by_key, unpack
from beam_pipeline.elements import Row, Video
from tests.kinetics import on_beam

VIDEOS = [Video(f"/v/{number}.mp4", number % 3, number) for number in range(100)]


@pytest.mark.parametrize("held", [1, 7, 100, 50_000])
def test_every_element_meets_those_of_its_key_however_many_are_held(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_HELD", held)
    expected = [(rank, [v for v in VIDEOS if v.rank == rank]) for rank in range(3)]
    with on_beam() as pipeline:
        met = (
            pipeline
            | beam.Create(VIDEOS)
            | batch_by_key(int, lambda video: video.rank)
            | beam.GroupByKey()
            | beam.MapTuple(
                lambda rank, packed: (rank, sorted(unpack(Video, packed), key=lambda v: v.size))
            )
        )
        assert_that(met, equal_to(expected))


def test_no_more_is_held_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_HELD", 10)
    with on_beam() as pipeline:
        sizes = (
            pipeline
            | beam.Create([VIDEOS])
            | beam.FlatMap(iter).with_output_types(Video)
            | batch_by_key(int, lambda video: 0)
            | beam.MapTuple(lambda _, packed: len(list(unpack(Video, [packed]))))
        )
        assert_that(sizes, equal_to([10] * 10))


def test_what_many_elements_share_is_packed_once() -> None:
    fn = batches._BatchByKey(lambda video: 0)
    sizes = []
    for count in (1, 100):
        fn.start_bundle()
        path = random.Random(7).randbytes(1000).hex()  # which no compression makes small
        for number in range(count):
            fn.process(Video(path, number, number))
        ((_, packed),) = fn._packed()
        sizes.append(len(packed))
    assert sizes[1] < 2 * sizes[0]


def test_a_batch_takes_less_than_half_of_its_elements() -> None:
    rows = [
        Row(f"{number:011d}_000001_000011", None, "val", "zumba", "missing", "no_file")
        for number in range(1000)
    ]
    packed = batches.pack([tuple(row) for row in rows])
    assert len(packed) < len(pickle.dumps([tuple(row) for row in rows], protocol=5)) / 2
    assert list(unpack(Row, [packed, packed])) == rows * 2


def test_a_batch_may_be_empty() -> None:
    assert list(unpack(Row, [batches.pack([])])) == []
