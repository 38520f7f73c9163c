"""A SLURM of one machine: its daemons, started for a test and gone after it."""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
CORES = 2
PATIENCE = 180.0
"""Seconds after which a test gives up on what should take some ten."""

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")


class Cluster:
    """``munged``, ``slurmctld`` and ``slurmd``; all that they write is in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        self._environment = {
            **os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf"),
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def __enter__(self) -> Self:
        missing = [name for name in COMMANDS if not shutil.which(name, path=self._path)]
        assert not missing, (
            f"no {missing[0]}; type apt-get install slurmctld slurmd slurm-client munge"
        )
        assert os.geteuid() == 0, "slurmd needs root"
        self._write_settings()
        try:
            self._start("munged", "--foreground", "--force", f"--key-file={self._folder}/key",
                        *(f"--{kind}-file={self._folder}/munge.{kind}" for kind in
                          ("log", "pid", "seed")), f"--socket={self._folder}/munge")  # fmt: skip
            wait_for((self._folder / "munge").exists)
            self._start("slurmctld", "-D", "-i")
            self._start("slurmd", "-D", "-N", socket.gethostname().partition(".")[0])
            wait_for(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if len(self._daemons) == len(("munged", "slurmctld", "slurmd")):
            self.run("scancel", "--user", getpass.getuser())
            wait_for(lambda: not self.run("squeue", "--noheader"))
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            daemon.wait(30)

    @property
    def _path(self) -> str:
        return self._environment["PATH"]

    def run(self, *command: str) -> str:
        """Run one of SLURM's commands; what it prints."""
        ended = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=60
        )
        return ended.stdout.strip()

    def submit(self, *words: str) -> str:
        """Submit a job; its id."""
        job = self.run("sbatch", "--parsable", *words)
        assert job.isdigit(), f"{words} were not taken"
        return job

    def wait(self, job: str) -> None:
        """Wait until a job, or every task of an array, has ended."""
        wait_for(lambda: not self.run("squeue", "--noheader", "--jobs", job))

    def kill(self, job: str) -> None:
        """Kill all processes of a task of an array, as if its node were short of memory."""
        (about,) = self._about(job)
        processes = [line.split() for line in self.run("scontrol", "listpids").splitlines()[1:]]
        mine = [int(pid) for pid, owner, *_ in processes if owner == about["JobId"]]
        assert mine
        for pid in mine:
            os.kill(pid, signal.SIGKILL)

    def exit_codes(self, job: str) -> dict[str, str]:
        """By task of an array (or job), its state and exit code, such as ``COMPLETED 0:0``."""
        return {
            about.get("ArrayTaskId", about["JobId"]): f"{about['JobState']} {about['ExitCode']}"
            for about in self._about(job)
        }

    def _about(self, job: str) -> list[dict[str, str]]:
        said = self.run("scontrol", "--oneliner", "show", "job", job)
        return [
            dict(word.split("=", 1) for word in line.split() if "=" in word)
            for line in said.splitlines()
        ]

    def _start(self, name: str, *flags: str) -> None:
        program = shutil.which(name, path=self._path)
        assert program is not None
        with (self._folder / f"{name}.log").open("wb") as log:
            self._daemons.append(
                subprocess.Popen([program, *flags], env=self._environment, stdout=log, stderr=log)
            )

    def _write_settings(self) -> None:
        key = self._folder / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        settings = {
            "ClusterName": "test", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root",
            "SlurmctldPort": free_port(), "SlurmdPort": free_port(),
            "AuthType": "auth/munge", "AuthInfo": f"socket={self._folder}/munge",
            "CredType": "cred/munge",
            "StateSaveLocation": self._folder / "state", "SlurmdSpoolDir": self._folder / "spool",
            "SlurmctldPidFile": self._folder / "slurmctld.pid",
            "SlurmdPidFile": self._folder / "slurmd.pid",
            "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none", "MpiDefault": "none",
            "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core",
            "SlurmdParameters": "config_overrides", "ReturnToService": 2, "KillWait": 10,
            "SchedulerParameters": "sched_interval=1,bf_interval=1", "MinJobAge": 600,
        }  # fmt: skip
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines += [
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs={CORES} State=UNKNOWN",
            f"PartitionName=all Nodes={host} Default=YES State=UP OverSubscribe=NO",
        ]
        (self._folder / "slurm.conf").write_text("\n".join(lines) + "\n")
        for name in ("state", "spool"):
            (self._folder / name).mkdir()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def wait_for(happens: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is so; fail where it does not come to that."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)
