"""An output that cannot be written: the run ends soon and plainly, and goes on once it can be."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults.conftest import COUNT, Many
from tests.faults.runs import Run, assert_same, clips, finish, flags, locks, wait_for
from tests.kinetics import Finished, Kinetics, all_rows

Start = Callable[..., Run]

A_MINUTE = 60
"""Seconds within which the contract has a run end whose output cannot be written."""

MIB = 1024**2
BY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def refused(run: Run, named: Path | str) -> Finished:
    """The run ends within a minute, with one line that names what could not be written."""
    ended = run.finished(within=A_MINUTE)
    assert ended.status == 1
    assert "cannot write" in ended.complaint
    assert str(named) in ended.complaint
    assert "run the same command again" in ended.complaint
    assert run.members() == []
    return ended


# A disk that fills


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; the file that does it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


@BY_ROOT
@pytest.mark.parametrize("made", [None, 0, 10, COUNT - 1, COUNT])
def test_a_disk_that_fills_ends_the_run_and_room_lets_it_go_on(
    many: Many, disk: Path, tmp_path: Path, start: Start, made: int | None
) -> None:
    output = disk / "output"
    if made is None:
        ballast = fill(disk)
    run = start(many.flags(output))
    if made is not None:
        wait_for(lambda: locks(output) or run.is_over())
        wait_for(lambda: len(clips(output)) >= made or run.is_over())
        ballast = fill(disk)
    if made == COUNT and run.finished().status == 0:
        assert_same(output, many.undisturbed)  # it was quicker than the test
        return
    assert "make room" in refused(run, output).complaint
    before = clips(output)
    ballast.unlink()
    ended = finish(many.flags(output), tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert before.items() <= clips(output).items()
    assert_same(output, many.undisturbed)


@pytest.mark.parametrize("limit", [2_000, 12_000])
def test_a_limit_on_file_sizes_ends_the_run_and_without_it_the_run_goes_on(
    many: Many, tmp_path: Path, start: Start, limit: int
) -> None:
    """The settings fit and no clip, then clips but in the end not all of their rows."""
    output = tmp_path / "output"
    ended = refused(start(many.flags(output), launcher=limiting(limit)), output)
    assert "raise the limit" in ended.complaint
    before = clips(output)
    assert finish(many.flags(output), tmp_path).status == 0
    assert before.items() <= clips(output).items()
    assert_same(output, many.undisturbed)


def limiting(size: int) -> list[str]:
    return ["prlimit", f"--fsize={size}"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """A clip of noise that is too large for memory, so that a child writes its output."""
    made = Kinetics(tmp_path_factory.mktemp("large"))
    noise = np.random.default_rng(1).integers(0, 256, 160 * 120 * 3 // 2 * 60, np.uint8).tobytes()
    pictures = [noise[at : at + 28_800] for at in range(0, len(noise), 28_800)]
    raw = b"YUV4MPEG2 W160 H120 F25:1 C420jpeg\n"
    content = raw + b"".join(b"FRAME\n" + picture for picture in pictures)
    path = made.add("aLarge_____000001_000011", "train", "zumba", content)
    with path.open("ab") as file:
        for _ in range(65 * MIB // len(content)):
            file.write(content[len(raw) :])
    return made.write()


@BY_ROOT
def test_a_disk_that_fills_under_a_large_clip_ends_the_run_too(
    large: Kinetics, disk: Path, tmp_path: Path, start: Start
) -> None:
    """The child that writes it is told that the disk is full; the clip is not to blame."""
    output = disk / "output"
    arguments = flags(large, output, "--short_edge", "120", "--crf", "1")
    refused(start(arguments), output)
    subprocess.run(["mount", "-o", "remount,size=300m", disk], check=True)
    ended = finish(arguments, tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert {row["status"] for row in all_rows(output).values()} == {"resized"}


def test_a_limit_on_file_sizes_under_a_large_clip_ends_the_run_too(
    large: Kinetics, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    arguments = flags(large, output, "--short_edge", "120", "--crf", "1")
    refused(start(arguments, launcher=limiting(5 * MIB)), output)


# A folder without the right to write


def test_an_output_without_the_right_to_write_is_refused(
    six: Kinetics, nobody: list[str], open_folder: Path, start: Start
) -> None:
    shared = Kinetics(open_folder / "six", six.stated)
    subprocess.run(["cp", "-r", six.root, shared.root], check=True)
    subprocess.run(["chmod", "-R", "a+rX", shared.root], check=True)
    output = open_folder / "output"
    output.mkdir(mode=0o755)
    arguments = flags(shared, output)
    output.chmod(0o555)
    ended = refused(start(arguments, launcher=nobody), output)
    assert "Permission denied" in ended.complaint
    assert "permission to write" in ended.complaint
    output.chmod(0o777)
    assert start(arguments, launcher=nobody).finished().status == 0
    assert len(clips(output)) == 6


@BY_ROOT
def test_a_disk_that_is_read_only_is_refused(
    six: Kinetics, disk: Path, tmp_path: Path, start: Start
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    refused(start(flags(six, disk / "output")), disk / "output")
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert finish(flags(six, disk / "output"), tmp_path).status == 0


@BY_ROOT
@pytest.mark.parametrize("place", ["videos/train/zumba", "_state/*/tmp", "_state/*/rows"])
def test_a_folder_that_turns_unwritable_on_the_way_ends_the_run(
    many: Many, tmp_path: Path, start: Start, place: str
) -> None:
    output = tmp_path / "output"
    run = start(many.flags(output))
    wait_for(lambda: (output / "videos/train/zumba").exists() and len(clips(output)) >= 5)
    folders = list(output.glob(place))
    subprocess.run(["chattr", "+i", *folders], check=True)
    try:
        refused(run, output)
    finally:
        subprocess.run(["chattr", "-i", *folders], check=True)
    before = clips(output)
    assert finish(many.flags(output), tmp_path).status == 0
    assert before.items() <= clips(output).items()
    assert_same(output, many.undisturbed)


@pytest.mark.parametrize("place", ["", "videos", "manifest", "_state", "videos/train"])
def test_a_file_where_a_folder_should_be_is_named(
    six: Kinetics, tmp_path: Path, start: Start, place: str
) -> None:
    wrong = tmp_path / "output" / place
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_bytes(b"a file")
    ended = start(flags(six, tmp_path / "output")).finished(within=A_MINUTE)
    assert ended.status == (1 if place else 2)  # an output that is a file is seen at once
    assert str(wrong) in ended.complaint
    assert wrong.read_bytes() == b"a file"


@pytest.mark.parametrize("place", ["train.csv", "label2id.json", "manifest/val.parquet"])
def test_a_folder_where_a_file_should_be_is_named(
    six: Kinetics, tmp_path: Path, start: Start, place: str
) -> None:
    wrong = tmp_path / "output" / place
    (wrong / "precious").mkdir(parents=True)
    ended = start(flags(six, tmp_path / "output")).finished(within=A_MINUTE)
    assert ended.status == 1
    assert str(wrong) in ended.complaint
    assert (wrong / "precious").is_dir()


# An output that vanishes


@pytest.mark.parametrize("how", ["removed", "renamed"])
@pytest.mark.parametrize("made", [0, 10])
def test_an_output_that_vanishes_ends_the_run_and_the_next_starts_anew(
    many: Many, tmp_path: Path, start: Start, made: int, how: str
) -> None:
    output = tmp_path / "output"
    run = start(many.flags(output))
    wait_for(lambda: locks(output))
    wait_for(lambda: len(clips(output)) >= made)
    if how == "removed":
        subprocess.run(["rm", "-rf", output], check=False, stderr=subprocess.DEVNULL)
    else:
        output.rename(tmp_path / "elsewhere")
    ended = refused(run, output)
    assert "the output folder was removed" in ended.complaint
    if how == "removed":  # rm gives up where a clip comes while it removes a folder
        subprocess.run(["rm", "-rf", output], check=True)
    assert finish(many.flags(output), tmp_path).status == 0
    assert_same(output, many.undisturbed)


# What a power failure leaves: files that are there without what was in them


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("hurt", [emptied, halved])
@pytest.mark.parametrize("place", ["_state/settings.json", "_state/*/rows/*.jsonl"])
def test_a_state_that_lost_what_was_in_it_is_made_good_or_plainly_refused(
    many: Many, killed: Path, tmp_path: Path, hurt: Callable[[Path], None], place: str
) -> None:
    output = tmp_path / "output"
    subprocess.run(["cp", "-r", killed, output], check=True)
    for file in output.glob(place):
        hurt(file)
    ended = finish(many.flags(output), tmp_path)
    if ended.status == 1:
        assert str(output) in ended.complaint
        ended = finish(many.flags(output, "--overwrite", "true"), tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert_same(output, many.undisturbed)


@pytest.mark.parametrize("hurt", [emptied, halved])
@pytest.mark.parametrize("place", ["summary.json", "manifest/train.parquet"])
def test_a_finished_output_that_lost_what_was_in_it_is_made_good_or_plainly_refused(
    six: Kinetics, finished_six: Path, tmp_path: Path, hurt: Callable[[Path], None], place: str
) -> None:
    output = Path(shutil.copytree(finished_six, tmp_path / "output"))
    hurt(output / place)
    ended = finish(flags(six, output), tmp_path)
    if ended.status == 1:
        assert place in ended.complaint
        ended = finish(flags(six, output, "--overwrite", "true"), tmp_path)
    assert (ended.status, ended.err) == (0, "")


# Rows and clips that do not belong together


@BY_ROOT
def test_a_row_whose_clip_never_arrived_does_not_vouch_for_an_older_clip_of_the_same_size(
    six: Kinetics, tmp_path: Path, start: Start
) -> None:
    """x264 writes its settings into the stream, so that --gop 50 and 60 differ in one letter."""
    output, fresh = tmp_path / "output", tmp_path / "fresh"
    assert finish(flags(six, output, "--gop", "50"), tmp_path).status == 0
    assert finish(flags(six, fresh, "--gop", "60"), tmp_path).status == 0
    folders = [path for path in (output / "videos").rglob("*") if path.is_dir()]
    subprocess.run(["chattr", "+i", *folders], check=True)
    try:
        refused(start(flags(six, output, "--gop", "60", "--overwrite", "true")), output)
    finally:
        subprocess.run(["chattr", "-i", *folders], check=True)
    assert finish(flags(six, output, "--gop", "60"), tmp_path).status == 0
    for name in clips(fresh):
        assert (output / name).read_bytes() == (fresh / name).read_bytes(), name
