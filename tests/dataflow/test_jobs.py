"""Jobs that the real client submits, run by a stand-in for the service from what was staged."""

import io
import json
import signal
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_metrics import DataflowMetrics
from google.cloud.dataflow_v1beta3 import JobMetrics, JobType

from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.metrics import update_counts
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.dataflow.service import Dataflow, Job, Machines, updates
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

FLAGS = (
    "--short_edge=64", "--preset=ultrafast", "--max_failure_ratio=0.9", "--path_prefix=",
    "--list_format=webdataset",
)  # fmt: skip


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
    """Everything that a real copy of Kinetics holds, and archives with what it lacks.

    One clip is in two of them, which differ: there each worker reads one.
    """
    folder = tmp_path_factory.mktemp("prepared")
    lacking = {"gMissing_000005_000015.mp4": small_clip(frames=5), "rGone_000016_000026.mkv": b"x"}
    pack(folder / "more" / "part_0.tar.gz", lacking)
    lacking["gMissing_000005_000015.mp4"] = small_clip(frames=9)
    pack(folder / "more" / "part_1.tar.gz", lacking)
    ended = all_kinds.prepare(folder / "local", *FLAGS, "--videos", str(folder / "more"))
    assert ended.status == 0, ended.err
    inputs = buckets.put_kinetics(all_kinds, "data")
    return Prepared(
        all_kinds.root,
        folder / "local",
        (*inputs, buckets.put(folder / "more", "data/more")),
    )


def words(service: Dataflow, prepared: Prepared, output: str, *flags: str) -> list[str]:
    """The command with the real DataflowRunner; flags come as a template passes them."""
    return command(
        *service.flags, *prepared.inputs, f"--output=gs://{BUCKET}/{output}",
        "=".join(service.buckets.flags), *FLAGS, *flags,
    )  # fmt: skip


def submit(service: Dataflow, prepared: Prepared, output: str, *flags: str) -> Finished:
    """Run that command to its end."""
    ended = subprocess.run(
        words(service, prepared, output, *flags), cwd=ROOT, env=service.environment,
        capture_output=True, text=True, timeout=900,
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
        if name.suffix in (".mp4", ".csv", ".tar") and name.name != "failed.csv":
            assert (folder / name).read_bytes() == (local / name).read_bytes(), name
    assert lasting_rows(folder, prepared) == lasting_rows(local, prepared)
    for key in ("fingerprint", "membership_fingerprint", "reasons", "unannotated", "failure_ratio"):
        assert summary(folder)[key] == summary(local)[key]


def lasting_rows(output: Path, prepared: Prepared) -> dict[str, Row]:
    """What every run says of the clips, wherever their files are."""
    text = json.dumps(all_rows(output)).replace(str(prepared.root), f"gs://{BUCKET}/data")
    return {clip_id: without(row, *ELSEWHERE) for clip_id, row in json.loads(text).items()}


@dataclass(frozen=True)
class Submitted:
    """A job that has run to its end, and how the client's command ended."""

    service: Dataflow
    job: Job
    ended: Finished


@pytest.fixture(scope="module")
def killed(
    buckets: Buckets,
    machines: Machines,
    prepared: Prepared,
    tmp_path_factory: pytest.TempPathFactory,
) -> Submitted:  # fmt: skip
    """The job as it is typed from a checkout; one worker is killed in the middle."""
    folder = tmp_path_factory.mktemp("killed")
    with Dataflow(buckets, machines, folder, kill_after=1) as service:
        ended = submit(service, prepared, "killed", "--save_main_session")
        (job,) = service.jobs.values()
        return Submitted(service, job, ended)


def test_a_job_whose_worker_is_killed_gives_what_a_local_run_gives(
    killed: Submitted, prepared: Prepared, tmp_path: Path
) -> None:
    assert killed.ended.status == 0, killed.ended.err
    assert (killed.service.killed, killed.job.attempts) == (1, 2)
    check_same(killed.service.buckets, "killed", prepared, tmp_path / "output")


def test_the_client_says_where_the_job_is_and_what_it_came_to(killed: Submitted) -> None:
    requests = [*dict.fromkeys(killed.service.requests)]
    assert requests == [("POST", ""), ("GET", "/job-0"), ("GET", "/job-0/messages"),
                        ("GET", "/job-0/metrics")]  # fmt: skip
    assert "https://console.cloud.google.com/dataflow/jobs/us-central1/job-0?project=emulated" in (
        killed.ended.err
    )
    assert "storage_options" not in killed.ended.err
    assert "annotated" in killed.ended.out
    assert f"are in gs://{BUCKET}/killed" in killed.ended.out


def test_metrics_come_back(killed: Submitted) -> None:
    counted: dict[str, Counter[str]] = {"clips": Counter(), "work": Counter()}
    for metric in killed.job.metrics:
        if metric["namespace"] in counted and "scalar" in metric:
            counted[metric["namespace"]][metric["name"]] += metric["scalar"]
    said = json.loads(killed.service.buckets.get(f"gs://{BUCKET}/killed/summary.json"))
    statuses = {status: count for status, count in said["total"].items() if count}
    del statuses["annotated"]
    reasons = {f"failed_{reason}": count for reason, count in said["reasons"].items()}
    assert counted["clips"] == {**statuses, **reasons}
    assert counted["work"]["resized"] >= said["total"]["resized"] > 0


def test_the_live_line_is_read_from_them(
    killed: Submitted, graph: beam_runner_api_pb2.Pipeline
) -> None:
    given = JobMetrics.from_json(json.dumps({"metrics": updates(killed.job.metrics)}))
    client = SimpleNamespace(get_job_metrics=lambda _: given)
    result = SimpleNamespace(job_id=lambda: "job-0", is_in_terminal_state=lambda: False)
    counts = Counts()
    update_counts(DataflowMetrics(client, result, SimpleNamespace(proto_pipeline=graph)), counts)
    said = Counter[str]()
    for metric in killed.job.metrics:
        if metric["namespace"] == "work" and "scalar" in metric:
            said[metric["name"]] += metric["scalar"]
    assert counts.tasks == said["planned"] > 0
    assert counts.succeeded == said["resized"] + said["copied"] > 0
    assert counts.failed == said["failed"] > 0


def test_the_package_holds_the_code_alone(killed: Submitted) -> None:
    package = killed.service.buckets.get(killed.job.packages["workflow.tar.gz"])
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    code = {name for name in names if name.startswith("beam_pipeline/")}
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "beam_pipeline").rglob("*")
             if path.suffix in (".py", ".txt", ".typed", ".html", ".css", ".js")}  # fmt: skip
    assert code == there
    of_packaging = {"setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md",
                    "PKG-INFO"}  # fmt: skip
    others = {name for name in names - code if not name.startswith("beam_pipeline.egg-info/")}
    assert others <= of_packaging


def test_no_main_session_is_staged(killed: Submitted) -> None:
    assert set(killed.job.packages) == {
        "workflow.tar.gz",
        "submission_environment_dependencies.txt",
    }


def test_machines_are_as_many_and_as_large_as_is_written(killed: Submitted) -> None:
    pool = killed.job.pool
    assert (pool["numWorkers"], pool["autoscalingSettings"]["maxNumWorkers"]) == (25, 25)
    assert (pool["machineType"], pool["diskSizeGb"]) == ("n2d-standard-4", 50)
    (image,) = pool["sdkHarnessContainerImages"]
    assert image["useSingleCorePerContainer"]
    assert killed.job.description["environment"]["serviceOptions"] == ["min_num_workers=25"]
    assert killed.job.description["type"] == JobType.JOB_TYPE_BATCH


@pytest.fixture(scope="module")
def graph(killed: Submitted) -> beam_runner_api_pb2.Pipeline:
    """The pipeline that was staged, as the service gets it."""
    return beam_runner_api_pb2.Pipeline.FromString((killed.job.folder / "pipeline.pb").read_bytes())


def test_no_stage_carries_much(graph: beam_runner_api_pb2.Pipeline) -> None:
    sizes = {
        transform.unique_name: len(transform.spec.payload)
        for transform in graph.components.transforms.values()
    }
    assert {name: size for name, size in sizes.items() if size > LARGEST_PAYLOAD} == {}
    assert max(sizes.values()) > 1000  # there are functions in them


def test_the_work_is_spread_right_before_it(graph: beam_runner_api_pb2.Pipeline) -> None:
    transforms = graph.components.transforms
    made_by = {
        collection: transform
        for transform in transforms.values()
        if not transform.subtransforms
        for collection in transform.outputs.values()
    }
    work = [each for each in transforms.values() if is_work(each)]
    reshuffles = [
        each.unique_name for each in transforms.values()
        if each.spec.urn == common_urns.composites.RESHUFFLE.urn
    ]  # fmt: skip
    assert len(work) == 6  # files, members, archives; what is left; archives again; clips to settle
    for stage in work:
        side_inputs = beam_runner_api_pb2.ParDoPayload.FromString(stage.spec.payload).side_inputs
        (taken,) = (each for name, each in stage.inputs.items() if name not in side_inputs)
        before = made_by[taken].unique_name
        assert made_by[taken].spec.urn == common_urns.primitives.GROUP_BY_KEY.urn or any(
            before.startswith(f"{name}/") for name in reshuffles
        ), before


def is_work(transform: beam_runner_api_pb2.PTransform) -> bool:
    return transform.spec.urn == common_urns.primitives.PAR_DO.urn and any(
        f"/{name}/ParDo(" in transform.unique_name for name in ("Resize", "Search", "Settle")
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """What the template's image holds."""
    image = Machines(tmp_path_factory.mktemp("image") / "env")
    image.build_image()
    return image


def test_a_template_s_job_does_the_same_though_every_bundle_is_run_twice(
    buckets: Buckets, image: Machines, prepared: Prepared, tmp_path: Path
) -> None:
    with Dataflow(buckets, image, tmp_path / "jobs", repeat=1) as service:
        asked = words(
            service, prepared, "template", f"--template_location=gs://{BUCKET}/templates/job",
            "--sdk_container_image=example.com/kinetics:1", "--num_workers=7",
        )  # fmt: skip
        launched = subprocess.run(
            [image.python, image.folder / "template" / "main.py", *asked[3:]], cwd=tmp_path,
            env={"PATH": "", "STORAGE_EMULATOR_HOST": buckets.address},
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert launched.returncode == 0, launched.stderr
        assert "template is written" in launched.stdout
        assert "annotated" not in launched.stdout
        assert service.requests == []
        assert not buckets.files("template")
        job = service.accept("template", json.loads(buckets.get(f"gs://{BUCKET}/templates/job")))
        (container,) = job.pool["sdkHarnessContainerImages"]
        assert container["containerImage"] == "example.com/kinetics:1"
        assert "workflow.tar.gz" not in job.packages
        assert job.pool["numWorkers"] == 7
        service.work(job)
    assert (job.state, job.attempts) == ("JOB_STATE_DONE", 1), job.messages
    check_same(buckets, "template", prepared, tmp_path / "output")


def test_what_stops_a_job_is_told_in_one_line(service: Dataflow, prepared: Prepared) -> None:
    service.attempts = 1
    ended = submit(service, prepared, "stopped", f"--annotations=gs://{BUCKET}/nowhere")
    (job,) = service.jobs.values()
    assert job.state == "JOB_STATE_FAILED"
    assert ended.status == 1
    *_, last = ended.err.splitlines()
    assert last.startswith(f"beam_pipeline: --annotations gs://{BUCKET}/nowhere")
    assert "Traceback" not in ended.err
    assert not service.buckets.files("stopped")  # nobody is bound to its settings


@pytest.mark.parametrize("name", ["temp_location", "staging_location"])
def test_a_bucket_that_is_not_there_ends_it_at_once(
    service: Dataflow, prepared: Prepared, name: str
) -> None:
    ended = submit(service, prepared, "nowhere", f"--{name}=gs://nowhere/kinetics")
    assert ended.status == 1
    assert ended.complaint == (
        f"--{name} gs://nowhere/kinetics: there is no such bucket; type gcloud storage buckets "
        "create gs://nowhere --location us-central1"
    )
    assert service.requests == []


def test_who_leaves_is_told_that_the_job_goes_on(service: Dataflow, prepared: Prepared) -> None:
    service.attempts = 0
    with subprocess.Popen(
        words(service, prepared, "left"), cwd=ROOT, env=service.environment,
        stderr=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert client.stderr is not None
        while "running on Dataflow" not in client.stderr.readline():
            assert client.poll() is None
        time.sleep(1)
        client.send_signal(signal.SIGINT)
        said = client.stderr.read()
        assert client.wait(60) == 130
    assert "gcloud dataflow jobs cancel job-0 --project emulated --region us-central1" in said
    assert "Traceback" not in said
