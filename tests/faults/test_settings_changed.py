"""Other settings, other annotations, or other files in the output than the last run left."""

import shutil
from pathlib import Path

import pytest

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.errors import InputError
from tests.faults.conftest import COUNT, Many, add_clips
from tests.faults.runs import (
    Run,
    assert_same,
    clips,
    files,
    finish,
    flags,
    result,
    wait_for,
)
from tests.kinetics import Kinetics, all_rows, configured, lines, summary

# Settings that decide bytes or paths: flag, what the killed run had, what is asked for then.
THAT_MATTER = [
    ("short_edge", "64", "62"),
    ("preset", "slower", "ultrafast"),
    ("crf", "23", "24"),
    ("gop", "40", "41"),
    ("tune", "psnr", "none"),
    ("coder", "cavlc", "cabac"),
    ("audio", "keep", "drop"),
    ("layout", "class", "flat"),
]
THAT_DO_NOT_MATTER = (
    "--workers", "1", "--clip_timeout", "1000", "--max_failure_ratio", "0.1",
    "--splits", "test,val,train", "--overwrite", "false",
)  # fmt: skip


@pytest.fixture
def half_done(killed: Path, tmp_path: Path) -> Path:
    """A copy of an output whose run was killed half-way."""
    return Path(shutil.copytree(killed, tmp_path / "output"))


# Settings


@pytest.mark.parametrize(("name", "had", "asked"), THAT_MATTER)
def test_a_setting_that_matters_is_refused_and_nothing_is_touched(
    many: Many, killed: Path, name: str, had: str, asked: str
) -> None:
    before = files(killed)
    with pytest.raises(InputError) as refused:
        list(prepare_output(configured(*many.flags(killed, f"--{name}", asked))))
    assert f"--{name} {had} (now {asked})" in str(refused.value)
    assert "--overwrite" in str(refused.value)
    assert files(killed) == before


def test_every_setting_that_differs_is_named_in_one_line_and_nothing_is_touched(
    many: Many, killed: Path, tmp_path: Path
) -> None:
    before = files(killed)
    others = [word for name, _, asked in THAT_MATTER for word in (f"--{name}", asked)]
    ended = finish(many.flags(killed, *others), tmp_path)
    assert ended.status == 1
    for name, had, asked in THAT_MATTER:
        assert f"--{name} {had} (now {asked})" in ended.complaint
    assert "--overwrite" in ended.complaint
    assert ended.out == ""
    assert files(killed) == before


def test_settings_that_do_not_matter_go_on_with_the_clips_that_are_there(
    many: Many, half_done: Path, tmp_path: Path
) -> None:
    made = clips(half_done)
    ended = finish(many.flags(half_done, *THAT_DO_NOT_MATTER), tmp_path)
    assert ended.status == 0, ended.err
    assert made.items() <= clips(half_done).items(), "encoded again"
    assert_same(half_done, many.undisturbed)


def test_other_lines_in_the_lists_go_on_with_the_clips_that_are_there(
    many: Many, half_done: Path, tmp_path: Path
) -> None:
    made = clips(half_done)
    ended = finish(many.flags(half_done, "--path_prefix", "/mnt", "--separator", ","), tmp_path)
    assert ended.status == 0, ended.err
    assert made.items() <= clips(half_done).items(), "encoded again"
    for split in ("train", "val", "test"):
        usual = many.undisturbed["lists"][f"{split}.csv"].decode().splitlines()
        asked = [f"/mnt/{line.replace(' ', ',')}" for line in usual]
        assert lines(half_done / f"{split}.csv") == asked != []
    others = {part: what for part, what in many.undisturbed.items() if part != "lists"}
    assert_same(half_done, others)


def test_a_finished_output_takes_settings_that_do_not_matter_without_new_clips(
    six: Kinetics, finished_six: Path, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(finished_six, tmp_path / "output"))
    made = clips(output)
    more = ("--path_prefix", "/mnt", "--separator", ",")
    ended = finish(flags(six, output, *THAT_DO_NOT_MATTER, *more), tmp_path)
    assert ended.status == 0, ended.err
    assert clips(output) == made


@pytest.mark.parametrize("name", ["crf", "layout"])
def test_a_finished_output_refuses_settings_that_matter(
    six: Kinetics, finished_six: Path, tmp_path: Path, name: str
) -> None:
    output = Path(shutil.copytree(finished_six, tmp_path / "output"))
    before = files(output)
    asked = {"crf": "30", "layout": "flat"}[name]
    ended = finish(flags(six, output, f"--{name}", asked), tmp_path)
    assert ended.status == 1
    assert f"--{name}" in ended.complaint
    assert files(output) == before


# --overwrite


def test_overwrite_makes_everything_again_after_a_kill(
    many: Many, half_done: Path, tmp_path: Path
) -> None:
    before = clips(half_done)
    assert finish(many.flags(half_done, "--overwrite", "true"), tmp_path).status == 0
    after = clips(half_done)
    assert all(after[name] != about for name, about in before.items())
    assert_same(half_done, many.undisturbed)


def test_overwrite_takes_other_settings_over_a_finished_output(
    six: Kinetics, finished_six: Path, tmp_path: Path
) -> None:
    fresh, output = tmp_path / "fresh", tmp_path / "output"
    other = ("--crf", "40", "--audio", "drop")
    assert finish(flags(six, fresh, *other), tmp_path).status == 0
    shutil.copytree(finished_six, output)
    before = clips(output)
    assert finish(flags(six, output, *other, "--overwrite=true"), tmp_path).status == 0
    assert not before.items() & clips(output).items()
    assert_same(output, result(fresh))


def test_an_overwrite_that_was_killed_is_finished_without_the_flag(
    many: Many, tmp_path: Path
) -> None:
    output = Path(shutil.copytree(many.finished, tmp_path / "output"))
    before = clips(output)
    with Run(many.flags(output, "--overwrite", "true"), tmp_path) as run:
        wait_for(lambda: len(before.items() - clips(output).items()) >= 10 or run.is_over())
        run.kill()
    killed_at = clips(output)
    again = {name: about for name, about in killed_at.items() if before[name] != about}
    assert 10 <= len(again) < COUNT
    assert finish(many.flags(output), tmp_path).status == 0
    assert again.items() <= clips(output).items()
    assert_same(output, many.undisturbed)


# Annotations


def annotated(root: Path, videos: Path, label: str, split: str) -> Kinetics:
    """One clip, stated with a label and a split, beside another that stays as it is."""
    made = Kinetics(root)
    made.add("aMoved_____000001_000011", split, label)
    made.add("bStays_____000001_000011", "train", "zumba")
    made.write()
    shutil.rmtree(made.videos)
    shutil.copytree(videos, made.videos)
    return made


@pytest.mark.parametrize(
    ("label", "split", "path"),
    [
        ("yoga", "train", "videos/train/yoga/aMoved_____000001_000011.mp4"),
        ("zumba", "val", "videos/val/zumba/aMoved_____000001_000011.mp4"),
    ],
)
def test_a_clip_with_another_label_or_split_than_before_is_at_its_new_path(
    small_clip: bytes, tmp_path: Path, label: str, split: str, path: str
) -> None:
    videos, output = tmp_path / "videos", tmp_path / "output"
    videos.mkdir()
    for name in ("aMoved", "bStays"):
        (videos / f"{name}_____000001_000011.mp4").write_bytes(small_clip)
    first = annotated(tmp_path / "first", videos, "zumba", "train")
    then = annotated(tmp_path / "then", videos, label, split)
    assert finish(flags(first, output), tmp_path).status == 0
    before = clips(output)

    assert finish(flags(then, output), tmp_path).status == 0

    row = all_rows(output)["aMoved_____000001_000011"]
    assert (row["label"], row["split"], row["path"]) == (label, split, path)
    assert (output / path).stat().st_size == row["bytes"]
    assert f"{path} {row['label_id']}" in lines(output / f"{split}.csv")
    stays = "videos/train/zumba/bStays_____000001_000011.mp4"
    assert clips(output)[stays] == before[stays]
    assert sum(summary(output)["splits"][name]["annotated"] for name in ("train", "val")) == 2


def test_a_clip_with_another_label_id_than_before_is_not_made_again(
    small_clip: bytes, tmp_path: Path
) -> None:
    """A class more in the annotations moves the ids of those behind it, not their clips."""
    made, output = Kinetics(tmp_path / "made"), tmp_path / "output"
    made.add("aZumba_____000001_000011", "train", "zumba", small_clip)
    made.write()
    assert finish(flags(made, output), tmp_path).status == 0
    before = clips(output)
    assert lines(output / "train.csv")[0].endswith(" 0")
    shutil.rmtree(made.annotations)
    made.add("bYoga______000001_000011", "val", "yoga", small_clip)
    made.write()
    assert finish(flags(made, output), tmp_path).status == 0
    assert lines(output / "train.csv")[0].endswith(" 1")
    assert before.items() <= clips(output).items()


# Files in the output


def cut_short(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[:-1])


def replaced(clip: Path) -> None:
    clip.write_bytes(b"another one" * 100_000)


def emptied(clip: Path) -> None:
    clip.write_bytes(b"")


@pytest.mark.parametrize("state", ["killed", "finished"])
def test_clips_that_somebody_has_hurt_are_made_again_and_no_others(
    many: Many, killed: Path, tmp_path: Path, state: str
) -> None:
    was = {"killed": killed, "finished": many.finished}[state]
    output = Path(shutil.copytree(was, tmp_path / "output"))
    before = clips(output)
    hurts = (cut_short, replaced, emptied, Path.unlink)
    victims, others = sorted(before)[: len(hurts)], sorted(before)[len(hurts) :]
    for hurt, victim in zip(hurts, victims, strict=True):
        hurt(output / victim)
    assert finish(many.flags(output), tmp_path).status == 0
    after = clips(output)
    assert all(after[name] != before[name] for name in victims)
    assert others
    assert all(after[name] == before[name] for name in others)
    assert_same(output, many.undisturbed)


def test_a_second_run_with_one_more_source_makes_just_that_clip(
    small_clip: bytes, tmp_path: Path
) -> None:
    made, output = Kinetics(tmp_path / "made"), tmp_path / "output"
    add_clips(made, 6, small_clip)
    late = made.add("late_______000001_000011", "val", "zumba")
    made.write()
    assert finish(flags(made, output), tmp_path).status == 0
    assert all_rows(output)["late_______000001_000011"]["status"] == "missing"
    before = clips(output)
    late.write_bytes(small_clip)
    assert finish(flags(made, output), tmp_path).status == 0
    after = clips(output)
    assert before.items() <= after.items()
    assert set(after) - set(before) == {"videos/val/zumba/late_______000001_000011.mp4"}
    assert lines(output / "missing.csv")[1:] == []
