"""Clips of excluded YouTube ids are left out, and have a row that says so."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam import pvalue
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.annotations.read_files import read_file
from beam_pipeline.elements import Annotation, Archive, Clip, ResizeTask, Row, Split, Video
from beam_pipeline.errors import InputError, UsageError
from beam_pipeline.plan.exclude_clips import (
    EXCLUDED,
    excluded_row,
    first_statements,
    read_excluded,
)
from beam_pipeline.plan.match_clips import KINDS, ROWS, TASKS, WANTED, MatchClips
from beam_pipeline.plan.wanted_clips import RECORD
from beam_pipeline.results.ratios import failure_ratio, missing_ratio
from tests.conftest import small_clip
from tests.kinetics import (
    Finished,
    Kinetics,
    all_rows,
    check_output,
    configured,
    lines,
    on_beam,
    run,
    snapshot,
    summary,
)

COUNTS = {"resized": 3, "copied": 0, "reused": 0, "listed": 0}


def stated(
    youtube_id: str, place: tuple[int, str, int, int], start: int = 1, split: Split | None = None
) -> Annotation:
    return Annotation(youtube_id, start, start + 10, "zumba", split, place)


def test_the_first_place_that_excludes_a_video_is_named() -> None:
    places = [(1, "a.csv", 2, 0), (0, "z.csv", 9, 0), (0, "z.csv", 30, 0)]
    first = first_statements(stated("one", place) for place in places)
    assert {key: each.place for key, each in first.items()} == {("one", None): places[1]}
    clip = Clip("one_000005_000015", "one", 5, 15, "train", "yoga", 3)
    row = excluded_row(clip, first, ("train",))
    assert row == Row.of(clip, "excluded", detail="its YouTube id is in z.csv line 9")


@pytest.mark.parametrize(
    ("youtube_id", "split", "is_left_out"),
    [("one", "train", True), ("one", "val", True), ("one", "test", False), ("two", "val", False)],
)
def test_only_the_asked_splits_are_thinned(youtube_id: str, split, is_left_out: bool) -> None:
    clip = Clip(f"{youtube_id}_000005_000015", youtube_id, 5, 15, split, "yoga", 3)
    excluded = first_statements([stated("one", (0, "z.csv", 9, 0))])
    assert (excluded_row(clip, excluded, ("train", "val")) is not None) == is_left_out


def test_what_an_output_excludes_is_left_out_of_that_split_alone() -> None:
    first = first_statements([stated("one", (0, "o/manifest/train.parquet", 9, 0), split="train")])
    clip = Clip("one_000005_000015", "one", 5, 15, "train", "yoga", 3)
    detail = "its YouTube id is excluded in o/manifest/train.parquet row 9"
    assert excluded_row(clip, first, ()) == Row.of(clip, "excluded", detail=detail)
    assert excluded_row(clip._replace(split="val"), first, ("val",)) is None


@pytest.mark.parametrize(
    ("missing", "excluded", "failed", "of_missing", "of_failed"),
    [(0, 0, 1, 0, 1 / 4), (1, 0, 1, 1 / 5, 1 / 4), (1, 95, 1, 1 / 5, 1 / 4)],
)
def test_excluded_clips_are_in_neither_ratio(
    missing: int, excluded: int, failed: int, of_missing: float, of_failed: float
) -> None:
    counts = {**COUNTS, "missing": missing, "excluded": excluded, "failed": failed}
    assert missing_ratio(counts) == of_missing
    assert failure_ratio(counts) == of_failed


def test_nothing_but_excluded_clips_is_no_failure() -> None:
    counts = {**dict.fromkeys(COUNTS, 0), "missing": 0, "excluded": 3, "failed": 0}
    assert (missing_ratio(counts), failure_ratio(counts)) == (0, 0)


def test_an_excluded_clip_is_neither_made_nor_looked_for_in_archives() -> None:
    clips = [Annotation(name, 1, 11, "zumba", "train", (0, "f", 1, 0)) for name in ("one", "two")]
    config = configured("--exclude_annotations", "/x")
    inputs = dict.fromkeys(KINDS, ()) | {
        "annotations": clips,
        "videos": [Video(f"/v/{clip.clip_id}.mp4", 0, 1) for clip in clips],
        EXCLUDED: [stated("one", (0, "x.csv", 2, 0), start=50)],
    }
    with on_beam() as pipeline:
        planned = {
            name: pipeline
            | f"Create {name}"
            >> beam.Create(list(elements)).with_output_types(
                KINDS["annotations" if name == EXCLUDED else name][0]
            )
            for name, elements in inputs.items()
        } | MatchClips(
            config,
            *(
                pvalue.AsSingleton(pipeline | f"Side {number}" >> beam.Create([value]))
                for number, value in enumerate(
                    ({"zumba": 0}, 2, None, [Archive("/a.tar", 1, 5)], {})
                )
            ),
        )
        assert_that(
            planned[TASKS] | beam.Map(_id_of_task), equal_to(["two_000001_000011"]), "tasks"
        )
        rows = planned[ROWS] | beam.Map(lambda row: (row.clip_id, row.status, row.detail))
        because = "its YouTube id is in x.csv line 2"
        assert_that(rows, equal_to([("one_000001_000011", "excluded", because)]), "rows")
        flags = planned[WANTED] | beam.FlatMap(_wanted_flags)
        assert_that(flags, equal_to([0, 1]), "wanted")


def _id_of_task(task: ResizeTask) -> str:
    return task.clip.clip_id


def _wanted_flags(records: bytes) -> list[int]:
    import numpy as np

    return [int(flags) & 1 for flags in np.frombuffer(records, RECORD)["flags"]]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--exclude_from", "val"), "no --exclude_annotations, so --exclude_from would do nothing"),
        (("--exclude_annotations=/x", "--exclude_from=dev"), "--exclude_from dev: type one or mo"),
        (("--exclude_annotations=/x", "--exclude_from=,"), "--exclude_from is empty"),
        (("--exclude_annotations=,",), "--exclude_annotations is empty"),
        (("--exclude_annotations=nope://x/y",), "--exclude_annotations nope://x/y: "),
        (
            ("--exclude_annotations=/x", "--splits=val"),
            "of train alone.*type --exclude_from val, or",
        ),
    ],
)
def test_what_would_exclude_nothing_is_refused(flags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configured(*flags)


# The command

LEAVES, STAYS, VAL = (
    "aLeaves____000001_000011",
    "bStays_____000002_000012",
    "cVal_______000003_000013",
)
BROKEN, CLASS = "dBroken____000004_000014", "eArchery___000005_000015"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """Training clips of which some are excluded, one of them broken, one the only of its class."""
    made = Kinetics(tmp_path_factory.mktemp("kinetics"))
    clip = small_clip()
    made.add(LEAVES, "train", "zumba", clip)
    made.add(STAYS, "train", "zumba", clip)
    made.add(BROKEN, "train", "zumba", b"broken")
    made.add(CLASS, "train", "archery", clip)
    made.add(VAL, "val", "zumba", clip)
    made.write()
    # Other segments of these videos, as in another data set, and a video of val.
    benchmark = ["youtube_id,time_start,time_end,split"]
    benchmark += [f"{clip.rsplit('_', 2)[0]},70,80,test" for clip in (LEAVES, BROKEN, CLASS, VAL)]
    (made.root / "benchmark.csv").write_text("\n".join(benchmark) + "\n")
    return made


@pytest.fixture(scope="module")
def excluding(
    labelled: Kinetics, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Finished]:
    """An output without what the benchmark has, which nobody changes, and how the run ended."""
    output = tmp_path_factory.mktemp("excluding") / "output"
    benchmark = str(labelled.root / "benchmark.csv")
    return output, labelled.prepare(output, "--exclude_annotations", benchmark)


def test_excluded_clips_have_rows_and_stand_in_no_list(
    labelled: Kinetics, excluding: tuple[Path, Finished]
) -> None:
    output, ended = excluding
    excluded = str(labelled.root / "benchmark.csv")
    assert ended.status == 0, ended.err
    check_output(output, labelled.clip_ids())
    rows = all_rows(output)
    assert {clip_id: row["status"] for clip_id, row in rows.items()} == {
        LEAVES: "excluded", BROKEN: "excluded", CLASS: "excluded", STAYS: "resized", VAL: "resized",
    }  # fmt: skip
    assert rows[CLASS]["label_id"] == 0
    assert rows[STAYS]["label_id"] == 1
    assert rows[BROKEN]["detail"] == f"its YouTube id is in {excluded} line 3"
    said = summary(output)
    assert said["total"]["excluded"] == 3
    assert (said["failure_ratio"], said["missing_ratio"]) == (0, 0)
    assert said["inputs"]["exclude_annotations"] == [excluded]
    assert "excluded" in ended.out
    before = snapshot(output)
    assert "nothing was written" in labelled.prepare(output, "--exclude_annotations", excluded).out
    assert snapshot(output) == before
    counted = run("stats", str(output), "--csv").out.splitlines()
    assert counted[0].startswith("split,listed,missing,excluded,failed,")
    assert counted[1].startswith("train,1,0,3,0,")
    assert run("verify", str(output)).status == 0


def test_a_clip_that_is_excluded_later_leaves_the_lists_and_its_file_stays(
    labelled: Kinetics, tmp_path: Path
) -> None:
    output, excluded = tmp_path / "output", str(labelled.root / "benchmark.csv")
    failing = "--max_failure_ratio=0.9"
    assert labelled.prepare(output, failing).status == 0
    clips = snapshot(output / "videos")
    assert len(clips) == 4
    flags = ("--exclude_annotations", excluded, "--exclude_from", "train,val")
    ended = labelled.prepare(output, *flags)
    assert ended.status == 0, ended.err
    assert "train: 2 listed before, now left out by --exclude_annotations; files stay" in ended.out
    assert [line.split("/")[-1] for line in lines(output / "train.csv")] == [f"{STAYS}.mp4 1"]
    assert lines(output / "val.csv") == []
    assert snapshot(output / "videos") == clips
    ended = run("verify", "--quick", str(output))
    assert ended.status == 0
    assert ended.out.count(".mp4: its clip is excluded; it is left alone") == 3
    assert "no row names it" not in ended.out
    assert labelled.prepare(output, failing).status == 0
    check_output(output, labelled.clip_ids())
    assert snapshot(output / "videos").keys() == clips.keys()


def test_what_excludes_nothing_is_noted_and_what_is_no_annotation_file_ends_the_run(
    labelled: Kinetics, tmp_path: Path
) -> None:
    other, gone = tmp_path / "other_val.csv", str(tmp_path / "gone.csv")
    other.write_text("youtube_id,time_start,time_end\nnobody_____,1,11\n")
    flags = ("--resize=false", "--max_failure_ratio=0.9", "--exclude_annotations")
    ended = labelled.prepare(tmp_path / "output", *flags, str(other))
    assert ended.status == 0
    assert "--exclude_annotations excludes no clip" in ended.out
    ended = labelled.prepare(tmp_path / "other", *flags, gone)
    assert ended.status == 1
    assert ended.complaint == f"--exclude_annotations {gone}: there is no such file or folder"


def test_a_file_needs_no_splits_to_exclude_its_youtube_ids(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.csv"
    path.write_text("youtube_id,time_start,time_end,split\none,1,11,\ntwo,1,11,holdout\n")
    found = list(read_excluded(0, str(path)))
    assert [(each.youtube_id, each.split) for each in found] == [("one", None), ("two", None)]
    with pytest.raises(InputError, match="no split in the row"):
        list(read_file(0, str(path)))


def test_the_listed_clips_of_a_finished_output_can_be_excluded(
    labelled: Kinetics, excluding: tuple[Path, Finished], tmp_path: Path
) -> None:
    output, other = tmp_path / "output", excluding[0]
    ended = labelled.prepare(output, "--max_failure_ratio=0.9", "--exclude_annotations", str(other))
    assert ended.status == 0, ended.err
    rows = all_rows(output)
    assert {clip_id for clip_id, row in rows.items() if row["status"] == "excluded"} == {STAYS}
    assert rows[STAYS]["detail"] == f"its YouTube id is in {other}/manifest/train.parquet line 2"
