"""Apache Flink: a cluster of one's own, and Flink inside this machine for tests."""

import json
import re
import shutil
import sys
import threading
import uuid
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners import PipelineRunner
from apache_beam.runners.portability.flink_runner import FlinkRunner
from apache_beam.runners.portability.job_server import JobServer
from apache_beam.runners.runner import PipelineResult

from beam_pipeline.config import Config
from beam_pipeline.engines.engine import Engine, announce, has_ended
from beam_pipeline.engines.flink_cluster import REST_PORT, FlinkCluster, Unreachable
from beam_pipeline.engines.flink_job_server import FlinkJobServer
from beam_pipeline.errors import UsageError
from beam_pipeline.output.leases import (
    begin_shared_run,
    release_lease,
    remove_own_state,
    remove_unused_state,
)
from beam_pipeline.output.row_log import LoggedRows
from beam_pipeline.progress import metrics
from beam_pipeline.progress.live_line import LiveLine

WORKER = "beam-pipeline-worker"
"""The command that Flink starts on its machines."""

EMBEDDED = "[local]"
"""The ``--flink_master`` that is a Flink inside the job server, on this machine."""

_STATE = re.compile(r"^Pipeline \S+ failed in state \w+: ")

ASK_INTERVAL = 1.0
"""Seconds between two questions for the job's id, until the cluster knows it."""


class FlinkEngine(Engine):
    """Apache Flink. A job continues when the program that started it is stopped."""

    def __init__(self, options: PipelineOptions) -> None:
        super().__init__(options)
        self._cluster: FlinkCluster | None = None
        self._runner = _Runner()
        self._job: str | None = None

    def configure(self, config: Config) -> Config:
        _check(self.options)
        master = self.options.view_as(FlinkRunnerOptions).flink_master
        if master != EMBEDDED:
            self._cluster = FlinkCluster.at(master)
            config = fit_to_cluster(self.options, config, self._cluster)
        set_worker(self.options)
        return replace(config, output=replace(config.output, shared=True))

    def create_runner(self) -> PipelineRunner:
        return self._runner

    def run(self, pipeline: beam.Pipeline, config: Config) -> bool:
        begin_shared_run(config.output)
        result: PipelineResult | None = None
        try:
            result = pipeline.run()
            self._announce(config)
            with self._live_line(config) if self._cluster else nullcontext():
                result.wait_until_finish()
            if self._cluster is None:
                metrics.update_counts(result.metrics(), self.counts)
        except Exception:
            if result is None or has_ended(result):
                remove_unused_state(config.output, remote=True)
                release_lease(config.output)
            raise
        finally:
            self._runner.stop()
        if config.output.is_local and config.shard is None:
            remove_own_state(config.output)  # what this process had open, see there
        release_lease(config.output)
        return True

    def _live_line(self, config: Config) -> LiveLine:
        logged = LoggedRows(config.output)
        return LiveLine(self.counts, lambda: self._update_counts(logged), config.reporting)

    def _announce(self, config: Config) -> None:
        """Say where the job is to be seen, as soon as the cluster knows it."""
        if self._cluster is not None:
            self.interrupt_message = (
                f"the job may start yet; it is listed, and can be cancelled, at "
                f"{self._cluster.address}"
            )
            wait = threading.Thread(
                target=self._wait_for_job, args=(self._cluster, config), daemon=True
            )
            wait.start()

    def _wait_for_job(self, cluster: FlinkCluster, config: Config) -> None:
        name = self.options.view_as(GoogleCloudOptions).job_name
        pause = threading.Event()
        while self._job is None and not pause.wait(ASK_INTERVAL):
            with suppress(Unreachable):
                self._job = cluster.find_job(name)
        assert self._job is not None
        self.interrupt_message = (
            f"the job continues on Flink; to stop it type {cluster.cancel_command(self._job)}"
        )
        announce(f"running on Flink: {cluster.page_of(self._job)}", config)

    def _update_counts(self, logged: LoggedRows) -> None:
        """Set the counts. Flink knows those of a bundle at its end, which may be hours away."""
        if self._cluster is None or self._job is None:
            return
        work = self._cluster.counters(self._job, metrics.WORK)
        logged.update()
        if logged.rows > work["resized"] + work["copied"]:
            made = {"resized": logged.rows, "copied": 0}
            sizes = {"bytes_in": logged.bytes_in, "bytes_out": logged.bytes_out}
            work = Counter({**work, **made, **sizes, "damaged": logged.damaged})
        metrics.set_counts(work, self.counts)

    def explain(self, error: Exception) -> str:
        text = str(error)
        if isinstance(error, grpc.RpcError):  # of the job server, which has logged why
            text = self._runner.last_cause or f"the job server has ended: {error.code().name}"
        return explain(text)


def explain(text: str) -> str:
    """One line about an error of Flink, or of a step that failed there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    text = lines[-1 if "Traceback" in text else 0] if lines else "the job failed"
    text = _STATE.sub("", text)
    if "Cannot run program" in text or "Process died" in text:
        text += (
            f"; install this program at one path on every machine, and try {WORKER} --help there"
        )
    return f"--runner FlinkRunner: {text}"


def _check(options: PipelineOptions) -> None:
    """Check what needs no cluster.

    Raises:
        UsageError: an option is missing, or Java.
    """
    flink = options.view_as(FlinkRunnerOptions)
    if flink.flink_master == "[auto]":
        raise UsageError(f"--flink_master is missing; type --flink_master HOST:{REST_PORT}")
    if options.view_as(StandardOptions).streaming:
        raise UsageError("--streaming is for jobs that never end; leave it out")
    if flink.flink_submit_uber_jar:
        raise UsageError("--flink_submit_uber_jar is not supported; leave it out")
    if options.view_as(PortableOptions).job_endpoint:
        return
    launcher = options.view_as(JobServerOptions).job_server_java_launcher
    if shutil.which(launcher) is None:
        raise UsageError(
            f"there is no {launcher} here, which hands the job to Flink; install Java (apt-get "
            "install default-jre-headless), or type --job_server_java_launcher PATH"
        )
    jar = flink.flink_job_server_jar
    if jar and "://" not in jar and not Path(jar).is_file():
        raise UsageError(f"--flink_job_server_jar {jar}: there is no such file")


def fit_to_cluster(options: PipelineOptions, config: Config, cluster: FlinkCluster) -> Config:
    """Set the options that depend on the cluster; returns the settings adapted to it.

    Raises:
        UsageError: an option does not fit.
        RunError: the cluster cannot be used.
    """
    size = cluster.size()
    flink = options.view_as(FlinkRunnerOptions)
    flink.flink_master = cluster.address
    if flink.parallelism < 1:
        flink.parallelism = size.slots
    _set_version(options, size.version)
    google = options.view_as(GoogleCloudOptions)  # where Beam has put the name of any job
    google.job_name = google.job_name or f"beam-pipeline-{uuid.uuid4().hex[:8]}"
    return replace(config, workers=config.workers or _workers(options, size.cores))


def _set_version(options: PipelineOptions, version: str) -> None:
    """Set ``--flink_version`` to the cluster's own, unless it is typed or a jar decides it."""
    flink = options.view_as(FlinkRunnerOptions)
    typed = "flink_version" in options.get_all_options(drop_default=True)
    portable = options.view_as(PortableOptions)
    if typed or flink.flink_job_server_jar or portable.job_endpoint:
        return
    published = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    if version not in published:
        raise UsageError(
            f"the cluster runs Flink {version}, and this Beam knows {', '.join(published)}; start "
            "one of these, or type --flink_job_server_jar JAR"
        )
    flink.flink_version = version


def set_worker(options: PipelineOptions) -> None:
    """Let Flink start the worker as a process on its machines, unless something else is typed.

    Raises:
        UsageError: the worker's command is missing.
    """
    portable = options.view_as(PortableOptions)
    portable.environment_type = portable.environment_type or "PROCESS"
    typed = portable.environment_config or portable.environment_options
    if portable.environment_type != "PROCESS" or typed:
        return
    command = Path(sys.executable).with_name(WORKER)
    if not command.is_file():
        raise UsageError(
            f"{command} is missing, which Flink's machines are to start; install this program "
            "again, at the same path on every machine, or type --environment_config "
            f'\'{{"command": "PATH/{WORKER}"}}\''
        )
    portable.environment_config = json.dumps({"command": str(command)})


def _workers(options: PipelineOptions, cores: int | None) -> int | None:
    """Codec children for each worker process; None if each is to count the cores of its machine.

    A task manager has one such process for all its slots, unless more are typed.
    """
    processes = int(options.view_as(PortableOptions).sdk_worker_parallelism)
    return None if cores is None or processes < 1 else max(1, cores // processes)


class _Runner(FlinkRunner):
    """Beam's runner, with a job server that this program ends."""

    def __init__(self) -> None:
        super().__init__()
        self._server: FlinkJobServer | None = None

    def default_job_server(self, options: PipelineOptions) -> JobServer:
        self._server = FlinkJobServer(options)
        return self._server

    @property
    def last_cause(self) -> str | None:
        """The last error that the job server has logged, once it has ended."""
        return self._server and self._server.last_cause

    def stop(self) -> None:
        """End the job server, if there is one; a job on a cluster goes on."""
        if self._server is not None:
            self._server.stop()
