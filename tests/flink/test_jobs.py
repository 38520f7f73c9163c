"""Jobs from the command line: as of a local run, whatever dies meanwhile."""

import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path

from beam_pipeline.output import run_lock, runs
from beam_pipeline.output.output_folder import Output
from tests.buckets import BUCKET, Buckets
from tests.faults.runs import Run, assert_same, clips, wait_for
from tests.flink.clusters import Cluster
from tests.flink.conftest import COUNT, JOB_SECONDS, Flink, Prepared

SAID = "beam_pipeline: running on Flink: http://localhost:"


def test_on_a_cluster_comes_out_what_a_local_run_makes(
    flink: Flink, cluster: Cluster, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = flink.finish(prepared, output)
    assert ended.status == 0, ended.err + cluster.log()[-3000:]
    assert f"{COUNT + 1} clips in " in ended.out
    (said,) = ended.err.splitlines()
    assert said.startswith(SAID)
    assert_same(output, prepared.result)
    assert not (output / "_state").exists()
    wait_for(lambda: not cluster.workers())


def test_inside_the_job_server_comes_out_the_same(
    jar: Path, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    ended = Flink("[local]", jar, tmp_path).finish(prepared, output)
    assert (ended.status, ended.err) == (0, "")
    assert f"{COUNT + 1} clips in " in ended.out
    assert_same(output, prepared.result)
    for path in (prepared.local / "webdataset").iterdir():
        assert (output / "webdataset" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_task_manager_that_is_killed_costs_nothing(
    flink: Flink, cluster: Cluster, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with flink.start(prepared, output) as run:
        wait_for(lambda: len(clips(output)) >= COUNT // 3 or run.is_over(), JOB_SECONDS)
        assert not run.is_over()
        cluster.kill_manager()
        cluster.start_manager()
        ended = run.finished(JOB_SECONDS)
    assert ended.status == 0, ended.err + cluster.log()[-3000:]
    assert_same(output, prepared.result)


def test_a_worker_that_is_killed_costs_nothing(
    flink: Flink, cluster: Cluster, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with flink.start(prepared, output) as run:
        wait_for(lambda: len(clips(output)) >= COUNT // 3 or run.is_over(), JOB_SECONDS)
        os.kill(cluster.workers()[0], signal.SIGKILL)
        ended = run.finished(JOB_SECONDS)
    assert ended.status == 0, ended.err + cluster.log()[-3000:]
    assert_same(output, prepared.result)


def test_who_leaves_a_job_learns_how_to_cancel_it_and_until_then_it_is_alive(
    flink: Flink, cluster: Cluster, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with flink.start(prepared, output) as run:
        wait_for(lambda: len(clips(output)) >= COUNT // 3 or run.is_over(), JOB_SECONDS)
        os.kill(run.process.pid, signal.SIGINT)
        ended = run.finished(JOB_SECONDS)
    assert ended.status == 130, ended.err
    said = ended.err.splitlines()[-1]
    assert said.startswith("beam_pipeline: the job continues on Flink; to stop it type curl ")
    made = len(clips(output))
    wait_for(lambda: len(clips(output)) > made, JOB_SECONDS)
    (state,) = runs.runs_in(Output(str(output), ""))
    assert run_lock.is_alive(Output(str(output), ""), state)
    command = said.partition(" type ")[2]
    subprocess.run(shlex.split(command), check=True, capture_output=True, timeout=60)
    wait_for(lambda: not run_lock.is_alive(Output(str(output), ""), state))
    again = flink.finish(prepared, output)
    assert again.status == 0, again.err
    assert_same(output, prepared.result)


def test_what_a_step_refuses_is_said_in_one_line(
    flink: Flink, prepared: Prepared, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "summary.json").write_text("theirs")
    ended = flink.finish(prepared, output)
    assert ended.status == 1
    assert f"{output}/summary.json is no file of this program" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert os.listdir(output) == ["summary.json"]


def test_a_machine_that_does_not_see_the_output_is_named(
    flink: Flink, prepared: Prepared, tmp_path: Path
) -> None:
    """A disk that only the client sees."""
    (disk := tmp_path / "disk").mkdir()
    own_disk = [
        "unshare", "--map-root-user", "--mount", "sh", "-c",
        f'mount -t tmpfs none {disk} && exec "$@"', "sh",
    ]  # fmt: skip
    with Run(flink.flags(prepared, disk / "output"), tmp_path, launcher=own_disk) as run:
        ended = run.finished(JOB_SECONDS)
    assert ended.status == 1
    said = ended.err.splitlines()[-1]
    assert said.startswith(f"beam_pipeline: the worker on {socket.gethostname()} does not see ")
    assert "that all machines share" in said
    assert not os.listdir(disk)


def test_storage_options_reach_the_workers(flink: Flink, prepared: Prepared) -> None:
    with Buckets() as buckets:
        output = f"gs://{BUCKET}/output"
        ended = flink.finish(prepared, "unused", f"--output={output}", *buckets.flags)
        assert ended.status == 0, ended.err
        made = buckets.all_files("output")
    local = {str(path.relative_to(prepared.local)): path for path in prepared.local.rglob("*.*")}
    assert made.keys() == {name for name, path in local.items() if path.is_file()}
    for name in made:
        if name.endswith(".mp4") or name in ("train.csv", "val.csv", "test.csv"):
            assert made[name] == local[name].read_bytes(), name
