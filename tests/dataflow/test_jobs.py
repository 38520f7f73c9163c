"""Jobs that the real client submits, run by a stand-in for the service from what was staged."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.dataflow.service import Dataflow, Machines
from tests.kinetics import (
    PROGRESS,
    ROOT,
    Finished,
    Kinetics,
    Row,
    all_rows,
    command,
    summary,
    without,
)
from tests.packing import pack

LARGEST_PAYLOAD = 64 * 1024
ELSEWHERE = ("source", "status", "seconds")
"""What differs from a local run: where the files are, and which attempt has made a clip."""

FLAGS = ("--short_edge=64", "--preset=ultrafast", "--max_failure_ratio=0.9", "--path_prefix=")


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with Buckets() as buckets:
        yield buckets


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    return Machines(tmp_path_factory.mktemp("machines") / "env")


@pytest.fixture
def service(buckets: Buckets, machines: Machines, tmp_path: Path) -> Iterator[Dataflow]:
    with Dataflow(buckets, machines, tmp_path / "jobs") as service:
        yield service


@dataclass(frozen=True)
class Prepared:
    """What a local run makes of the data set, and where that is in the bucket."""

    root: Path
    local: Path
    inputs: tuple[str, ...]


@pytest.fixture(scope="module")
def prepared(
    all_kinds: Kinetics, buckets: Buckets, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    """Everything that a real copy of Kinetics holds, and an archive with what it lacks."""
    folder = tmp_path_factory.mktemp("prepared")
    more = {"gMissing_000005_000015.mp4": small_clip(frames=5), "rGone_000016_000026.mkv": b"bad"}
    pack(folder / "more" / "part_0.tar.gz", more)
    ended = all_kinds.prepare(
        folder / "local", *FLAGS, "--videos", str(folder / "more" / "part_0.tar.gz")
    )
    assert ended.status == 0, ended.err
    inputs = buckets.put_kinetics(all_kinds, "data")
    return Prepared(
        all_kinds.root,
        folder / "local",
        (*inputs, buckets.put(folder / "more", "data/more") + "/part_0.tar.gz"),
    )


def submit(service: Dataflow, prepared: Prepared, output: str, *flags: str) -> Finished:
    """Run the command with the real DataflowRunner; flags come as a template passes them."""
    ended = subprocess.run(
        command(
            *service.flags, *prepared.inputs, f"--output=gs://{BUCKET}/{output}",
            "=".join(service.buckets.flags), *FLAGS, *flags,
        ),
        cwd=ROOT, env=service.environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    return Finished(ended.returncode, ended.stdout, PROGRESS.sub("", ended.stderr))


def check_same(buckets: Buckets, output: str, prepared: Prepared, folder: Path) -> None:
    """Hold an output in the bucket against that of the local run."""
    for name, content in buckets.all_files(output).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    local = prepared.local
    names = {path.relative_to(local) for path in local.rglob("*") if path.is_file()}
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == names
    for name in names:
        if name.suffix in (".mp4", ".csv") and name.name != "failed.csv":
            assert (folder / name).read_bytes() == (local / name).read_bytes(), name
    assert lasting_rows(folder, prepared) == lasting_rows(local, prepared)
    for key in ("fingerprint", "membership_fingerprint", "reasons", "unannotated", "failure_ratio"):
        assert summary(folder)[key] == summary(local)[key]


def lasting_rows(output: Path, prepared: Prepared) -> dict[str, Row]:
    """What every run says of the clips, wherever their files are."""
    text = json.dumps(all_rows(output)).replace(str(prepared.root), f"gs://{BUCKET}/data")
    return {clip_id: without(row, *ELSEWHERE) for clip_id, row in json.loads(text).items()}


def test_a_job_whose_worker_is_killed_gives_what_a_local_run_gives(
    service: Dataflow, prepared: Prepared, tmp_path: Path
) -> None:
    service.kill_after = 3
    ended = submit(service, prepared, "killed")
    (job,) = service.jobs.values()
    assert ended.status == 0, ended.err + ended.out
    assert (service.killed, job.attempts) == (1, 2)
    Path("/tmp/client.err").write_text(ended.err)
    check_same(service.buckets, "killed", prepared, tmp_path / "output")
