"""The sample that newcomers make."""

import runpy
from pathlib import Path

from tests.kinetics import ROOT


def test_a_clip_of_the_sample_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    """WebM and Matroska files would have random ids."""
    sample = runpy.run_path(str(ROOT / "examples" / "make_sample.py"))
    (clip,) = (clip for clip in sample["CLIPS"] if clip.suffix == ".webm")
    made = [tmp_path / f"{n}.webm" for n in range(2)]
    for path in made:
        sample["encode"](clip, path)
    one, other = (path.read_bytes() for path in made)
    assert one == other
