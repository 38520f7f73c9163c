"""Sources that cannot be read, or are not any more what the listing said."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import COUNT, add_clips
from tests.faults.runs import Run, clips, finish, flags, wait_for
from tests.kinetics import Kinetics, all_rows, check_output
from tests.make_clips import Sound, clip

Start = Callable[..., Run]
BAD, GOOD = "aBad_______000001_000011", "bGood______000001_000011"


@pytest.fixture
def two(tmp_path: Path, small_clip: bytes) -> Kinetics:
    """A good clip, and one whose file each test makes in its own way."""
    made = Kinetics(tmp_path / "two")
    made.add(BAD, "train", "zumba")
    made.add(GOOD, "train", "zumba", small_clip)
    return made.write()


def bad_file(two: Kinetics) -> Path:
    return two.videos / "train" / f"{BAD}.mp4"


def rows_of(two: Kinetics, output: Path, *more: str, **how: object) -> dict:
    """Run; whatever the bad one is, the good one is made and the run ends well."""
    arguments = flags(two, output, "--max_failure_ratio", "1", *more)
    with Run(arguments, output.parent, fork_codecs=not how, **how) as run:
        ended = run.finished()
    assert (ended.status, ended.err) == (0, "")
    check_output(output, two.clip_ids(), prefix="", short_edge=32)
    rows = all_rows(output)
    assert rows[GOOD]["status"] == "resized"
    return rows


# Not readable


def test_a_folder_with_a_clip_s_name_is_no_file(two: Kinetics, tmp_path: Path) -> None:
    bad_file(two).mkdir()
    row = rows_of(two, tmp_path / "output")[BAD]
    assert row["status"] == "missing" or row["reason"] == "unreadable"


def test_a_link_to_nowhere_is_unreadable(two: Kinetics, tmp_path: Path) -> None:
    bad_file(two).symlink_to(tmp_path / "nowhere.mp4")
    row = rows_of(two, tmp_path / "output")[BAD]
    assert (row["status"], row["reason"]) == ("failed", "unreadable")
    assert row["source"] == str(bad_file(two))


def test_a_link_to_itself_is_unreadable(two: Kinetics, tmp_path: Path) -> None:
    bad_file(two).symlink_to(bad_file(two))
    row = rows_of(two, tmp_path / "output")[BAD]
    assert (row["status"], row["reason"]) == ("failed", "unreadable")


def test_a_link_to_a_clip_is_that_clip(two: Kinetics, tmp_path: Path, small_clip: bytes) -> None:
    (tmp_path / "elsewhere").write_bytes(small_clip)
    bad_file(two).symlink_to(tmp_path / "elsewhere")
    assert rows_of(two, tmp_path / "output")[BAD]["status"] == "resized"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, endless])
def test_what_is_no_file_but_named_as_a_clip_does_not_stop_the_run(
    two: Kinetics, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """To read a pipe would wait for ever, to read a device never end."""
    make(bad_file(two))
    arguments = flags(two, tmp_path / "output", "--max_failure_ratio", "1")
    with Run(arguments, tmp_path, launcher=["prlimit", f"--as={8 * 1024**3}"]) as run:
        ended = run.finished(within=60)
    assert (ended.status, ended.err) == (0, "")
    row = all_rows(tmp_path / "output")[BAD]
    assert row["status"] == "missing" or row["reason"] == "unreadable"


def test_a_file_without_the_right_to_read_it_is_unreadable(
    nobody: list[str], open_folder: Path, small_clip: bytes
) -> None:
    two = Kinetics(open_folder / "two")
    bad = two.add(BAD, "train", "zumba", small_clip)
    two.add(GOOD, "train", "zumba", small_clip)
    two.write()
    bad.chmod(0)
    (open_folder / "output").mkdir()
    (open_folder / "output").chmod(0o777)
    row = rows_of(two, open_folder / "output", launcher=nobody)[BAD]
    assert (row["status"], row["reason"]) == ("failed", "unreadable")
    assert "ermission denied" in row["detail"]


def test_a_listing_that_names_files_that_are_not_there_costs_just_those(
    two: Kinetics, tmp_path: Path
) -> None:
    listing = tmp_path / "clips.txt"
    listing.write_text(f"{tmp_path}/gone/{BAD}.mp4\n{two.videos}/train/{GOOD}.mp4\n")
    row = rows_of(two, tmp_path / "output", "--videos", str(listing))[BAD]
    assert (row["status"], row["reason"]) == ("failed", "unreadable")
    assert row["source"] == f"{tmp_path}/gone/{BAD}.mp4"
    assert row["detail"]


# Several candidates


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", None])
def test_of_several_files_the_next_is_taken_where_the_best_is_broken(
    two: Kinetics, tmp_path: Path, small_clip: bytes, content: bytes | None
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    if content is None:
        (first / f"{BAD}.mp4").symlink_to(tmp_path / "nowhere")
    else:
        (first / f"{BAD}.mp4").write_bytes(content)
    (second / f"{BAD}.mp4").write_bytes(small_clip)
    given = ("--videos", f"{first},{two.videos},{second}")
    row = rows_of(two, tmp_path / "output", *given)[BAD]
    assert (row["status"], row["reason"]) == ("resized", None)
    assert row["source"] == str(second / f"{BAD}.mp4")
    assert row["source_bytes"] == len(small_clip)


def test_of_several_broken_files_the_best_one_s_reason_is_told(
    two: Kinetics, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, content in ((first, b""), (second, b"<!DOCTYPE html>")):
        folder.mkdir()
        (folder / f"{BAD}.mp4").write_bytes(content)
    given = ("--videos", f"{first},{second},{two.videos}")
    row = rows_of(two, tmp_path / "output", *given)[BAD]
    assert (row["status"], row["reason"]) == ("failed", "empty_file")
    assert row["source"] == str(first / f"{BAD}.mp4")


# Changed on the way


@pytest.fixture
def slow(tmp_path: Path) -> Kinetics:
    """Clips that are made one after the other while the test changes their files."""
    made = Kinetics(tmp_path / "slow")
    add_clips(made, COUNT, clip(size=(128, 96), frames=15, sounds=[Sound(seconds=0.6)]))
    return made.write()


def amid_the_work(slow: Kinetics, output: Path, start: Start) -> tuple[Run, list[Path]]:
    """A run that has made a few clips, and the sources of those it has not made yet."""
    work = ("--workers", "1", "--preset", "slower", "--short_edge", "64")
    run = start(flags(slow, output, *work, "--max_failure_ratio", "1"))
    wait_for(lambda: len(clips(output)) >= 5 or run.is_over())
    made = {Path(name).name for name in clips(output)}
    return run, [path for path in slow.videos.rglob("*.mp4") if path.name not in made]


def test_a_source_that_another_replaces_on_the_way_is_made_of_what_was_read(
    slow: Kinetics, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    other = clip(size=(96, 128), frames=12)
    (tmp_path / "spare").mkdir()
    old = {path.stat().st_size for path in slow.videos.rglob("*.mp4")}
    run, waiting = amid_the_work(slow, output, start)
    for path in waiting:
        spare = tmp_path / "spare" / path.name
        spare.write_bytes(other)
        spare.replace(path)
    ended = run.finished()
    assert (ended.status, ended.err) == (0, "")
    check_output(output, slow.clip_ids(), prefix="", short_edge=64)
    seen = {(row["source_bytes"], row["frames"]) for row in all_rows(output).values()}
    assert seen == {*((size, 15) for size in old), (len(other), 12)}


def test_a_source_that_vanishes_on_the_way_is_unreadable_and_made_once_it_is_back(
    slow: Kinetics, tmp_path: Path, start: Start
) -> None:
    output, content = tmp_path / "output", next(slow.videos.rglob("*.mp4")).read_bytes()
    run, waiting = amid_the_work(slow, output, start)
    for path in waiting:
        path.unlink()
    ended = run.finished()
    assert (ended.status, ended.err) == (0, "")
    check_output(output, slow.clip_ids(), prefix="", short_edge=64)
    rows = all_rows(output).values()
    gone = [row for row in rows if row["status"] == "failed"]
    assert gone
    assert {row["reason"] for row in gone} == {"unreadable"}
    assert all(row["detail"] and row["source"] for row in gone)
    made = clips(output)
    for path in waiting:
        path.write_bytes(content)
    work = ("--workers", "2", "--preset", "slower", "--short_edge", "64")
    assert finish(flags(slow, output, *work), tmp_path).status == 0
    assert made.items() <= clips(output).items()
    assert len(clips(output)) == COUNT


def test_a_source_that_vanishes_on_the_way_is_taken_from_the_next_place(
    slow: Kinetics, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    second = Path(shutil.copytree(slow.videos, tmp_path / "second"))
    work = ("--workers", "1", "--preset", "slower", "--short_edge", "64")
    run = start(flags(slow, output, *work, "--videos", f"{slow.videos},{second}"))
    wait_for(lambda: len(clips(output)) >= 5 or run.is_over())
    shutil.rmtree(slow.videos)
    ended = run.finished()
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(output).values()
    assert {row["status"] for row in rows} == {"resized"}
    assert any(row["source"].startswith(f"{second}/") for row in rows)
