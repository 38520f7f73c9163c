"""What all tests share: the runs that several of them look at."""

import gc
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from beam_pipeline.storage.retries import RETRY_COUNT
from tests import warm
from tests.kinetics import Finished, Kinetics, snapshot
from tests.make_clips import Sound, clip, cut, sound_only

gc.disable()  # until all tests are collected: hardly anything of that is ever garbage

# The same examples every time, so that a red run is red again; no deadlines, for the machine
# that runs this may be busy with clips.
settings.register_profile(
    "kinetics", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kinetics")

pytest.register_assert_rewrite("tests.standin.fixtures")  # doctests of it come before its users

warm.remember_what_beam_asks_again()

# yt-dlp looks for plugins once in a process. So the stand-in's is there from the first test on.
os.environ["XDG_CONFIG_HOME"] = str(Path(__file__).parent / "standin" / "config")
warm.spare_beam_its_caution()

# Whoever starts the tests in the background has them ignore Ctrl-C, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What is there by now stays to the end: nobody has to look through it again and again."""
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """One more test at once than cores that this process may use: some tests only wait."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 1


SIZE = (128, 96)
FRAMES = 12


@pytest.fixture(autouse=True)
def no_retries_yet() -> None:
    """Retries are counted for the whole process: those of another test are not this one's."""
    RETRY_COUNT.read_and_reset()


@dataclass(frozen=True)
class Ran:
    """A finished run: on what, where to, how it ended, and the data set's files before it."""

    kinetics: Kinetics
    output: Path
    ended: Finished
    before: dict[str, tuple[bytes, int]]


def small_clip(**changes) -> bytes:
    return clip(**{"size": SIZE, "frames": FRAMES} | changes)


@pytest.fixture(scope="session")
def one_clip() -> bytes:
    """A small clip with sound, its index in front."""
    return small_clip(sounds=[Sound(seconds=0.5)], muxer={"movflags": "faststart"})


@pytest.fixture(scope="session")
def all_kinds(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """Everything that a real copy of Kinetics holds, in all three splits."""
    made = Kinetics(tmp_path_factory.mktemp("all_kinds"))
    add = made.add
    # train: class folders with spaces in their names, as in the archives
    drums, arms = "air drumming", "arm wrestling"
    add("-aLandscap_000104_000114", "train", drums, one_clip, drums)
    add("bPortrait_0_000000_000010", "train", drums, small_clip(size=(96, 128)), drums)
    add("cRotated_-__000001_000011", "train", arms, small_clip(rotation=90), arms, ".mov")
    add("dVp9_000002_000012", "train", arms, small_clip(
        container="webm", codec="libvpx-vp9", sounds=[Sound("libopus", 48000, seconds=0.5)]
    ), arms, ".webm")  # fmt: skip
    add("eMatroska_000003_000013", "train", arms, small_clip(container="matroska"), arms, ".MKV")
    add("fReady_000004_000014", "train", arms, small_clip(size=(96, 64)), arms)
    add("gMissing_000005_000015", "train", arms, None, arms)
    add("hEmpty_000006_000016", "train", arms, b"", arms)
    add("iHtml_000007_000017", "train", arms, b"<!DOCTYPE html><title>Sign in</title>", arms)
    add("jCut_000008_000018", "train", arms, cut(one_clip, 0.6), arms)
    add("kRandom_000009_000019", "train", arms, bytes(range(1, 256)) * 40, arms)
    add("lSoundOnly_000010_000020", "train", arms, sound_only(), arms)
    # val: flat, and what is only told apart by all that is annotated
    sport = "passing American football (in game)"
    add("mBareId_000011_000021", "val", sport, one_clip, name="mBareId")
    add("nAmbiguous_000012_000022", "val", sport, one_clip, name="nAmbiguous")
    add("nAmbiguous_000050_000060", "val", drums)
    add("oConflict_000013_000023", "train", arms, one_clip)
    add("oConflict_000013_000023", "val", sport)
    add("pAgain_000014_000024", "val", sport, one_clip)
    add("pAgain_000014_000024", "val", sport)
    # test: without labels, but for one that the training annotations know
    add("qUnlabelled_000015_000025", "test", None, one_clip, "deep/down/in/folders")
    add("rGone_000016_000026", "test", None)
    # what nobody has annotated
    (made.videos / "val" / "stranger_000001_000011.mp4").write_bytes(one_clip)
    (made.videos / "val" / "mBareId_000099_000109.mp4").write_bytes(one_clip)
    (made.videos / "val" / "notes.md").write_text("not a video")
    return made.write()


@pytest.fixture(scope="session")
def ran(all_kinds: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The job over everything, as it is typed most of the time, with three workers."""
    output = tmp_path_factory.mktemp("ran") / "output"
    before = snapshot(all_kinds.root)
    ended = all_kinds.prepare(output, "--workers", "3", "--max_failure_ratio=0.9")
    return Ran(all_kinds, output, ended, before)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """A clip for each split, one that is missing and one that is broken."""
    made = Kinetics(tmp_path_factory.mktemp("few"))
    made.add("aTrain_000001_000011", "train", "air drumming", one_clip)
    made.add("bVal_000002_000012", "val", "zumba", one_clip)
    made.add("cMissing_000003_000013", "val", "zumba")
    made.add("dBroken_000004_000014", "test", None, b"broken")
    made.add("eTest_000005_000015", "test", None, one_clip)
    return made.write()
