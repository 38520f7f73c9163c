"""Power cuts: the disk as it is at a moment, without what the system has not written to it yet.

The output lies in a file system in an image file, and the image on an XFS, which can copy a file
in one step. The copy at a moment is what a disk holds when the power goes: what the file system
has sent to it, and nothing of what is still in memory. Then the copy is mounted, like a disk after
a restart.
"""

import functools
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.faults.runs import Run, assert_same, clips, finish, flags, result, wait_for
from tests.kinetics import Kinetics, all_rows, is_listed, lines
from tests.make_clips import Sound, clip

FILE_SYSTEMS = {
    "ext4": ("", "noauto_da_alloc", "data=writeback,noauto_da_alloc,nobarrier", "commit=1"),
    "xfs": ("", "logbsize=256k"),
    "btrfs": ("", "noflushoncommit,commit=1", "nobarrier", "nodatacow"),
}
"""File systems, and the options that each is mounted with: its usual ones first."""

IMAGE = 512 * 1024**2
COUNT = 24
AFTER_THE_END = 1.0
"""Seconds after its end from which on what a run has made has to stay."""


class CannotMountError(Exception):
    """The file system cannot be mounted here, or not with these options."""


def check_power_cut(filesystem: str, options: str, seed: int) -> str:
    """Cut the power at a random moment of a run, or a second after it; go on with the next one.

    Returns:
        When the power was cut, and what was there then.

    Raises:
        CannotMountError: nothing was tried.
        AssertionError: something was lost; the message has the seed.
    """
    made, undisturbed = _data_set()
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return _check(filesystem, options, chance, made, undisturbed, Path(folder))
        except (AssertionError, OSError, ValueError) as error:  # a file is not there, or not JSON
            where = f"{filesystem} with {options or 'its usual options'}, seed {seed}"
            raise AssertionError(f"{where}: {error}") from error


def _check(
    filesystem: str, options: str, chance: random.Random, made: Kinetics, undisturbed: Any,
    folder: Path,
) -> str:  # fmt: skip
    with _copying(folder) as images:
        disk, cut = images / "disk.img", images / "cut.img"
        _make(filesystem, disk)
        with _mounted(filesystem, options, disk, folder / "before") as mounted:
            output = mounted / "output"
            with Run(_flags(made, output), folder / "said") as run, _metadata_written(mounted):
                moment = _wait_for_a_moment(chance, run, output)
                _copy(disk, cut)
                over = run.is_over()
                status = run.process.returncode if over else None
                run.kill()
        if filesystem == "btrfs":
            _call("btrfs", "device", "scan", "--forget")  # or the copy is taken for the same disk
        disk.unlink()
        with _mounted(filesystem, options, cut, folder / "after") as mounted:
            output = mounted / "output"
            _check_clips(output)
            there = len(clips(output)) if output.exists() else 0
            if moment == "after the end":
                assert status == 0, "the run failed"
                assert_same(output, undisturbed)
                _check_lists(output)
            ended = finish(_flags(made, output), folder / "said")
            assert (ended.status, ended.err) == (0, "")
            assert_same(output, undisturbed)
            _check_lists(output)
    return f"{moment}: {there} of {COUNT} clips"


def _check_clips(output: Path) -> None:
    """Every clip has what an undisturbed run put into it: none is torn."""
    _, undisturbed = _data_set()
    for name in clips(output):
        assert (output / name).read_bytes() == undisturbed["clips"][name], f"{name} is torn"


def _check_lists(output: Path) -> None:
    rows = all_rows(output).values()
    listed = [row for row in rows if is_listed(row)]
    for row in listed:
        assert sha256((output / row["path"]).read_bytes()).hexdigest() == row["sha256"], row["path"]
    named = [line for split in ("train", "val", "test") for line in lines(output / f"{split}.csv")]
    assert len(named) == len(listed) == COUNT


def _wait_for_a_moment(chance: random.Random, run: Run, output: Path) -> str:
    """Wait until the power is cut; when that is."""
    if chance.random() < 0.4:
        wait_for(run.is_over)
        time.sleep(AFTER_THE_END)
        return "after the end"
    wanted = chance.choice([0, *range(COUNT), COUNT])
    wait_for(lambda: (output / "_state").exists() or run.is_over())
    wait_for(lambda: len(clips(output)) >= wanted or run.is_over())
    pause = chance.uniform(0, 0.5)
    time.sleep(pause)
    return f"{pause:.2f} s after clip {wanted}"


@contextmanager
def _metadata_written(mounted: Path) -> Iterator[None]:
    """Another program syncs a file of its own: names reach the disk, contents need not."""
    ended = Event()

    def sync_another() -> None:
        number = 0
        while not ended.wait(0.05):
            number += 1
            with (mounted / "another").open("wb") as file:
                file.write(b"%d" % number)
                file.flush()
                os.fsync(file.fileno())

    thread = Thread(target=sync_another)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@functools.cache
def _data_set() -> tuple[Kinetics, dict[str, Any]]:
    """The clips that every run is of, and what an undisturbed run makes of them."""
    folder = Path(tempfile.mkdtemp())
    made = Kinetics(folder / "kinetics")
    content = clip(size=(128, 96), frames=25, sounds=[Sound()])
    for number in range(COUNT):
        split = ("train", "train", "val", "test")[number % 4]
        label = ("air drumming", "zumba")[number % 3 % 2]
        made.add(
            f"{chr(97 + number)}Clip_______{number:06d}_{number + 10:06d}", split, label, content
        )
    made.write()
    ended = finish(_flags(made, folder / "output"), folder)
    assert ended.status == 0, ended.err
    return made, result(folder / "output")


def _flags(made: Kinetics, output: Path) -> list[str]:
    return flags(made, output, "--short_edge", "64", "--preset", "faster")


# Disks


def _call(*words: object) -> None:
    ended = subprocess.run([str(word) for word in words], capture_output=True, check=False)
    if ended.returncode:
        raise CannotMountError(f"{words[0]}: {ended.stderr.decode().strip()}")


@contextmanager
def _copying(folder: Path) -> Iterator[Path]:
    """A folder in which a file can be copied in one step."""
    if os.geteuid() or not shutil.which("mkfs.xfs"):
        raise CannotMountError("only root can, with xfsprogs")
    image = folder / "images.img"
    _make("xfs", image, 4 * IMAGE)
    with _mounted("xfs", "", image, folder / "images") as mounted:
        yield mounted


def _make(filesystem: str, image: Path, size: int = IMAGE) -> None:
    with image.open("wb") as file:
        file.truncate(size)
    if not shutil.which(f"mkfs.{filesystem}"):
        raise CannotMountError(f"there is no mkfs.{filesystem}")
    _call(f"mkfs.{filesystem}", "-q", image)


@contextmanager
def _mounted(filesystem: str, options: str, image: Path, place: Path) -> Iterator[Path]:
    place.mkdir()
    _call("mount", "-t", filesystem, "-o", ",".join(filter(None, ["loop", options])), image, place)
    try:
        yield place
    finally:
        wait_for(
            lambda: (
                subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0
            ),
            20,
        )


def _copy(disk: Path, cut: Path) -> None:
    """Copy an image as it is at one moment."""
    _call("cp", "--reflink=always", disk, cut)
