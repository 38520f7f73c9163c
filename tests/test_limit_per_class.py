"""A sample of each class, the same in every lab."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam import pvalue
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.elements import Annotation, Clip
from beam_pipeline.errors import UsageError
from beam_pipeline.plan.sample_clips import SampleClips, class_key, is_sampled, rank_of
from tests.conftest import small_clip
from tests.kinetics import Kinetics, all_rows, configured, on_beam, run, summary

LABEL_IDS = {"archery": 0, "zumba": 1}


def stated(name: str, label: str | None, split="train", line: int = 1) -> Annotation:
    return Annotation(name, 1, 11, label, split, (0, "f", line, 0))


def clip_id(name: str) -> str:
    return f"{name}_000001_000011"


def lowest(names: Iterable[str], count: int, seed: int = 0) -> list[str]:
    """The clips that are to be chosen of these, by the documented rule."""
    order = [
        (hashlib.sha256(f"{seed} {clip_id(name)}".encode()).hexdigest(), clip_id(name))
        for name in names
    ]
    return [clip for _, clip in sorted(order)[:count]]


STATED = [
    *(stated(name, "zumba") for name in "abcdefgh"),
    *(stated(name, "archery") for name in "ij"),
    *(stated(name, "zumba", "val") for name in "klmno"),
    *(stated(name, None, "test") for name in "pqrst"),
    # Once more, without its label: of the class all the same, and counted once.
    stated("a", None, line=2),
    # Of no class, as two are stated.
    stated("u", "zumba"), stated("u", "archery", line=2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ("--limit_per_class=3",),
            [*lowest("abcdefgh", 3), *lowest("ij", 3), *lowest("klmno", 3), *lowest("pqrst", 3)],
        ),
        (
            ("--limit_per_class=2", "--seed=7", "--splits=train,val"),
            [*lowest("abcdefgh", 2, 7), *lowest("ij", 2, 7), *lowest("klmno", 2, 7)],
        ),
        (("--limit_per_class=4", "--classes=archery"), lowest("ij", 2)),
    ],
)
def test_of_each_class_in_each_split_the_clips_of_lowest_rank_are_chosen(
    flags: tuple[str, ...], expected: list[str]
) -> None:
    with on_beam() as pipeline:
        label_ids = pvalue.AsSingleton(pipeline | "Ids" >> beam.Create([LABEL_IDS]))
        sample = (
            pipeline
            | beam.Create(STATED).with_output_types(Annotation)
            | SampleClips(configured(*flags), label_ids)
        )
        assert_that(sample.clip_ids, equal_to(expected))


def test_a_clip_is_in_the_sample_up_to_the_last_rank_of_its_class() -> None:
    clips = [Clip(clip_id(name), name, 1, 11, "val", "zumba", 1) for name in "abc"]
    ranks = sorted(rank_of(clip.clip_id, 5) for clip in clips)
    last = {class_key(clips[0]): ranks[1]}
    assert sum(is_sampled(clip, 5, last) for clip in clips) == 2
    assert not is_sampled(clips[0]._replace(label=None), 5, last)
    assert not is_sampled(clips[0]._replace(split="train"), 5, last)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--limit_per_class=0",), "'0' is not a whole number from 1"),
        (("--seed=7",), "no --limit_per_class or --list_format webdataset, so --seed"),
        (("--limit_per_class=2", "--seed=-1"), "'-1' is not a whole number from 0"),
    ],
)
def test_what_is_no_sample_is_refused(flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configured(*flags)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """Two classes of five clips in train, one of them in val; one has no file."""
    made = Kinetics(tmp_path_factory.mktemp("kinetics"))
    clip = small_clip(frames=3)
    for letter in "abcde":
        made.add(clip_id(letter), "train", "zumba", None if letter == GONE else clip)
        made.add(clip_id(letter.upper()), "train", "archery", clip)
        made.add(clip_id(f"v{letter}"), "val", "zumba", clip)
    return made.write()


GONE = lowest("abcde", 1)[0][0]
SAMPLE = [*lowest("abcde", 2), *lowest("ABCDE", 2), *lowest(["va", "vb", "vc", "vd", "ve"], 2)]


def test_a_run_prepares_the_sample_and_what_has_no_file_is_missing(
    classes: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = classes.prepare(output, "--limit_per_class=2")
    assert ended.status == 0, ended.err
    rows = all_rows(output)
    assert sorted(rows) == sorted(SAMPLE)
    assert rows[clip_id(GONE)]["status"] == "missing"
    counts = Counter((row["split"], row["label"]) for row in rows.values())
    assert set(counts.values()) == {2}
    said = summary(output)["settings"]
    assert (said["limit_per_class"], said["seed"]) == (2, 0)
    # The first of the sample, by --limit: they are there already, but the output would shrink.
    ended = classes.prepare(output, "--limit_per_class=2", "--limit=3")
    assert ended.status == 1
    assert "not within --classes, --limit and --limit_per_class" in ended.complaint
    ended = classes.prepare(output, "--limit_per_class=2", "--limit=3", "--shrink")
    assert sorted(all_rows(output)) == sorted(SAMPLE)[:3]


def test_parts_share_the_sample(classes: Kinetics, tmp_path: Path) -> None:
    output, made = tmp_path / "output", []
    for part in ("1/2", "2/2"):
        ended = classes.prepare(output, "--limit_per_class=2", f"--shard={part}")
        assert ended.status == 0, ended.err
        clips = {path.stem for path in (output / "videos").rglob("*.mp4")}
        made.append(clips.difference(*made))
    assert made[0] | made[1] == {*SAMPLE} - {clip_id(GONE)}
    assert all(made)
    assert classes.prepare(output, "--limit_per_class=2").status == 0
    assert {row["status"] for row in all_rows(output).values()} == {"reused", "missing"}


def test_a_sample_of_videos_without_annotations_is_refused(tmp_path: Path) -> None:
    ended = run("--videos", str(tmp_path), "--output", str(tmp_path / "o"), "--limit_per_class=1")
    assert ended.status == 2
    assert "there are no --annotations, so --limit_per_class would do nothing" in ended.complaint
