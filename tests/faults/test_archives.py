"""Archives of random seed; and runs through archives on the web that are killed, or cut."""

import random
from pathlib import Path

import pytest

from tests.faults.conftest import COUNT, Many
from tests.faults.hostile_archives import check_archive
from tests.faults.runs import Run, clips, finish, result, wait_for
from tests.kinetics import snapshot
from tests.packing import pack
from tests.site import Site

PARTS = 4
BATCH = 50


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_hostile_archives_are_read_within_bounds(first: int) -> None:
    for seed in range(first, first + BATCH):
        check_archive(seed)


@pytest.fixture
def site(many: Many, tmp_path: Path):
    """The clips in four archives on the web, every connection of which breaks once."""
    videos = {name: data for name, (data, _) in snapshot(many.kinetics.videos).items()}
    names = sorted(videos)
    for part in range(PARTS):
        pack(
            tmp_path / "site" / f"part {part}.tar.gz",
            {f"./{name}": videos[name] for name in names[part::PARTS]},
            ("w:gz", "w")[part % 2],
        )
    with Site(tmp_path / "site") as made:
        lines = (f"{made.address}/part {part}.tar.gz\n" for part in range(PARTS))
        (tmp_path / "listing.txt").write_text("".join(lines))
        made.fault = lambda path, before: "cut" if before % 2 == 0 else None
        yield made


def through_archives(many: Many, output: Path, listing: Path) -> list[str]:
    given = many.flags(output)
    given[given.index("--videos") + 1] = str(listing)
    return given


@pytest.mark.parametrize("seed", range(2))
def test_what_killed_runs_have_made_is_kept_and_the_rest_made_from_the_archives(
    many: Many, site: Site, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    output = tmp_path / "output"
    flags = through_archives(many, output, tmp_path / "listing.txt")
    made: dict = {}
    for _ in range(2):
        with Run(flags, tmp_path) as run:
            wanted = chance.randint(len(made), COUNT)
            wait_for(lambda: len(clips(output)) >= wanted or run.is_over())  # noqa: B023
            run.kill()
        assert made.items() <= clips(output).items(), "encoded again"
        made = clips(output)
    ended = finish(flags, tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert made.items() <= clips(output).items(), "encoded again"
    assert_same_but_for_sources(result(output), many.undisturbed)


def assert_same_but_for_sources(found, expected) -> None:
    for key in expected:
        mine, theirs = found[key], expected[key]
        if key == "rows":
            mine = {name: {**row, "source": None} for name, row in mine.items()}
            theirs = {name: {**row, "source": None} for name, row in theirs.items()}
        assert mine == theirs, key
