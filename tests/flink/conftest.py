"""What all jobs are run on, and what a local run makes of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.runs import Run, finish, flags, result
from tests.flink.clusters import Cluster, job_server_jar, need_jars
from tests.kinetics import Finished, Kinetics
from tests.make_clips import Sound, clip

COUNT = 30
SLOW = ("--short_edge", "128", "--preset", "slower", "--list_format", "webdataset")
"""So that a clip takes some tenths of a second, and there is a middle to kill something in."""

JOB_SECONDS = 400.0
"""Seconds after which a job hangs. On two cores that do nothing else it takes some 40."""


@dataclass(frozen=True)
class Prepared:
    """A data set, and what a local run makes of it: ``local`` is the output, ``result`` its sum."""

    kinetics: Kinetics
    local: Path
    result: dict[str, Any]


@dataclass
class Flink:
    """What runs the command on Flink: the real client, with a jar that was put together."""

    master: str
    jar: Path
    folder: Path

    def flags(self, prepared: Prepared, output: Path | str, *more: str) -> list[str]:
        return [
            "--runner", "FlinkRunner", "--flink_master", self.master,
            "--flink_job_server_jar", str(self.jar),
            *flags(prepared.kinetics, Path(output), *SLOW, "--workers", "1", *more),
        ]  # fmt: skip

    def start(self, prepared: Prepared, output: Path | str, *more: str) -> Run:
        return Run(self.flags(prepared, output, *more), self.folder, anew=True)

    def finish(self, prepared: Prepared, output: Path | str, *more: str) -> Finished:
        with self.start(prepared, output, *more) as run:
            return run.finished(JOB_SECONDS)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Clips of all splits, one that is missing and one that is broken."""
    folder = tmp_path_factory.mktemp("prepared")
    made = Kinetics(folder / "data")
    content = clip(size=(480, 360), frames=40, sounds=[Sound(seconds=1.2)])
    for number in range(COUNT):
        label = ("air drumming", "zumba")[number % 3 % 2]
        split = ("train", "train", "val", "test")[number % 4]
        made.add(f"{chr(97 + number % 26)}Clip{number:03d}__000001_000011", split, label, content)
    made.add("missing____000001_000011", "val", "zumba")
    made.add("broken_____000001_000011", "train", "zumba", b"broken")
    made.write()
    output = folder / "local"
    ended = finish(flags(made, output, *SLOW), folder)
    assert ended.status == 0, ended.err
    return Prepared(made, output, result(output))


@pytest.fixture(scope="session")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_jars()
    return job_server_jar(tmp_path_factory.mktemp("jar"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    need_jars()
    with Cluster(tmp_path_factory.mktemp("cluster") / "flink") as cluster:
        yield cluster


@pytest.fixture
def flink(cluster: Cluster, jar: Path, tmp_path: Path) -> Flink:
    return Flink(cluster.master, jar, tmp_path)
