"""Killed amid the packing of shards, a run leaves whole ones, and the next packs only the rest."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import Many
from tests.faults.runs import Run, files, finish

SHARDS = ("--list_format", "webdataset")

KILLED = """
import os, runpy, signal, sys
from beam_pipeline.output.output_folder import Output

left = int(sys.argv[1])
sys.argv = sys.argv[4:]  # from the name of the module on
publish = Output.publish

def publish_or_die(self, path, relative, **options):
    global left
    if relative.endswith(".tar"):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
    publish(self, path, relative, **options)

Output.publish = publish_or_die
runpy.run_module("beam_pipeline", run_name="__main__", alter_sys=True)
"""
"""Starts the command, and kills it when it has written a shard but not yet given it its name."""


@pytest.mark.parametrize("packed", [0, 1, 2])
def test_a_kill_amid_packing_leaves_whole_shards_and_the_next_run_packs_the_rest(
    many: Many, tmp_path: Path, packed: int
) -> None:
    whole = Path(shutil.copytree(many.finished, tmp_path / "whole"))
    assert finish(many.flags(whole, *SHARDS), tmp_path).status == 0
    output = tmp_path / "output"
    launcher = [sys.executable, "-c", KILLED, str(packed)]
    with Run(many.flags(output, *SHARDS), tmp_path, launcher=launcher) as run:
        assert run.process.wait(60) == -9
    there = files(output / "webdataset")
    assert len(there) == packed
    assert not (output / "summary.json").exists()
    ended = finish(many.flags(output, *SHARDS), tmp_path)
    assert ended.status == 0, ended.err
    assert there.items() <= files(output / "webdataset").items(), "packed again"
    assert contents(output) == contents(whole)
    assert not (output / "_state").exists()


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (output / "webdataset").iterdir()}
