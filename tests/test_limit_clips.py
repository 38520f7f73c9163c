"""A trial on the first clips."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.elements import Annotation
from beam_pipeline.plan.limit_clips import LimitClips
from tests.conftest import small_clip
from tests.kinetics import Kinetics, all_rows, configured, on_beam, snapshot

STATED = [
    Annotation(youtube_id, 1, 11, label, split, (0, "f", line))
    for line, (youtube_id, label, split) in enumerate(
        [
            ("d", "zumba", "train"), ("b", "abseiling", "val"), ("a", "zumba", "test"),
            ("c", "zumba", "train"), ("b", "abseiling", "val"),
        ]
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "last"),
    [
        ((), None),
        (("--limit", "1"), "a_000001_000011"),
        (("--limit", "3"), "c_000001_000011"),
        (("--limit", "9"), "d_000001_000011"),
        (("--limit", "2", "--splits", "train,val"), "c_000001_000011"),
        (("--limit", "2", "--classes", "zumba"), "c_000001_000011"),
        (("--limit", "2", "--classes", "knitting"), ""),
    ],
)
def test_the_last_clip_of_a_trial_is_the_nth_that_is_asked_for(
    flags: tuple[str, ...], last: str | None
) -> None:
    with on_beam() as pipeline:
        found = (
            pipeline
            | beam.Create(STATED).with_output_types(Annotation)
            | LimitClips(configured(*flags))
        )
        assert_that(found, equal_to([last]))


def test_a_trial_makes_the_first_clips_and_the_whole_run_goes_on_from_there(
    tmp_path: Path,
) -> None:
    made = Kinetics(tmp_path / "kinetics")
    one = small_clip()
    for letter, split in zip("abcd", ("train", "val", "train", "val"), strict=True):
        made.add(f"{letter}Clip_000001_000011", split, "zumba", one)
    made.write()
    output = tmp_path / "output"
    assert made.prepare(output, "--limit", "3").status == 0
    assert sorted(all_rows(output)) == [f"{letter}Clip_000001_000011" for letter in "abc"]
    trial = snapshot(output / "videos")
    assert len(trial) == 3
    assert made.prepare(output).status == 0
    assert len(all_rows(output)) == 4
    assert trial.items() <= snapshot(output / "videos").items()
