"""The whole program, from its command line to what is in the output."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import av
import pytest

from tests import trainers
from tests.conftest import Ran, small_clip
from tests.kinetics import (
    ROOT,
    SHORT_EDGE,
    SPLITS,
    Finished,
    Kinetics,
    all_rows,
    check_output,
    command,
    is_listed,
    lines,
    manifest,
    run,
    run_anew,
    snapshot,
    summary,
    table,
    without,
)

BY_WHOM_AND_WHEN = ("status", "seconds")


# One run over everything


def test_everything_annotated_is_accounted_for(ran: Ran) -> None:
    assert ran.ended.status == 0
    check_output(ran.output, ran.kinetics.clip_ids())


@pytest.mark.parametrize(
    ("clip_id", "status", "reason"),
    [
        ("-aLandscap_000104_000114", "resized", None),
        ("bPortrait_0_000000_000010", "resized", None),
        ("cRotated_-__000001_000011", "resized", None),
        ("dVp9_000002_000012", "resized", None),
        ("eMatroska_000003_000013", "resized", None),
        ("fReady_000004_000014", "copied", None),
        ("gMissing_000005_000015", "missing", "no_file"),
        ("hEmpty_000006_000016", "failed", "empty_file"),
        ("iHtml_000007_000017", "failed", "not_a_video"),
        ("jCut_000008_000018", "failed", "truncated"),
        ("kRandom_000009_000019", "failed", "not_a_video"),
        ("lSoundOnly_000010_000020", "failed", "no_video_stream"),
        ("mBareId_000011_000021", "resized", None),
        ("nAmbiguous_000012_000022", "failed", "ambiguous"),
        ("nAmbiguous_000050_000060", "failed", "ambiguous"),
        ("oConflict_000013_000023", "failed", "conflicting_annotations"),
        ("pAgain_000014_000024", "resized", None),
        ("qUnlabelled_000015_000025", "resized", None),
        ("rGone_000016_000026", "missing", "no_file"),
    ],
)
def test_each_kind_of_clip_ends_as_it_should(
    ran: Ran, clip_id: str, status: str, reason: str | None
) -> None:
    row = all_rows(ran.output)[clip_id]
    assert (row["status"], row["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("clip_id", "stored", "made", "codec"),
    [
        ("-aLandscap_000104_000114", (128, 96), (86, 64), "h264"),
        ("bPortrait_0_000000_000010", (96, 128), (64, 86), "h264"),
        ("cRotated_-__000001_000011", (128, 96), (64, 86), "h264"),
        ("dVp9_000002_000012", (128, 96), (86, 64), "vp9"),
        ("fReady_000004_000014", (96, 64), (96, 64), "h264"),
    ],
)
def test_rows_say_what_was_there_and_what_was_made(
    ran: Ran, clip_id: str, stored: tuple[int, int], made: tuple[int, int], codec: str
) -> None:
    row = all_rows(ran.output)[clip_id]
    assert (row["source_width"], row["source_height"]) == stored
    assert (row["width"], row["height"]) == made
    assert row["source_codec"] == codec
    source = Path(row["source"])
    assert source.is_relative_to(ran.kinetics.videos)
    assert source.stem == clip_id
    assert row["source_bytes"] == source.stat().st_size
    assert row["frames"] == 12
    assert row["decode_errors"] == 0
    assert row["seconds"] > 0
    assert row["duration"] == pytest.approx(12 / 25, abs=0.05)
    assert row["fps"] == pytest.approx(25, rel=0.1)


def test_sound_is_kept_where_there_is_some(ran: Ran) -> None:
    heard = {clip_id: row["has_audio"] for clip_id, row in all_rows(ran.output).items()}
    assert heard["-aLandscap_000104_000114"] is True
    assert heard["dVp9_000002_000012"] is True
    assert heard["bPortrait_0_000000_000010"] is False
    assert heard["gMissing_000005_000015"] is None


def test_a_conflict_stands_in_the_split_stated_first_without_a_label(ran: Ran) -> None:
    row = all_rows(ran.output)["oConflict_000013_000023"]
    assert (row["split"], row["label"]) == ("train", None)
    assert "train.json line" in row["detail"]
    assert "val.csv line" in row["detail"]


def test_test_clips_without_labels_are_listed_as_minus_one(ran: Ran) -> None:
    assert lines(ran.output / "test.csv") == [
        f"{ran.output}/videos/test/unlabelled/qUnlabelled_000015_000025.mp4 -1"
    ]


def test_label_ids_are_settled_over_all_annotations(ran: Ran) -> None:
    assert json.loads((ran.output / "label2id.json").read_bytes()) == {
        "air drumming": 0,
        "arm wrestling": 1,
        "passing American football (in game)": 2,
    }


def test_files_that_nobody_annotated_are_counted(ran: Ran) -> None:
    assert summary(ran.output)["unannotated"] == 2
    assert "2 files match no annotation" in ran.ended.out


def test_a_subset_is_warned_about(ran: Ran) -> None:
    warning = summary(ran.output)["warnings"][0]
    assert "3 classes" in warning
    assert warning.split()[-1] in ran.ended.out


def test_a_class_folder_of_clips_without_a_label_is_warned_about(ran: Ran) -> None:
    warning = summary(ran.output)["warnings"][1]
    assert warning.startswith("1 clip has no label and is in folder unlabelled; ")
    assert f"note: {warning}" in ran.ended.out


def test_files_that_are_no_videos_are_counted_and_named_where_clips_are_missing(ran: Ran) -> None:
    assert summary(ran.output)["passed_over"]["suffixes"] == {".md": 1}
    assert "these files were not taken for videos: 1 .md" in ran.ended.out


def test_the_summary_says_how_it_was_made(ran: Ran) -> None:
    said = summary(ran.output)
    assert said["settings"]["short_edge"] == 64
    assert said["settings"]["layout"] == "class"
    assert said["versions"]["av"] == av.__version__
    assert {"python", "apache_beam", "ffmpeg", "beam_pipeline"} <= set(said["versions"])


def test_the_table_at_the_end_shows_the_counts(ran: Ran) -> None:
    shown = {words[0]: words[1:] for words in map(str.split, ran.ended.out.splitlines()) if words}
    assert shown["split"] == ["annotated", "resized", "copied", "missing", "failed"]
    total = summary(ran.output)["total"]
    assert shown["total"] == [str(total[name]) for name in shown["split"]]
    assert set(SPLITS) <= set(shown)
    for reason, count in summary(ran.output)["reasons"].items():
        assert f"{count} failed: {reason}" in ran.ended.out
    assert str(ran.output) in ran.ended.out


def test_nothing_else_is_said(ran: Ran) -> None:
    assert ran.ended.err == ""


def test_each_trainer_reads_the_paths_and_ids_of_the_manifest(ran: Ran) -> None:
    for split in SPLITS:
        expected = [
            trainers.Sample(str(ran.output / row["path"]), row["label_id"])
            for row in manifest(ran.output, split)
            if is_listed(row)
        ]
        file = ran.output / f"{split}.csv"
        assert expected
        for read in (
            trainers.slowfast, trainers.pytorchvideo, trainers.mmaction2, trainers.videomae
        ):  # fmt: skip
            assert read(file) == expected
        assert all(Path(sample.path).is_file() for sample in trainers.slowfast(file))


def test_sources_are_only_read(ran: Ran) -> None:
    assert snapshot(ran.kinetics.root) == ran.before


def test_missing_clips_can_be_fetched_by_the_table_of_them(ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    source = ran.kinetics.videos / "val" / "pAgain_000014_000024.mp4"
    shutil.copy(source, tmp_path / "videos" / "gMissing_000005_000015.mp4")
    ended = run(
        "--annotations", str(ran.output / "missing.csv"), "--videos", str(tmp_path / "videos"),
        "--output", str(tmp_path / "output"), "--short_edge=64",
    )  # fmt: skip
    assert ended.status == 0
    check_output(
        tmp_path / "output",
        {"train": ["gMissing_000005_000015"], "val": [], "test": ["rGone_000016_000026"]},
    )
    assert lines(tmp_path / "output" / "train.csv") == [
        f"{tmp_path}/output/videos/train/arm_wrestling/gMissing_000005_000015.mp4 0"
    ]
    assert lines(tmp_path / "output" / "val.csv") == []


def test_tables_of_missing_and_failed_clips_have_every_column(ran: Ran) -> None:
    columns = list(manifest(ran.output, "train")[0])
    for name in ("missing", "failed", "damaged"):
        with (ran.output / f"{name}.csv").open() as file:
            header = next(csv.reader(file))
        assert header[:7] == ["clip_id", "split", "label", "status", "reason", "detail", "source"]
        assert sorted(header) == sorted(columns)


# The same again, told otherwise


@pytest.fixture(scope="module")
def ran_alone(all_kinds: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same job with one worker, --flag=value and a runner and prefix by name."""
    output = tmp_path_factory.mktemp("ran_alone") / "output"
    before = snapshot(all_kinds.root)
    ended = all_kinds.prepare(
        output, "--workers=1", "--runner=DirectRunner", "--path_prefix=/data/kinetics/",
        "--max_failure_ratio=0.9",
    )  # fmt: skip
    return Ran(all_kinds, output, ended, before)


def test_another_runner_name_prefix_and_number_of_workers_are_as_correct(ran_alone: Ran) -> None:
    assert ran_alone.ended.status == 0
    assert ran_alone.ended.err == ""
    check_output(ran_alone.output, ran_alone.kinetics.clip_ids(), prefix="/data/kinetics/")


def test_workers_and_runner_change_no_byte_and_no_row(ran: Ran, ran_alone: Ran) -> None:
    def clips(output: Path) -> dict[str, str]:
        return {
            str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in output.rglob("*.mp4")
        }

    assert clips(ran.output) == clips(ran_alone.output)
    rows, alone = all_rows(ran.output), all_rows(ran_alone.output)
    assert {name: without(row, "seconds") for name, row in rows.items()} == {
        name: without(row, "seconds") for name, row in alone.items()
    }


def test_two_labs_with_the_same_clips_have_the_same_fingerprints(ran: Ran, ran_alone: Ran) -> None:
    one, other = summary(ran.output), summary(ran_alone.output)
    for name in ("fingerprint", "membership_fingerprint"):
        assert one[name] == other[name]


def test_mmaction2_puts_its_prefix_before_relative_paths(few: Kinetics, tmp_path: Path) -> None:
    ended = few.prepare(
        tmp_path / "output", "--path_prefix", "", "--layout", "flat", "--audio", "drop",
        "--separator", ",",
    )  # fmt: skip
    assert ended.status == 0
    check_output(tmp_path / "output", few.clip_ids(), prefix="", layout="flat", separator=",")
    assert lines(tmp_path / "output" / "train.csv") == ["videos/train/aTrain_000001_000011.mp4,0"]
    assert {row["has_audio"] for row in all_rows(tmp_path / "output").values()} == {False, None}
    file = tmp_path / "output" / "train.csv"
    (sample,) = trainers.mmaction2(file, data_prefix=str(tmp_path / "output"), delimiter=",")
    assert Path(sample.path).is_file()
    assert trainers.slowfast(file, separator=",") == trainers.videomae(file, delimiter=",")


def test_splits_that_are_not_asked_for_keep_their_files(few: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "output"
    first = few.prepare(output, "--splits", "train", "test")
    assert first.status == 0
    check_output(output, few.clip_ids(), asked=("train", "test"))
    before = snapshot(output)
    second = few.prepare(output, "--splits=val")
    assert second.status == 0
    check_output(output, few.clip_ids(), asked=("val",), there=SPLITS)
    after = snapshot(output)
    kept = {name for name in before if "train" in name or "test" in name}
    assert len(kept) == 6
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert [row["clip_id"] for row in table(output / "failed.csv")] == ["dBroken_000004_000014"]


@pytest.fixture(scope="module")
def prepared(few: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output of the few, which nobody changes."""
    output = tmp_path_factory.mktemp("prepared") / "output"
    assert few.prepare(output).status == 0
    check_output(output, few.clip_ids())
    return output


def test_a_changed_clip_changes_the_fingerprint_but_not_who_is_in(
    few: Kinetics, prepared: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(few.videos, changed)
    (changed / "val" / "bVal_000002_000012.mp4").write_bytes(small_clip(frames=6))
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(changed),
        "--output", str(tmp_path / "after"), "--short_edge", "64",
    )  # fmt: skip
    assert ended.status == 0
    check_output(tmp_path / "after", few.clip_ids())
    before, after = summary(prepared), summary(tmp_path / "after")
    assert before["fingerprint"] != after["fingerprint"]
    assert before["membership_fingerprint"] == after["membership_fingerprint"]


def test_a_run_over_its_own_output_writes_nothing(ran: Ran) -> None:
    before = snapshot(ran.output)
    ended = ran.kinetics.prepare(ran.output, "--workers", "3", "--max_failure_ratio=0.9")
    assert ended.status == 0
    assert snapshot(ran.output) == before


# Where videos may be


def test_a_clip_that_had_to_be_made_again_is_not_said_to_have_been_there(
    few: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    few.prepare(output)
    next((output / "videos" / "val").rglob("*.mp4")).unlink()
    ended = few.prepare(output)
    assert ended.status == 0
    assert "nothing was written" not in ended.out
    assert "nothing was written" in few.prepare(output).out


def test_a_run_that_ended_before_its_first_clip_binds_no_other_to_its_settings(
    few: Kinetics, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    assert few.prepare(output, "--classes", "zumbaa").status == 1
    assert few.prepare(output, "--crf", "30").status == 0
    ended = few.prepare(output, "--crf", "31")
    assert ended.status == 1
    assert "type --crf 30 to continue" in ended.complaint


def test_clips_of_which_nobody_knows_the_settings_are_made_again(
    few: Kinetics, tmp_path: Path
) -> None:
    """An --overwrite that is killed between the summary and the manifests leaves this."""
    output, fresh = tmp_path / "output", tmp_path / "fresh"
    few.prepare(output, "--crf", "22")
    (output / "summary.json").unlink()
    (output / "_state").mkdir()
    (output / "_state" / "settings.json").write_text("{}")
    assert few.prepare(output, "--crf", "40").status == 0
    few.prepare(fresh, "--crf", "40")
    assert summary(output)["fingerprint"] == summary(fresh)["fingerprint"]


def test_a_reader_of_the_table_who_leaves_early_sees_no_traceback(
    few: Kinetics, tmp_path: Path
) -> None:
    asked = ("--videos", few.videos, "--output", tmp_path / "output")
    flags = map(str, ("--annotations", few.annotations, *asked, "--short_edge", SHORT_EDGE))
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command(*flags), cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode == -signal.SIGPIPE


def test_folders_globs_files_and_listings_are_searched_in_the_order_given(
    tmp_path: Path, one_clip: bytes
) -> None:
    made = Kinetics(tmp_path / "kinetics")
    names = [f"{letter}_000001_000011" for letter in "abcdefg"]
    for name in names:
        made.add(name, "val", "zumba")
    made.write()
    longer = small_clip(frames=20)
    places = {
        "folder/x/y/a_000001_000011.mp4": one_clip,
        "globbed/one/b_000001_000011.mp4": one_clip,
        "globbed/two/c_000001_000011.MOV": one_clip,
        "single/d.mp4": one_clip,
        "listed/e_000001_000011.mp4": one_clip,
        "folder/f_000001_000011.mp4": b"the better rank, but broken",
        "single/f_000001_000011.mp4": longer,
        "folder/z/g.mp4": longer,
        "globbed/one/g_000001_000011.mp4": one_clip,
    }
    for place, content in places.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "list.txt").write_text(
        f"listed/e_000001_000011.mp4\r\n{tmp_path}/single/f_000001_000011.mp4\n\n"
    )
    output = tmp_path / "folder" / "output"  # below a videos folder
    ended = run(
        "--annotations", str(made.annotations), "--output", str(output), "--short_edge=64",
        "--videos", str(tmp_path / "folder"), str(tmp_path / "globbed" / "*"),
        f"--videos={tmp_path}/single/d.mp4,{tmp_path}/list.txt",
    )  # fmt: skip
    assert ended.status == 0
    check_output(output, made.clip_ids())
    sources = {
        row["youtube_id"]: str(Path(row["source"]).relative_to(tmp_path))
        for row in manifest(output, "val")
    }
    assert sources == {
        "a": "folder/x/y/a_000001_000011.mp4",
        "b": "globbed/one/b_000001_000011.mp4",
        "c": "globbed/two/c_000001_000011.MOV",
        "d": "single/d.mp4",
        "e": "listed/e_000001_000011.mp4",
        "f": "single/f_000001_000011.mp4",
        "g": "folder/z/g.mp4",
    }
    assert summary(output)["unannotated"] == 0


def test_a_name_that_is_not_utf_8_costs_no_other_clip(
    few: Kinetics, one_clip: bytes, tmp_path: Path
) -> None:
    for name in (b"stranger-\xff.mp4", b"folder-\xff"):
        path = Path(tmp_path / "videos" / Path(str(name, "utf-8", "surrogateescape")))
        path.parent.mkdir(exist_ok=True)
        if path.suffix:
            path.write_bytes(one_clip)
        else:
            path.mkdir()
            (path / "bVal_000002_000012.mp4").write_bytes(one_clip)
    (tmp_path / "videos" / "aTrain_000001_000011.mp4").write_bytes(one_clip)
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(tmp_path / "videos"),
        "--output", str(tmp_path / "output"), "--short_edge=64",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    check_output(tmp_path / "output", few.clip_ids())
    assert all_rows(tmp_path / "output")["aTrain_000001_000011"]["status"] == "resized"


# Where a run cannot do its work: status 1 and one line


def test_too_many_failures_end_with_status_1_and_the_outputs_kept(
    few: Kinetics, tmp_path: Path
) -> None:
    ended = few.prepare(tmp_path / "output", "--max_failure_ratio", "0.2")
    assert ended.status == 1
    assert "25%" in ended.complaint
    assert "--max_failure_ratio 0.2" in ended.complaint
    assert f"{tmp_path}/output/failed.csv" in ended.complaint
    check_output(tmp_path / "output", few.clip_ids())


def refused(few: Kinetics, output: Path, *flags: str) -> Finished:
    """A run that ends with status 1; flags may replace those of the data set."""
    inputs = [] if "--annotations" in flags else ["--annotations", str(few.annotations)]
    inputs += [] if "--videos" in flags else ["--videos", str(few.videos)]
    ended = run(*inputs, "--output", str(output), "--short_edge=64", *flags)
    assert ended.status == 1
    assert not (output / "summary.json").exists()
    return ended


@pytest.mark.parametrize("flag", ["--videos", "--annotations"])
def test_a_missing_folder_is_named(few: Kinetics, tmp_path: Path, flag: str) -> None:
    said = refused(few, tmp_path / "output", flag, str(tmp_path / "nowhere")).complaint
    assert f"{flag} {tmp_path}/nowhere" in said


def test_a_folder_without_videos_is_named(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    said = refused(few, tmp_path / "output", "--videos", str(tmp_path / "bare")).complaint
    assert f"{tmp_path}/bare" in said


def test_a_row_that_cannot_be_read_is_named(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("label,youtube_id,time_start,time_end\nzumba,abc,9,3\n")
    said = refused(few, tmp_path / "output", "--annotations", str(tmp_path / "val.csv")).complaint
    assert said.startswith(f"{tmp_path}/val.csv line 2: ")


def test_labels_that_share_a_folder_are_named(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text(
        "label,youtube_id,time_start,time_end\nair drumming,abc,1,3\nair_drumming,def,1,3\n"
    )
    said = refused(few, tmp_path / "output", "--annotations", str(tmp_path / "val.csv")).complaint
    assert '"air drumming"' in said
    assert '"air_drumming"' in said


def test_a_label_with_the_separator_in_it_names_the_flag(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text(
        'label,youtube_id,time_start,time_end\n"sword, fighting",abc,1,3\n'
    )
    said = refused(
        few, tmp_path / "output", "--annotations", str(tmp_path / "val.csv"), "--separator=,"
    ).complaint
    assert "sword,_fighting" in said
    assert "--separator" in said


def test_an_output_that_is_a_file_is_named(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    ended = few.prepare(tmp_path / "taken")
    assert ended.status == 2
    assert f"--output {tmp_path}/taken is a file; type --output FOLDER" in ended.complaint
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("flag", ["--videos", "--annotations"])
def test_an_address_of_an_unknown_kind_is_one_line(
    few: Kinetics, tmp_path: Path, flag: str
) -> None:
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(few.videos),
        "--output", str(tmp_path / "output"), flag, "nope://bucket/kinetics",
    )  # fmt: skip
    assert ended.status in (1, 2)
    assert "nope://" in ended.complaint


def test_an_unknown_runner_is_one_line(few: Kinetics, tmp_path: Path) -> None:
    ended = few.prepare(tmp_path / "output", "--runner", "NoSuchRunner")
    assert ended.status in (1, 2)
    assert "NoSuchRunner" in ended.complaint
    assert not (tmp_path / "output").exists()


def test_a_wrong_command_line_ends_with_status_2_before_anything_is_read(tmp_path: Path) -> None:
    ended = run_anew(
        "--annotations", "nowhere", "--videos", "nowhere", "--output", str(tmp_path / "output"),
        "--short_edge", "255",
    )  # fmt: skip
    assert ended.status == 2
    assert "255 is odd; type 256" in ended.complaint
    assert ended.out == ""
    assert not (tmp_path / "output").exists()


def test_a_clip_is_cut_out_of_the_whole_video(tmp_path: Path) -> None:
    kinetics = Kinetics(tmp_path / "long")
    five_seconds = small_clip(frames=5, rate=1)
    kinetics.add("aWhole_000001_000003", "train", "zumba", five_seconds, name="aWhole")
    kinetics.add("bLonger_000001_000003", "train", "zumba", five_seconds)
    kinetics.add("cClip_000001_000004", "train", "zumba", five_seconds, name="cClip")
    kinetics.add("dLate_000100_000102", "train", "zumba", five_seconds, name="dLate")
    kinetics.write().prepare(tmp_path / "output")
    rows = all_rows(tmp_path / "output")
    assert rows["aWhole_000001_000003"]["frames"] == 2
    assert rows["aWhole_000001_000003"]["source_duration"] == 5.0
    assert rows["bLonger_000001_000003"]["frames"] == 5
    assert rows["cClip_000001_000004"]["frames"] == 5
    assert rows["dLate_000100_000102"]["reason"] == "outside_video"
    check_output(tmp_path / "output", kinetics.clip_ids())


def test_a_whole_video_too_large_for_memory_is_cut(tmp_path: Path) -> None:
    kinetics = Kinetics(tmp_path / "long")
    whole = small_clip(frames=100, rate=5) + b"\0" * 65 * 1024**2  # no box: padding
    kinetics.add("aWhole_000010_000013", "train", "zumba", whole, name="aWhole")
    kinetics.write().prepare(tmp_path / "output")
    row = all_rows(tmp_path / "output")["aWhole_000010_000013"]
    assert (row["status"], row["frames"], row["source_duration"]) == ("resized", 15, 20.0)


def test_rate_and_shape_of_the_clips_can_be_chosen(
    few: Kinetics, prepared: Path, tmp_path: Path
) -> None:
    few.prepare(tmp_path / "output", "--fps", "10", "--upscale=false", "--short_edge=512")
    row = all_rows(tmp_path / "output")["aTrain_000001_000011"]
    assert (row["fps"], row["frames"]) == (10.0, 5)  # of 12 at 25 a second
    assert (row["width"], row["height"]) == (128, 96)
    ended = few.prepare(tmp_path / "output", "--short_edge=512", "--square_pixels")
    assert ended.status == 1
    assert "type --fps 10 and type --upscale false and type --square_pixels false" in (
        ended.complaint
    )
    ended = few.prepare(prepared, "--fps=30")
    assert "leave out --fps to continue" in ended.complaint


def test_a_summary_of_others_is_named_and_stays(few: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "summary.json").write_bytes(b"[1]")
    ended = few.prepare(tmp_path / "output")
    assert ended.status == 1
    assert "summary.json is no file of this program" in ended.complaint
    assert (tmp_path / "output" / "summary.json").read_bytes() == b"[1]"


def test_an_address_in_a_listing_that_nothing_opens_costs_its_clip_alone(
    few: Kinetics, tmp_path: Path
) -> None:
    listing = tmp_path / "videos.txt"
    listing.write_text(
        f"nope://bucket/aTrain_000001_000011.mp4\n{few.videos}/val/bVal_000002_000012.mp4\n"
    )
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(listing),
        "--output", str(tmp_path / "output"), "--short_edge=64",
    )  # fmt: skip
    assert ended.status == 0, ended.err
    rows = all_rows(tmp_path / "output")
    assert rows["aTrain_000001_000011"]["reason"] == "unreadable"
    assert rows["bVal_000002_000012"]["status"] == "resized"
