"""Beam's job server: the Java program on this machine that hands a job to Flink."""

import shutil
import subprocess
import tempfile
import time

import grpc
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2_grpc
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer

from beam_pipeline.codec import child_processes
from beam_pipeline.errors import RunError

START_SECONDS = 120.0
"""Seconds in which the job server has to answer. It takes 3 to 10."""

LOOK_INTERVAL = 0.2

CAUSE = "Caused by: "

STOP_SECONDS = 10.0
"""Seconds in which it may end by itself."""


class FlinkJobServer(FlinkJarJobServer):
    """Starts the job server that Beam would start, and ends it whatever becomes of this program.

    Attributes:
        last_cause: the last error that it has logged, once it has ended; None if there is none.
            The rest of its log is for Beam's developers.
    """

    def __init__(self, options: PipelineOptions) -> None:
        super().__init__(options)
        self._version = options.view_as(FlinkRunnerOptions).flink_version
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.last_cause: str | None = None

    def start(self) -> beam_job_api_pb2_grpc.JobServiceStub:
        """Start it and wait until it answers.

        Raises:
            RunError: it does not start, or its jar cannot be fetched.
        """
        self._local_temp_root = tempfile.mkdtemp(prefix="beam_pipeline-flink-")
        try:
            command, endpoint = self.subprocess_cmd_and_endpoint()
        except (OSError, RuntimeError, ValueError) as error:
            raise RunError(
                f"the job server for Flink {self._version} cannot be fetched: {error}; fetch "
                f"beam-runners-flink-{self._version}-job-server from a Maven repository and type "
                "--flink_job_server_jar FILE"
            ) from error
        # Not of this process's group: Ctrl-C is for this program, which ends the server itself.
        self._process = subprocess.Popen(
            [*map(str, command)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        child_processes.kill_too(self._process)
        channel = grpc.insecure_channel(endpoint)
        self._wait_for_answer(self._process, channel)
        return beam_job_api_pb2_grpc.JobServiceStub(channel)

    def _wait_for_answer(self, process: "subprocess.Popen[bytes]", channel: grpc.Channel) -> None:
        ready = grpc.channel_ready_future(channel)
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                ready.result(timeout=LOOK_INTERVAL)
            except grpc.FutureTimeoutError:
                if process.poll() is None and time.monotonic() < ends:
                    continue
                said = self._lines()[-1:] or ["it says nothing"]
                raise RunError(f"the job server for Flink does not start: {said[0]}") from None
            return

    def _lines(self) -> list[str]:
        """What it has logged, without blank lines."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def stop(self) -> None:
        """End it and remove its files. It does nothing the second time."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process = None
            causes = [line.removeprefix(CAUSE) for line in self._lines() if line.startswith(CAUSE)]
            self.last_cause = causes[-1] if causes else None
            self._log.close()
        if self._local_temp_root is not None:
            shutil.rmtree(self._local_temp_root, ignore_errors=True)
