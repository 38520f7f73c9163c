"""Killed at any moment, a run is finished by the next one as if nothing had been."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.conftest import COUNT, Many
from tests.faults.runs import Run, assert_same, clips, finish, wait_for

TO_THE_END = 1.0
"""Seconds in which a run that has made its clips merges its rows and writes its lists."""

KILLS_IN_A_ROW = (1,) * 10 + (3,) * 2  # 16 in all


def wait_for_a_moment(chance: random.Random, run: Run, output: Path) -> None:
    """Wait until some share of the work is done: mostly amid the clips, or before, or after."""
    there = len(clips(output))
    wanted = chance.choice([0, *[chance.randint(there, COUNT)] * 7, COUNT, COUNT])
    wait_for(lambda: (output / "_state").exists() or run.is_over())
    wait_for(lambda: len(clips(output)) >= wanted or run.is_over())
    time.sleep(chance.uniform(0, TO_THE_END if wanted in (0, COUNT) else 0.05))


@pytest.mark.parametrize(("seed", "kills"), [*enumerate(KILLS_IN_A_ROW)])
def test_what_killed_runs_have_made_is_kept_and_the_rest_made_as_if_they_had_gone_on(
    many: Many, tmp_path: Path, seed: int, kills: int
) -> None:
    chance = random.Random(seed)
    output = tmp_path / "output"
    made: dict = {}
    for _ in range(kills):
        with Run(many.flags(output), tmp_path) as run:
            wait_for_a_moment(chance, run, output)
            run.kill()
        assert made.items() <= clips(output).items(), "encoded again"
        made = clips(output)
    ended = finish(many.flags(output), tmp_path)
    assert ended.status == 0, ended.err
    assert "Traceback" not in ended.err
    assert made.items() <= clips(output).items(), "encoded again"
    assert_same(output, many.undisturbed)
