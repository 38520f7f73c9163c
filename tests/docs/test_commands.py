"""Every command of the documentation that can run here, run as it stands there.

A page's commands are run from top to bottom, as a reader would, in a folder of its own: a clone of
the project, with the data beside it that the pages speak of. What needs Google, a real data set or
an hour is not marked, and not run.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, Block, blocks, name_of
from tests.make_clips import clip
from tests.standin import Media, StandIn, both

CLONED = (
    "Makefile", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py",
    "beam_pipeline", "benchmarks", "docs", "examples", "templates",
)  # fmt: skip

CLASSES = {
    "mixing colors": "air drumming",
    "playing game of life": "archery",
    "watching test card": "abseiling",
    "zooming into fractal": "zumba",
}
"""The sample's classes, and what they are called here: the pages speak of Kinetics' own."""

FEW = 3
"""Videos where the number does not matter."""

TIMEOUT = 600
"""Seconds for one block, on a machine that is busy with other things."""

SITE = "site"
"""Where pip installs the package, in a page's folder."""

LANGUAGES = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


def tried(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.is_tried]


WITH_COMMANDS = [page for page in PAGES if tried(page)]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data that the pages name, small: the sample, in the shapes that they tell of."""
    folder = tmp_path_factory.mktemp("data")
    made = folder / "k400"
    sample = [sys.executable, ROOT / "examples" / "make_sample.py", made]
    subprocess.run(sample, check=True, capture_output=True, timeout=TIMEOUT)
    for name in ("annotations", "videos"):
        shutil.copytree(made / name, folder / "sample" / name, copy_function=os.link)
    for path in (made / "annotations").iterdir():
        text = path.read_text("utf-8")
        for ours, theirs in CLASSES.items():
            text = text.replace(ours, theirs)
        path.unlink()  # the sample itself keeps its own
        path.write_text(text, "utf-8")
    videos = sorted(path for path in (made / "videos").rglob("*") if path.is_file())
    for path in videos[1::2]:
        path.unlink()  # missing clips are made sooner
    videos = videos[::2]
    for name in ("k600", "k700"):
        shutil.copytree(made, folder / name, copy_function=os.link)
    for path in videos:
        link(path, made / "resized" / path.name)
    for path in videos[:FEW]:
        youtube_id = path.stem.rsplit("_", 2)[0]
        link(path, folder / "youtube" / f"{youtube_id}{path.suffix}")
        link(path, folder / "any" / "folder" / path.relative_to(made / "videos"))
        link(path, folder / "replacement" / path.name)
    pack(made / "train_targz" / "part_0.tar.gz", made / "videos" / "train")
    pack(made / "val_targz" / "part_0.tar.gz", made / "videos" / "val")
    pack(made / "replacement_for_corrupted_k400.tgz", folder / "replacement")
    pack(folder / "k700" / "archives" / "k700_val_001.tar.gz", made / "videos" / "val")
    pack(folder / "kinetics700_2020.tar.gz", made / "annotations")
    return folder


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def pack(archive: Path, folder: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """The folder of each page."""
    return {page: tmp_path_factory.mktemp(page.stem) for page in WITH_COMMANDS}


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    """What stands in for YouTube: every video is there, and all are the same."""
    formats = {"formats": [both("18", (64, 48))]}
    video = Media(clip(size=(64, 48), frames=200, rate=1))
    with (
        StandIn(defaultdict(lambda: formats), defaultdict(lambda: video)) as site,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STANDIN", site.address)
        yield site


@pytest.fixture(scope="session")
def ran(data: Path, folders: dict[Path, Path], standin: StandIn) -> dict[Path, Future[None]]:
    """The commands of every page under way, two pages at a time."""
    threads = ThreadPoolExecutor(2)
    return {page: threads.submit(run_page, page, data, folders[page]) for page in WITH_COMMANDS}


def run_page(page: Path, data: Path, folder: Path) -> None:
    """Run the commands of a page; AssertionError names the line of the one that failed."""
    clone = folder / "beam_pipeline"
    shutil.copytree(data, clone, copy_function=os.link)
    for name in CLONED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, clone / name)
    make_pip(folder)
    link_venv(clone)
    for block in tried(page):
        ended = subprocess.run(
            [*LANGUAGES[block.language], block.text], cwd=clone, env=environment(folder),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        said = f"{name_of(page)} line {block.line}:\n{block.text}{ended.stdout}{ended.stderr}"
        assert ended.returncode == 0, said
        assert "does not provide the extra" not in ended.stderr, said


def link_venv(clone: Path) -> None:
    """Have make find the environment as it is: it must not install the clone into it."""
    venv = Path(sys.prefix)
    assert (venv / ".test").exists(), "run these tests by make test-docs"
    (clone / ".venv").symlink_to(venv)
    installed = (venv / ".setup").stat().st_mtime_ns
    for name in ("setup.py", "pyproject.toml"):
        os.utime(clone / name, ns=(installed, installed))


def make_pip(folder: Path) -> None:
    """A pip that installs the package alone, and not into the Python that runs the tests."""
    pip = folder / "bin" / "pip"
    pip.parent.mkdir()
    flags = f"--disable-pip-version-check --no-deps --target '{folder / SITE}'"
    pip.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m pip \"$@\" {flags}\n")
    pip.chmod(0o755)


def environment(folder: Path) -> dict[str, str]:
    """That pip, and this Python's commands, come first."""
    path = [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    kept = {name: value for name, value in os.environ.items() if name not in CALLERS}
    return {**kept, "PATH": os.pathsep.join(path)}


CALLERS = {"ANNOTATIONS", "VIDEOS", "OUTPUT", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH"}
"""What who runs the tests may have set for others."""


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_commands_work(page: Path, ran: dict[Path, Future[None]]):
    ran[page].result()


def test_pip_installs_every_file_of_the_package(
    ran: dict[Path, Future[None]], folders: dict[Path, Path]
):
    readme = ROOT / "README.md"
    ran[readme].exception()  # pip's own fault shows above
    assert files_of(folders[readme] / SITE / "beam_pipeline") == files_of(ROOT / "beam_pipeline")


def files_of(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix() for path in paths}


def test_commands_that_are_tried_are_in_a_language_that_can_be():
    for page in PAGES:
        for block in tried(page):
            assert block.language in LANGUAGES, f"{name_of(page)} line {block.line}"


def test_the_pages_have_commands():
    names = {name_of(page) for page in WITH_COMMANDS}
    assert {"README.md", "docs/recipes.md", "docs/outputs.md", "docs/buckets.md"} <= names
