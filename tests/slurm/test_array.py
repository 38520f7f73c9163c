"""An array of SLURM, one of its tasks killed, submitted again, and the results after it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.output.row_log import parse_rows
from tests.faults.conftest import COUNT, Many, make_many
from tests.faults.runs import assert_same, clips
from tests.slurm.cluster import Cluster, wait_for

SCRIPT = "examples/slurm.sbatch"
SMALL = ("--cpus-per-task=1", "--mem-per-cpu=0")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Many:
    return make_many(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # In a short path, for sockets, that munge takes for safe enough.
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)) as running:
        yield running


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_an_array_with_a_task_killed_comes_to_the_results_of_one_run(
    many: Many, cluster: Cluster, tmp_path: Path, is_cancelled: bool
) -> None:
    output = tmp_path / "output"
    given = [word for flag, word in _pairs(many.flags(output)) if flag != "--workers"]
    log = f"--output={tmp_path}/%A_%a.log"
    array = (*SMALL, log, "--array=1-2", SCRIPT, *given)

    parts = cluster.submit(*array)
    wait_for(lambda: len(clips(output)) >= COUNT // 4)
    if is_cancelled:  # or its time is up: first comes SIGTERM
        cluster.run("scancel", f"{parts}_1")
    else:
        cluster.kill(f"{parts}_1")
    cluster.wait(parts)
    codes = cluster.exit_codes(parts)
    assert codes["1"] != "COMPLETED 0:0"
    assert codes["2"] == "COMPLETED 0:0"
    said = (tmp_path / f"{parts}_1.log").read_text()
    assert ("stopped; run the same command again" in said) is is_cancelled
    kept = _with_a_row(output)

    again = cluster.submit(*array)
    results = cluster.submit(
        *SMALL, f"--output={tmp_path}/results.log", f"--dependency=afterok:{again}",
        "--kill-on-invalid-dep=yes", SCRIPT, *given,
    )  # fmt: skip
    cluster.wait(again)
    made = clips(output)
    assert set(cluster.exit_codes(again).values()) == {"COMPLETED 0:0"}
    assert kept.items() <= made.items()
    cluster.wait(results)
    assert cluster.exit_codes(results) == {results: "COMPLETED 0:0"}
    assert "no clip to make" in (tmp_path / "results.log").read_text()
    assert clips(output) == made
    assert_same(output, many.undisturbed)


def _pairs(flags: list[str]) -> list[tuple[str, str]]:
    """Each word with the flag that it belongs to."""
    found, flag = [], ""
    for word in flags:
        flag = word if word.startswith("--") else flag
        found.append((flag, word))
    return found


def _with_a_row(output: Path) -> dict[str, tuple[int, int, int]]:
    """The clips of which a row tells."""
    files = (output / "_state").glob("*/rows/*.jsonl")
    paths = {row.path for file in files for row in parse_rows(file.read_bytes()) if row}
    return {name: about for name, about in clips(output).items() if name in paths}
