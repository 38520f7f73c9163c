"""A Flink cluster on this machine, of the jars that ``make test-flink`` fetches."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from tests.kinetics import ROOT

FETCHED = ROOT / "build" / "flink"
JOB_SERVER, LIBRARIES = FETCHED / "jars", FETCHED / "lib"

STARTED = 60.0
"""Seconds in which a process of Flink has started."""

# Java 17 keeps what Flink looks into; its own scripts open the same.
OPENED = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in (
        "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio",
        "java.time", "java.util", "java.util.concurrent", "java.util.concurrent.atomic",
        "java.util.concurrent.locks", "java.text", "sun.nio.ch", "sun.net.util",
    )
]  # fmt: skip


def need_jars() -> None:
    """End the tests where the jars have not been fetched."""
    if not (FETCHED / ".fetched").exists():
        pytest.exit("the jars of Flink are missing; type make test-flink", returncode=1)


def job_server_jar(folder: Path) -> Path:
    """A jar that names those of the job server: Beam's client starts one jar."""
    names = " ".join(jar.as_uri() for jar in sorted(JOB_SERVER.glob("*.jar")))
    lines = [
        "Manifest-Version: 1.0",
        "Main-Class: org.apache.beam.runners.flink.FlinkJobServerDriver",
        f"Class-Path: {names}",
    ]
    jar = folder / "job-server.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "".join(map(_folded, lines)))
    return jar


def _folded(line: str) -> str:
    """A line of a manifest: at most 72 bytes, and what follows begins with a space."""
    parts = [line[:70], *(line[at : at + 69] for at in range(70, len(line), 69))]
    return "\r\n ".join(parts) + "\r\n"


@dataclass
class Cluster:
    """One job manager and task managers of one slot each, all on this machine."""

    folder: Path
    managers: int = 2
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The job manager, then the task managers; those that were killed too."""

    def __enter__(self) -> Self:
        self.port, rpc_port = _free_ports(2)
        (self.folder / "conf").mkdir(parents=True)
        (self.folder / "conf" / "flink-conf.yaml").write_text(
            f"""\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc_port}
rest.address: localhost
rest.bind-address: localhost
rest.port: {self.port}
io.tmp.dirs: {self.folder}
heartbeat.interval: 1000
heartbeat.timeout: 10000
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 5
restart-strategy.fixed-delay.delay: 3 s
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
taskmanager.memory.task.heap.size: 384m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.managed.size: 128m
taskmanager.memory.network.min: 384m
taskmanager.memory.network.max: 384m
"""
        )
        try:
            self._start("org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint")
            for _ in range(self.managers):
                self.start_manager()
            self._wait_for(f'"slots-total":{self.managers}')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # workers of a manager that was killed
            process.wait()

    @property
    def master(self) -> str:
        return f"localhost:{self.port}"

    def start_manager(self) -> None:
        self._start("org.apache.flink.runtime.taskexecutor.TaskManagerRunner")

    def kill_manager(self) -> None:
        """Kill the newest task manager, as a machine that fails."""
        self.processes[-1].kill()

    def workers(self) -> list[int]:
        """The Python processes that the task managers have started."""
        return [
            child for manager in self.processes[1:] if manager.poll() is None
            for child in _children(manager.pid)
        ]  # fmt: skip

    def log(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def get(self, path: str) -> str:
        """What the REST API answers."""
        with urllib.request.urlopen(f"http://{self.master}{path}", timeout=20) as response:
            return response.read().decode()

    def _start(self, main: str) -> None:
        number = len(self.processes)
        with (self.folder / f"{number}.log").open("wb") as log:
            process = subprocess.Popen(
                ["java", *OPENED, "-Xmx512m", "-XX:MaxDirectMemorySize=640m",
                 "-cp", ":".join(map(str, sorted(LIBRARIES.glob("*.jar")))), main,
                 "--configDir", self.folder / "conf"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)

    def _wait_for(self, text: str) -> None:
        ends = time.monotonic() + STARTED
        while True:
            with suppress(urllib.error.URLError, OSError):
                if text in self.get("/overview"):
                    return
            assert time.monotonic() < ends, self.log()[-3000:]
            time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _children(parent: int) -> list[int]:
    return [
        int(pid) for task in Path(f"/proc/{parent}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]  # fmt: skip
