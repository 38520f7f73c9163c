"""What the program makes of the clips that the readers read: each output is made once."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kinetics import SHARED, Kinetics, run
from tests.readers.judge import Faults, faults
from tests.readers.outputs import SET_UP, Made, made_clips, make_sources, read
from tests.readers.read import Reading

REAL = SHARED / "clips"

Readings = dict[str, list[tuple[Made, Reading]]]
"""By output: each clip, and what one reader says of it."""


@pytest.fixture(scope="session", autouse=True)
def readers_are_there() -> None:
    if not SET_UP.exists():
        pytest.skip("the readers have an environment of their own: type make test-readers")


@pytest.fixture(scope="session")
def outputs(
    tmp_path_factory: pytest.TempPathFactory, readers_are_there: None
) -> dict[str, list[Made]]:
    """The clips by output: made ones, and real ones where they lie beside the project."""
    sources = {"made": (make_sources(tmp_path_factory.mktemp("sources")), "64")}
    if REAL.exists():
        sources["real"] = (REAL, "256")
    outputs = {}
    for name, (folder, short_edge) in sources.items():
        for key, fps in ((name, []), (f"{name} at 30", ["--fps=30"])):
            output = tmp_path_factory.mktemp("output")
            ended = run(
                "--videos", str(folder), "--output", str(output), "--short_edge", short_edge,
                "--max_failure_ratio=0.2", *fps,
            )  # fmt: skip
            assert ended.status == 0, ended.err
            outputs[key] = made_clips(output)
    return outputs


@pytest.fixture(scope="session")
def readings(outputs: dict[str, list[Made]]) -> Callable[[str], Readings]:
    """What a reader says of all clips. It is started once."""

    @functools.cache
    def readings_of(reader: str) -> Readings:
        clips = [made for output in outputs.values() for made in output]
        said = iter(read(reader, clips))
        return {key: [(made, next(said)) for made in output] for key, output in outputs.items()}

    return readings_of


@pytest.fixture(scope="session")
def found(readings: Callable[[str], Readings]) -> Callable[[str, str], dict[str, Faults]]:
    """What a reader gets wrong of an output's clips, by the clips' names."""

    def found_in(reader: str, output: str) -> dict[str, Faults]:
        if output not in (said := readings(reader)):
            pytest.skip("no real clips beside the project")
        return {made.name: wrong for made, says in said[output] if (wrong := faults(made, says))}

    return found_in


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory, readers_are_there: None) -> Path:
    """An output in class folders, with a test clip that has no label."""
    from tests.conftest import small_clip

    kinetics = Kinetics(tmp_path_factory.mktemp("labelled"))
    kinetics.add("aDrums_0000_000001_000011", "train", "air drumming", small_clip(frames=12))
    kinetics.add("bDrums_0000_000002_000012", "train", "air drumming", small_clip(frames=13))
    kinetics.add("cArchery_00_000003_000013", "train", "archery", small_clip(frames=20))
    kinetics.add("dZumba_0000_000004_000014", "train", "zumba", small_clip(frames=25))
    kinetics.add("eTest_00000_000005_000015", "test", None, small_clip(frames=12))
    output = tmp_path_factory.mktemp("labelled") / "output"
    ended = kinetics.write().prepare(
        output, "--list_format=torchvision,pytorchvideo,huggingface,fiftyone"
    )
    assert ended.status == 0, ended.err
    return output
