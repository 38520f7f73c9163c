"""An output on a FUSE file system, which keeps removed files that are open."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.runs import assert_same, finish, flags, result
from tests.kinetics import Kinetics

pytestmark = pytest.mark.skipif(
    shutil.which("bindfs") is None or not Path("/dev/fuse").exists(),
    reason="no bindfs; install it to try a FUSE file system",
)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on a FUSE file system."""
    behind, mounted = tmp_path / "behind", tmp_path / "mounted"
    behind.mkdir()
    mounted.mkdir()
    if subprocess.run(["bindfs", behind, mounted], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


def test_a_run_and_the_next_end_well(six: Kinetics, mounted: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert finish(flags(six, mounted / "output"), tmp_path).status == 0
        assert not (mounted / "output" / "_state").exists()
    assert finish(flags(six, tmp_path / "disk"), tmp_path).status == 0
    assert_same(mounted / "output", result(tmp_path / "disk"))
