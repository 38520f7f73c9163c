"""A stand-in for Dataflow: the part of its REST API that Beam's client uses, and machines.

It takes what the client has staged, installs the package into an environment of its own and runs
the pipeline there on two processes. It differs from the service in that a worker that dies costs
the attempt, and all is tried again: a bundle has no attempts of its own here. Names are not
validated by the client, for the address begins with localhost.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import venv
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.buckets import BUCKET, Buckets
from tests.kinetics import ROOT
from tests.serving import Serving

NOTICED = 15.0
"""Seconds after which it is noticed that a worker is dead: Beam's engine may wait for it for ever,
where it had taken up a bundle and sent nothing yet."""

STAGED = "staging"
MACHINES = Path(__file__).with_name("machines.py")


@dataclass
class Machines:
    """An environment with the staged package or what the image holds, and nothing else."""

    folder: Path
    package: bytes = b""

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def install(self, package: bytes) -> None:
        """What a worker does with ``workflow.tar.gz`` when it starts; once for equal ones."""
        if _contents(package) == _contents(self.package):
            return
        assert not self.package, "another package than that of the job before"
        venv.create(self.folder, with_pip=True)
        archive = self.folder / "workflow.tar.gz"
        archive.write_bytes(package)
        self.pip("install", archive)
        self.package = package

    def build_image(self) -> None:
        """What templates/Dockerfile does, but for what lies below in Beam's own image."""
        venv.create(self.folder, with_pip=True)
        template = self.folder / "template"
        shutil.copytree(ROOT / "beam_pipeline", template / "beam_pipeline")
        lock = "templates/requirements.lock"
        for name in (lock, "setup.py", "pyproject.toml", "README.md", "templates/main.py"):
            shutil.copy(ROOT / name, template)
        self.pip("install", "--no-deps", "--requirement", Path(lock).name)
        self.pip("install", "--no-deps", ".")
        self.pip("check")

    def pip(self, *words: str | Path) -> None:
        """Run pip in the environment, where the template is if there is one."""
        place = self.folder / "template"
        subprocess.run(
            [self.python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words],
            cwd=place if place.exists() else self.folder, check=True, timeout=900,
        )  # fmt: skip


def _contents(package: bytes) -> dict[str, bytes] | None:
    """The files of a package, whenever it was made."""
    if not package:
        return None
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        files = [member for member in archive if member.isfile()]
        return {member.name: archive.extractfile(member).read() for member in files}


@dataclass
class Job:
    """A submitted job, and what has become of it."""

    description: dict[str, Any]
    folder: Path
    state: str = "JOB_STATE_RUNNING"
    messages: list[dict[str, str]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """Beam's options as the workers get them; a Struct knows numbers only as floats."""
        given = self.description["environment"]["sdkPipelineOptions"]["options"]
        whole = lambda value: int(value) if isinstance(value, float) else value  # noqa: E731
        return {name: whole(value) for name, value in given.items()}

    @property
    def pool(self) -> dict[str, Any]:
        (pool,) = self.description["environment"]["workerPools"]
        return pool

    @property
    def packages(self) -> dict[str, str]:
        """What was staged for the workers: name to URL."""
        prefix = "storage.googleapis.com/"
        return {
            package["name"]: f"gs://{package['location'].removeprefix(prefix)}"
            for package in self.pool.get("packages", [])
        }

    @property
    def result(self) -> Path:
        return self.folder / "result.json"


@dataclass
class Dataflow(Serving):
    """Serves jobs beside an emulator of buckets.

    ``kill_after`` clips one worker process is killed, in the first attempt; ``repeat`` times each
    bundle is run before the time that counts. Without ``attempts`` a job only waits.
    """

    buckets: Buckets
    machines: Machines
    folder: Path
    kill_after: int | None = None
    repeat: int = 0
    attempts: int = 4
    jobs: dict[str, Job] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    killed: int = 0

    @property
    def flags(self) -> tuple[str, ...]:
        """What brings the real client here, beside what names the buckets."""
        return (
            "--runner=DataflowRunner", f"--dataflow_endpoint={self.address}", "--no_auth",
            "--project=emulated", "--region=us-central1",
            f"--temp_location=gs://{BUCKET}/tmp", f"--staging_location=gs://{BUCKET}/{STAGED}",
            "--job_name=kinetics",
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """What brings the client's own uploads to the emulator."""
        return {**os.environ, "STORAGE_EMULATOR_HOST": self.buckets.address}

    # The API

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1b3/projects/emulated/locations/us-central1/jobs")
        self.requests.append((request.method, path))
        if request.method == "POST" and not path:
            job_id = f"job-{len(self.jobs)}"
            job = self.accept(job_id, await request.json())
            threading.Thread(target=self.work, args=(job,), daemon=True).start()
            return web.json_response({**job.description, "id": job_id})
        _, job_id, *what = path.split("/")
        job = self.jobs[job_id]
        if what == ["messages"]:
            return web.json_response({"jobMessages": job.messages})
        if what == ["metrics"]:
            return web.json_response({"metrics": updates(job.metrics)})
        if what:
            return web.Response(status=404)
        return web.json_response(
            {"id": job_id, "name": job.description["name"], "currentState": job.state}
        )

    # The work

    def accept(self, job_id: str, description: dict[str, Any]) -> Job:
        """Take up a job as its description has it; a template's is the same."""
        folder = self.folder / job_id
        folder.mkdir(parents=True)
        self.jobs[job_id] = Job(description, folder)
        return self.jobs[job_id]

    def work(self, job: Job) -> None:
        """Run a job to its end, in as many attempts as Dataflow would make."""
        if not self.attempts:
            return
        try:
            self._unpack(job)
            said = ""
            while job.attempts < self.attempts and not job.result.exists():
                job.attempts += 1
                said = self._attempt(job)
        except Exception as error:
            said = f"the stand-in is at its end: {error!r}"
        if job.result.exists():
            job.metrics = json.loads(job.result.read_text())
            job.state = "JOB_STATE_DONE"
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        job.messages.append({
            "id": "1", "time": now, "messageText": said[-20_000:],
            "messageImportance": "JOB_MESSAGE_ERROR",
        })  # fmt: skip
        job.state = "JOB_STATE_FAILED"

    def _unpack(self, job: Job) -> None:
        pipeline = self.buckets.get(job.options["pipelineUrl"])
        assert hashlib.sha256(pipeline).hexdigest() == job.options["pipelineProtoHash"]
        if "workflow.tar.gz" in job.packages:
            self.machines.install(self.buckets.get(job.packages["workflow.tar.gz"]))
        (job.folder / "pipeline.pb").write_bytes(pipeline)
        (job.folder / "options.json").write_text(json.dumps(job.options))
        (job.folder / "bundle_repeat").write_text(str(self.repeat))

    def _attempt(self, job: Job) -> str:
        """Run it once; what the machines have said."""
        log = job.folder / f"log-{job.attempts}"
        with log.open("w") as file:
            engine = subprocess.Popen(
                [self.machines.python, MACHINES, job.folder], cwd=job.folder, stdout=file,
                stderr=file, env={"PATH": os.environ["PATH"]}, start_new_session=True,
            )  # fmt: skip
        gives_up = None
        try:
            while engine.poll() is None and (gives_up is None or time.monotonic() < gives_up):
                if self.kill_after is not None and not self.killed:
                    self._kill_one(engine.pid, job)
                    if self.killed:
                        gives_up = time.monotonic() + NOTICED
                time.sleep(0.05)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(engine.pid, signal.SIGKILL)  # codecs of the worker that was killed
        return log.read_text()

    def _kill_one(self, engine: int, job: Job) -> None:
        output = job.options["output"].removeprefix(f"gs://{BUCKET}/")
        if len(self.buckets.files(f"{output}/videos")) < self.kill_after:
            return
        workers = [pid for pid in _children(engine) if b"sdk_worker_main" in _command(pid)]
        assert len(workers) == 2
        self.killed += 1
        os.kill(workers[0], signal.SIGKILL)


def updates(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Metrics as the API gives them: each as it is committed, and as it is tentatively."""
    updates = []
    for metric in metrics:
        for tentative in (False, True):
            context = {"namespace": metric["namespace"], "step": metric["step"]}
            if tentative:
                context["tentative"] = "true"
            value = {key: metric[key] for key in ("scalar", "distribution") if key in metric}
            name = {"origin": "user", "name": metric["name"], "context": context}
            updates.append({"name": name, **value})
    return updates


def _children(parent: int) -> list[int]:
    return [
        int(pid) for task in Path(f"/proc/{parent}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]  # fmt: skip


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
