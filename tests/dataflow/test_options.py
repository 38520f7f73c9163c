"""Options that are refused before a Dataflow job is built, and options that are filled in."""

import errno
import re
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)

from beam_pipeline.config import Config
from beam_pipeline.engines import dataflow
from beam_pipeline.errors import OutputError, UsageError
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.storage import files
from beam_pipeline.storage.request_retries import LOG_IN
from beam_pipeline.storage.retries import Unavailable
from tests.kinetics import ROOT, run

GIVEN = {
    "--annotations": "gs://mine/k400/annotations",
    "--videos": "gs://mine/k400/videos",
    "--output": "gs://mine/k400-256",
    "--project": "lab",
    "--region": "us-central1",
    "--temp_location": "gs://mine/tmp",
}


def argv(*more: str, without: str = "") -> list[str]:
    needed = [f"{name}={value}" for name, value in GIVEN.items() if name != without]
    return ["--runner=DataflowRunner", *needed, *more]


def prepared(*more: str, without: str = "") -> tuple[PipelineOptions, Config]:
    options = parse_command_line(argv(*more, without=without))
    config = Config.from_options(options.view_as(KineticsOptions))
    return options, dataflow.configure(options, config)


@pytest.mark.parametrize("name", ["--project", "--region", "--temp_location"])
def test_what_google_needs_has_to_be_given(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} is missing; type {name} "):
        prepared(without=name)


@pytest.mark.parametrize("flag", [
    "--annotations=k400/annotations", "--videos=gs://mine/k400/videos,k400/videos",
    "--output=k400-256", "--label_map=labels.txt", "--videos=file:///k400/videos",
    "--exclude_annotations=k600/annotations",
])  # fmt: skip
def test_nothing_may_be_on_this_machine(flag: str) -> None:
    name = flag.partition("=")[0]
    with pytest.raises(UsageError, match=f"^{name} /.* is on this machine, .* type {name} gs://"):
        prepared(flag, without=name)


def test_a_mirror_may_not_be_on_this_machine() -> None:
    flags = ("--runner=dataflow", "--dataset=kinetics400", "--dataset_mirror=/mnt/cvdf")
    given = [f"{name}={GIVEN[name]}" for name in ("--project", "--region", "--temp_location")]
    options = parse_command_line([*flags, *given, "--output=gs://mine/k400-256"])
    config = Config.from_options(options.view_as(KineticsOptions))
    with pytest.raises(UsageError, match="--dataset_mirror /mnt/cvdf is on this machine"):
        dataflow.configure(options, config)


@pytest.mark.parametrize("flag", [
    "--label_map=kinetics400", "--label_map=gs://mine/labels.txt", "--dataset=kinetics400",
])  # fmt: skip
def test_what_every_worker_can_see_is_taken(flag: str) -> None:
    prepared(flag)


def test_from_a_checkout_the_code_is_sent() -> None:
    options, _ = prepared()
    setup = options.view_as(SetupOptions)
    assert setup.setup_file == str(ROOT / "setup.py")
    assert setup.save_main_session is False


@pytest.mark.parametrize("flag", [
    "--sdk_container_image=example.com/kinetics:1", "--setup_file=/elsewhere/setup.py",
    "--extra_package=/elsewhere/kinetics.tar.gz",
])  # fmt: skip
def test_code_that_is_there_otherwise_is_not_sent(flag: str) -> None:
    options, _ = prepared(flag, "--save_main_session")
    setup = options.view_as(SetupOptions)
    assert setup.setup_file == ("/elsewhere/setup.py" if "setup_file" in flag else None)
    assert setup.save_main_session is False


def test_without_a_checkout_an_image_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        dataflow, "__file__", str(tmp_path / "beam_pipeline" / "engines" / "dataflow.py")
    )
    with pytest.raises(UsageError, match="--sdk_container_image IMAGE"):
        prepared()


def test_sizes_and_numbers_of_machines_have_defaults() -> None:
    options, _ = prepared()
    workers = options.view_as(WorkerOptions)
    assert (workers.num_workers, workers.max_num_workers) == (25, 25)
    assert (workers.machine_type, workers.disk_size_gb) == ("n2d-standard-4", 50)
    assert options.view_as(GoogleCloudOptions).dataflow_service_options == ["min_num_workers=25"]


def test_what_is_given_counts() -> None:
    options, config = prepared(
        "--num_workers=3", "--max_num_workers=7", "--machine_type=t2d-standard-8",
        "--disk_size_gb=30", "--workers=2",
        "--dataflow_service_options=min_num_workers=2", "--dataflow_service_options=enable_prime",
    )  # fmt: skip
    workers = options.view_as(WorkerOptions)
    assert (workers.num_workers, workers.max_num_workers) == (3, 7)
    assert (workers.machine_type, workers.disk_size_gb) == ("t2d-standard-8", 30)
    service = options.view_as(GoogleCloudOptions).dataflow_service_options
    assert service == ["min_num_workers=2", "enable_prime"]
    assert config.workers == 2


@pytest.mark.parametrize("flags", [(), ("--experiments=no_use_multiple_sdk_containers",)])
def test_one_process_on_all_cores_has_as_many_children(flags: tuple[str, ...]) -> None:
    options, config = prepared(*flags)
    debug = options.view_as(DebugOptions)
    assert config.workers is None
    assert debug.experiments.count("no_use_multiple_sdk_containers") == 1
    assert debug.number_of_worker_harness_threads == 1


def test_a_process_on_each_core_has_one_child() -> None:
    options, config = prepared("--experiments=use_multiple_sdk_containers")
    assert config.workers == 1
    assert options.view_as(DebugOptions).experiments == ["use_multiple_sdk_containers"]


def test_the_number_of_threads_may_be_given() -> None:
    options, _ = prepared("--number_of_worker_harness_threads=3")
    assert options.view_as(DebugOptions).number_of_worker_harness_threads == 3


@pytest.mark.parametrize(("flags", "numbers", "service"), [
    (["--max_num_workers=10"], (10, 10), ["min_num_workers=10"]),
    (["--max_num_workers=90"], (25, 90), ["min_num_workers=25"]),
    (["--num_workers=60"], (60, 60), ["min_num_workers=60"]),
    (["--autoscaling_algorithm=NONE"], (25, 25), []),
    (["--flexrs_goal=COST_OPTIMIZED"], (25, 25), []),
])  # fmt: skip
def test_machines_are_as_many_as_is_said(
    flags: list[str], numbers: tuple[int, int], service: list[str]
) -> None:
    options, _ = prepared(*flags)
    workers = options.view_as(WorkerOptions)
    assert (workers.num_workers, workers.max_num_workers) == numbers
    assert options.view_as(GoogleCloudOptions).dataflow_service_options == service


def test_a_template_s_place_is_there_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, _ = prepared("--template_location=job.json")
    assert options.view_as(GoogleCloudOptions).template_location == str(tmp_path / "job.json")
    with pytest.raises(UsageError, match="--template_location jobs/k400: there is no"):
        prepared("--template_location=jobs/k400")
    with pytest.raises(UsageError, match="Invalid GCS path"):
        prepared("--template_location=gs://")
    prepared("--template_location=gs://mine/templates/k400")


@pytest.mark.parametrize("flag", ["--videos=s3://mine/k400", "--output=memory://mine/k400"])
def test_workers_have_packages_for_google_and_the_web_alone(flag: str) -> None:
    name, _, address = flag.partition("=")
    protocol = address.partition("://")[0]
    with pytest.raises(UsageError, match=f"^{name} {address}: .* no package for {protocol}://"):
        prepared(flag, without=name)
    prepared(flag, "--sdk_container_image=example.com/kinetics:1", without=name)


def test_a_job_without_an_end_is_refused() -> None:
    with pytest.raises(UsageError, match="--streaming is for jobs that never end"):
        prepared("--streaming")


@pytest.mark.parametrize(("error", "message"), [
    (FileNotFoundError("gs://mine"), "there is no such bucket; type gcloud storage buckets create"),
    (PermissionError(errno.EACCES, f"Permission denied; {LOG_IN}"), LOG_IN),
    (PermissionError(errno.EACCES, "Permission denied: no storage.buckets.get"), None),
    (Unavailable(errno.EIO, "Cannot connect to host"), "Cannot connect to host"),
])  # fmt: skip
def test_a_bucket_is_looked_for_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, error: OSError, message: str | None
) -> None:
    options, _ = prepared()
    requested = []

    def info(url: str) -> None:
        requested.append(url)
        raise error

    monkeypatch.setattr(files, "info", info)
    if message is None:
        dataflow.check_buckets(options)
        assert requested == ["gs://mine", "gs://mine"]
    else:
        with pytest.raises(OutputError, match=re.escape("--temp_location gs://mine/tmp: ") + ".*"
                           + re.escape(message)):  # fmt: skip
            dataflow.check_buckets(options)


def test_google_s_packages_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "apache_beam.runners.dataflow.internal.apiclient"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"pip install '\.\[gcp\]'"):
        prepared()


@pytest.mark.parametrize(("flag", "message"), [
    ("--project=Lab Account", "Invalid Project ID (Lab Account)"),
    ("--project=123456", "Invalid Project ID (123456)"),
    ("--job_name=K400", "Invalid job_name (K400)"),
    ("--temp_location=/tmp/k400", "Invalid GCS path (/tmp/k400), given for the option: temp_loc"),
    ("--staging_location=mine/k400", "Invalid GCS path (mine/k400), given for the option: stag"),
    ("--num_workers=-1", "Invalid value (-1) for option: num_workers"),
])  # fmt: skip
def test_names_that_google_would_not_take_are_said_before_it_is_asked(
    flag: str, message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        prepared(flag)
    with pytest.raises(UsageError, match=re.escape("num_workers (9) cannot exceed")):
        prepared("--num_workers=9", "--max_num_workers=3")


@pytest.mark.parametrize(("flags", "message"), [
    ([], "--project is missing; type --project PROJECT"),
    (["--job_name=K400", *argv()[4:]], "Invalid job_name (K400)"),
])  # fmt: skip
def test_the_command_says_it_in_one_line(flags: list[str], message: str) -> None:
    ended = run(*argv()[:4], *flags)
    assert ended.status == 2
    assert message in ended.complaint
    assert ended.out == ""
