"""What is set, and what is refused, before a job goes to Flink; the rest is in tests/flink."""

import base64
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import web
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from google.protobuf import text_format

from beam_pipeline.config import Config
from beam_pipeline.engines import flink, worker
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.engines.flink import FlinkEngine, explain
from beam_pipeline.engines.flink_cluster import FlinkCluster, Unreachable, cores_for_each
from beam_pipeline.engines.flink_job_server import FlinkJobServer
from beam_pipeline.errors import RunError, UsageError
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.output.row_log import RowLog
from tests.serving import Serving
from tests.test_row_log import MADE


def manager(host: str, cores: int) -> dict[str, Any]:
    path = f"pekko.tcp://flink@{host}:6122/user/rpc/taskmanager_0"
    return {"id": f"{host}:6122-a1", "path": path, "hardware": {"cpuCores": cores}}


class Flink(Serving):
    """The REST API of a cluster: what it answers, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/overview": {"slots-total": 8, "flink-version": "1.19.3", "taskmanagers": 2},
            "/taskmanagers": {"taskmanagers": [manager("one", 16), manager("two", 16)]},
        }

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.get(request.path)
        return web.json_response(answer, status=200 if answer is not None else 404)


@pytest.fixture(scope="module")
def serving() -> Iterator[Flink]:
    with Flink() as serving:
        yield serving


@pytest.fixture
def rest(serving: Flink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flink:
    """A cluster that answers, and this machine as it should be: with Java and the worker."""
    monkeypatch.setattr(serving, "answers", Flink().answers)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.with_name("beam-pipeline-worker").touch()
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr(shutil, "which", lambda command: f"/usr/bin/{command}")
    return serving


def configured(rest: Flink, *more: str) -> tuple[PipelineOptions, Config]:
    given = ("--runner=FlinkRunner", "--videos=v", "--output=o")
    master = () if any(flag.startswith("--flink_master") for flag in more) else (
        f"--flink_master={rest.address}",
    )  # fmt: skip
    options = parse_command_line([*given, *master, *more])
    engine = choose_engine(options)
    assert isinstance(engine, FlinkEngine)
    return options, engine.configure(Config.from_options(options.view_as(KineticsOptions)))


def test_what_a_cluster_needs_is_read_from_it(rest: Flink, tmp_path: Path) -> None:
    options, config = configured(rest, f"--flink_master={rest.address.removeprefix('http://')}/")
    flink_options = options.view_as(FlinkRunnerOptions)
    portable = options.view_as(PortableOptions)
    assert flink_options.flink_master == rest.address
    assert (flink_options.parallelism, flink_options.flink_version) == (8, "1.19")
    assert portable.environment_type == "PROCESS"
    command = str(tmp_path / "bin" / "beam-pipeline-worker")
    assert json.loads(portable.environment_config) == {"command": command}
    assert portable.environment_cache_millis == 0
    assert options.view_as(GoogleCloudOptions).job_name.startswith("beam-pipeline-")
    assert config.workers == 16
    assert config.output.shared


def test_what_is_typed_counts(rest: Flink) -> None:
    options, config = configured(
        rest, "--parallelism=3", "--flink_version=1.20", "--workers=5", "--job_name=mine",
        '--environment_config={"command": "/opt/worker"}',
    )  # fmt: skip
    flink_options = options.view_as(FlinkRunnerOptions)
    assert (flink_options.parallelism, flink_options.flink_version) == (3, "1.20")
    assert options.view_as(PortableOptions).environment_config == '{"command": "/opt/worker"}'
    assert options.view_as(GoogleCloudOptions).job_name == "mine"
    assert config.workers == 5


def test_processes_of_a_task_manager_share_its_cores(rest: Flink) -> None:
    _, config = configured(rest, "--sdk_worker_parallelism=4")
    assert config.workers == 4


@pytest.mark.parametrize(
    ("managers", "cores"),
    [
        ([manager("one", 8)], 8),
        ([manager("one", 8), manager("one", 8)], 4),
        ([manager("one", 2)] * 3, 1),
        ([manager("one", 8), manager("two", 4)], None),
        ([{"id": "one:1-a", "path": "", "hardware": {"cpuCores": 6}}] * 2, 3),
    ],
)
def test_task_managers_of_one_machine_share_its_cores(
    managers: list[dict[str, Any]], cores: int | None
) -> None:
    assert cores_for_each(managers) == cores


def test_the_cluster_has_to_be_named(rest: Flink) -> None:
    options = parse_command_line(["--runner=flink", "--videos=v", "--output=o"])
    config = Config.from_options(options.view_as(KineticsOptions))
    with pytest.raises(
        UsageError, match=r"^--flink_master is missing; type --flink_master HOST:80"
    ):
        choose_engine(options).configure(config)


@pytest.mark.parametrize("master", ["node1", "node1:none", "ftp://node1:8081", ":8081"])
def test_a_cluster_is_a_host_and_a_port(rest: Flink, master: str) -> None:
    with pytest.raises(UsageError, match=r"is no host with a port; type --flink_master \w+:8081$"):
        configured(rest, f"--flink_master={master}")


def test_a_cluster_that_does_not_answer_is_named(rest: Flink) -> None:
    with pytest.raises(RunError, match=r"^--flink_master http://localhost:9: .*refused; type"):
        configured(rest, "--flink_master=localhost:9")


def test_what_is_no_flink_is_said(rest: Flink) -> None:
    rest.answers["/overview"] = {"status": "fine"}
    with pytest.raises(RunError, match="the answer is not Flink's; type the host and port"):
        configured(rest)
    rest.answers["/overview"] = ["fine"]
    with pytest.raises(RunError, match="the answer is not Flink's; type the host and port"):
        configured(rest)


def test_a_cluster_without_task_managers_is_refused(rest: Flink) -> None:
    rest.answers["/overview"]["slots-total"] = 0
    rest.answers["/taskmanagers"] = {"taskmanagers": []}
    with pytest.raises(RunError, match="has no task managers; start some"):
        configured(rest)


def test_a_release_of_flink_that_beam_does_not_know_needs_a_jar(
    rest: Flink, tmp_path: Path
) -> None:
    rest.answers["/overview"]["flink-version"] = "1.17.2"
    with pytest.raises(UsageError, match=r"runs Flink 1\.17, and this Beam knows 1\.19.*_jar JAR$"):
        configured(rest)
    jar = tmp_path / "server.jar"
    jar.touch()
    configured(rest, f"--flink_job_server_jar={jar}")


def test_java_is_asked_for(rest: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None)
    with pytest.raises(UsageError, match=r"^there is no java here.*; install Java"):
        configured(rest)
    configured(rest, "--job_endpoint=elsewhere:8099")


def test_the_worker_is_asked_for(rest: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(UsageError, match=r"^/nowhere/beam-pipeline-worker is missing"):
        configured(rest)
    configured(rest, "--environment_type=DOCKER")


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--streaming", "for jobs that never end"),
        ("--flink_submit_uber_jar", "is not supported"),
        ("--flink_job_server_jar=/nowhere.jar", "there is no such file"),
    ],
)
def test_options_that_cannot_work_are_refused(rest: Flink, flag: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        configured(rest, flag)


# Errors


def test_an_error_is_one_line() -> None:
    failed = "Pipeline job_1 failed in state FAILED: java.lang.RuntimeException: Error:\n"
    assert explain(f"{failed}Traceback (most recent call last):\n  File\nKeyError: 'a'\n\n") == (
        "--runner FlinkRunner: KeyError: 'a'"
    )
    assert explain(f"{failed}\tat org.apache") == (
        "--runner FlinkRunner: java.lang.RuntimeException: Error:"
    )
    assert explain("") == "--runner FlinkRunner: the job failed"


@pytest.mark.parametrize("text", [
    'java.io.IOException: Cannot run program "/a/beam-pipeline-worker": error=2',
    "java.lang.IllegalStateException: Process died with exit code 127",
])  # fmt: skip
def test_a_worker_that_cannot_start_is_to_be_installed(text: str) -> None:
    assert explain(text).endswith("on every machine, and try beam-pipeline-worker --help there")


def test_an_error_of_the_job_server_is_what_it_has_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    class Internal(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.INTERNAL

    engine = FlinkEngine(parse_command_line(["--runner=FlinkRunner"]))
    assert engine.explain(Internal()).endswith("the job server has ended: INTERNAL")
    monkeypatch.setattr(flink._Runner, "last_cause", "java.lang.Exception: no slots")
    assert engine.explain(Internal()).endswith("java.lang.Exception: no slots")


def job_server(folder: Path, script: str) -> FlinkJobServer:
    """A job server that is no Java, but this script."""
    launcher, jar = folder / "java", folder / "server.jar"
    launcher.write_text(f"#!/bin/sh\n{script}\n")
    launcher.chmod(0o755)
    jar.touch()
    return FlinkJobServer(
        parse_command_line(
            [f"--job_server_java_launcher={launcher}", f"--flink_job_server_jar={jar}"]
        )
    )


def test_a_job_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = job_server(tmp_path, "echo 'Error: JDK 17 is needed'; echo")
    with pytest.raises(RunError, match=r"does not start: Error: JDK 17 is needed$"):
        server.start()
    server.stop()
    assert server.last_cause is None


def test_a_job_server_that_has_ended_tells_its_last_error(tmp_path: Path) -> None:
    server = job_server(
        tmp_path, "echo 'Caused by: first'; echo '	Caused by: no slots'; echo bye"
    )
    with pytest.raises(RunError, match=r"does not start: bye$"):
        server.start()
    server.stop()
    assert server.last_cause == "no slots"


# Progress


def metric(namespace: str, name: str, value: int) -> dict[str, Any]:
    return {
        "urn": "beam:metric:user:sum_int64:v1",
        "payload": base64.b64encode(VarIntCoder().encode(value)).decode(),
        "labels": {"NAMESPACE": namespace, "NAME": name, "PTRANSFORM": "step"},
    }


def show(rest: Flink, *found: dict[str, Any]) -> None:
    """Let the cluster have a job with these metrics."""
    jobs = [{"jid": "a1", "name": "mine", "start-time": 1}, {"jid": "b2", "name": "mine",
            "start-time": 2}, {"jid": "c3", "name": "theirs", "start-time": 3}]  # fmt: skip
    rest.answers["/jobs/overview"] = {"jobs": jobs}
    text = json.dumps({"metrics": {"attempted": found, "committed": found}})
    accumulators = [{"name": "other", "value": "1"}, {"name": "__metricscontainers", "value": text}]
    rest.answers["/jobs/b2/accumulators"] = {"user-task-accumulators": accumulators}


def test_counters_are_those_of_the_newest_job_of_the_name(rest: Flink) -> None:
    time_spent = {"urn": "beam:metric:element_count:v1", "payload": "AA==", "labels": {}}
    show(rest, metric("work", "resized", 300), metric("work", "resized", 5), time_spent,
         metric("clips", "resized", 1))  # fmt: skip
    cluster = FlinkCluster(rest.address)
    job = cluster.find_job("mine")
    assert job == "b2"
    assert cluster.counters(job, "work") == {"resized": 305}
    assert cluster.find_job("unknown") is None


def test_a_job_that_has_counted_nothing_has_no_counters(rest: Flink) -> None:
    rest.answers["/jobs/b2/accumulators"] = {"user-task-accumulators": []}
    assert not FlinkCluster(rest.address).counters("b2", "work")
    with pytest.raises(Unreachable):
        FlinkCluster(rest.address).counters("gone", "work")


def test_clips_count_before_the_bundle_ends_in_which_they_are_made(
    rest: Flink, tmp_path: Path
) -> None:
    options, config = configured(rest, f"--output={tmp_path}", "--job_name=mine")
    engine = FlinkEngine(options)
    config = engine.configure(config)
    show(rest, metric("work", "planned", 9), metric("work", "failed", 1),
         metric("work", "copied", 1))  # fmt: skip
    engine._announce(config)
    until = time.monotonic() + 60
    while engine._job is None and time.monotonic() < until:
        time.sleep(0.01)
    (tmp_path / "_state" / config.output.run / "tmp").mkdir(parents=True)
    log = RowLog(config.output)
    log.add(MADE._replace(source_bytes=7))
    log.add(MADE._replace(source_bytes=8))
    with engine._live_line(config) as line:
        line._update_counts()
    counts = engine.counts
    assert (counts.tasks, counts.succeeded, counts.failed, counts.done) == (9, 2, 1, 3)
    assert (counts.bytes_in, counts.bytes_out) == (15, 6)
    assert counts.rate == 0  # what was there when it was first asked tells no rate


# The worker


@pytest.fixture
def runner() -> Iterator[str]:
    """A runner that tells its workers the options of a job; its address."""
    options = {"storage_options": "{}", "parallelism": 2}
    info = beam_provision_api_pb2.ProvisionInfo(
        pipeline_options=JobServiceHandle.encode_pipeline_options(options),
        control_endpoint=endpoints_pb2.ApiServiceDescriptor(url="localhost:1"),
        logging_endpoint=endpoints_pb2.ApiServiceDescriptor(url="localhost:2"),
        runner_capabilities=["a", "b"],
    )

    class Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
        def GetProvisionInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
            assert ("worker_id", "1-1") in context.invocation_metadata()
            return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)

    server = grpc.server(ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(Provision(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)


def environment(runner: str, *more: str) -> dict[str, str]:
    flags = ["--id=1-1", f"--provision_endpoint={runner}", *more]
    arguments = worker._parser().parse_args(flags)
    return worker.environment_of(worker.ask_runner(runner, "1-1"), arguments)


def test_a_worker_gets_its_options_from_the_runner(runner: str) -> None:
    found = environment(runner)
    assert json.loads(found["PIPELINE_OPTIONS"]) == {
        "beam:option:storage_options:v1": "{}",
        "beam:option:parallelism:v1": "2",
        "beam:option:default_sdk_harness_log_level:v1": "WARNING",
    }
    assert (found["WORKER_ID"], found["RUNNER_CAPABILITIES"]) == ("1-1", "a b")
    assert url_in(found["CONTROL_API_SERVICE_DESCRIPTOR"]) == "localhost:1"
    assert url_in(found["LOGGING_API_SERVICE_DESCRIPTOR"]) == "localhost:2"


def test_what_the_command_line_of_a_worker_names_counts(runner: str) -> None:
    found = environment(
        runner, "--control_endpoint=localhost:8", "--logging_endpoint=localhost:9",
        "--artifact_endpoint=localhost:7", "--semi_persist_dir=/tmp/x",
    )  # fmt: skip
    assert url_in(found["CONTROL_API_SERVICE_DESCRIPTOR"]) == "localhost:8"
    assert url_in(found["LOGGING_API_SERVICE_DESCRIPTOR"]) == "localhost:9"
    assert found["SEMI_PERSISTENT_DIRECTORY"] == "/tmp/x"


def url_in(text: str) -> str:
    return text_format.Parse(text, endpoints_pb2.ApiServiceDescriptor()).url


# The end


class Job:
    """A job, as a runner gives it back, in which a worker makes a clip."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def run(self) -> "Job":
        return self

    def wait_until_finish(self) -> None:
        log = RowLog(self._config.output)
        log.add(MADE)
        log.close()

    def metrics(self) -> "Job":
        return self

    def query(self, _: object) -> dict[str, list[Any]]:
        return {"counters": []}


@pytest.mark.parametrize("shard", ["1/2", None])
def test_what_a_job_has_left_goes_unless_it_is_a_part(tmp_path: Path, shard: str | None) -> None:
    config = Config.from_flags(videos="/v", output=str(tmp_path / "output"), shard=shard)
    job: Any = Job(config)
    assert FlinkEngine(PipelineOptions([])).run(job, config)
    left = [path.name for path in tmp_path.rglob("*.jsonl")]
    assert len(left) == (shard is not None)
    assert (tmp_path / "output" / "_state").exists() is (shard is not None)


def test_the_job_server_ends_with_this_program() -> None:
    """A signal ends it without a word to anybody else: see ``cli.py``."""
    script = (
        "import subprocess\n"
        "from beam_pipeline.codec import child_processes\n"
        "process = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
        "child_processes.kill_too(process)\n"
        "child_processes.kill_all()\n"
        "print(process.wait())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(ended.stdout) == -signal.SIGKILL
