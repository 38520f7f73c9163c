"""What the counts of a plan say: excluded clips, merged releases, and how the run would end."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from beam_pipeline.commands.plan.outcome import (
    MAY_BE,
    OUTCOMES,
    Archives,
    Outcome,
    is_open,
    outcome_of,
    worst_classes,
)
from beam_pipeline.commands.plan.planned_clips import MAKE, MAY_BE_FETCHED, Kind, PlannedClips
from beam_pipeline.commands.plan.sampling import Reservoir
from beam_pipeline.commands.plan.text import as_json
from beam_pipeline.config import Config
from beam_pipeline.elements import STATUSES, Archive, Clip, Row, Status
from tests.kinetics import Kinetics, configured, run


def planned(config: Config, statuses: dict[Status, int], label: str | None = "zumba"):
    """A plan with so many clips of each status."""
    clips = PlannedClips(config, Reservoir(1))
    for status, count in statuses.items():
        for number in range(count):
            clip = Clip(f"{status}{number}_000001_000011", status, 1, 11, "val", label, 0)
            clips.add_row(Row.of(clip, status))
    return clips


# Excluded clips


def test_every_status_has_its_count() -> None:
    assert {*STATUSES} - {"resized", "copied"} <= {*OUTCOMES}


def test_the_counts_of_a_split_add_up_to_its_clips() -> None:
    config = configured()
    counted = planned(config, {"reused": 3, "excluded": 2, "failed": 1})
    val = as_json(config, outcome_of(counted, config), None)["splits"]["val"]
    assert val["excluded"] == 2
    assert val.pop("clips") == 6 == sum(val.values())


def test_excluded_clips_are_no_part_of_their_class() -> None:
    kinds = Counter(
        {
            Kind("val", "zumba", "missing", "no_file"): 1,
            Kind("val", "zumba", "excluded"): 8,
            Kind("val", "zumba", MAKE): 1,
            Kind("val", "yoga", "excluded"): 5,
        }
    )
    (loss,) = worst_classes(kinds)
    assert (loss.label, loss.annotated, loss.share) == ("zumba", 2, 0.5)


@pytest.mark.parametrize(("status", "noted"), [("excluded", False), ("reused", True)])
def test_excluded_clips_are_in_no_class_folder(status: Status, noted: bool) -> None:
    config = configured()
    counted = planned(config, {"reused": 1})
    for each in planned(config, {status: 1}, label=None).clips.items():
        counted.clips[f"unlabelled {each[0]}"] = each[1]
    notes = outcome_of(counted, config).notes
    assert any("no label and is in folder unlabelled" in note for note in notes) is noted


def test_a_plan_names_no_file_as_if_it_were_there() -> None:
    config = configured()
    counted = planned(config, {"reused": 1, "missing": 1})
    (note,) = (each for each in outcome_of(counted, config).notes if "missing.csv" in each)
    assert note == "1 of 2 annotated clips has no file; a run will list them in missing.csv"


# What no estimate has


@pytest.mark.parametrize(
    ("counts", "annotated", "is_unknown"),
    [({"reused": 3}, True, False), ({"missing": 1, "failed": 1}, True, False),
     ({MAKE: 1}, True, True), ({MAY_BE_FETCHED: 1}, True, True), ({MAY_BE: 1}, True, True),
     ({}, False, True)],
)  # fmt: skip
def test_whether_zero_clips_would_be_a_fact(
    counts: dict[str, int], annotated: bool, is_unknown: bool
) -> None:
    config = configured() if annotated else replace(configured(), annotations=())
    archive = Archive("/a.tar", 0, 5)
    archives = Archives(1, (archive,), 5, 5, 0)
    outcome = Outcome({"val": Counter(counts)}, Counter(), [], archives)
    assert is_open(outcome, config) is is_unknown


def test_zeros_are_no_estimate_of_what_may_be_fetched(few: Kinetics, tmp_path: Path) -> None:
    flags = ("--annotations", str(few.annotations), "--fetch=youtube", "--output")
    ended = run("plan", *flags, str(tmp_path / "o"))
    assert (ended.status, ended.err) == (0, "")
    assert "the site is asked for 5 clips, which no estimate includes" in ended.out
    assert "note: there is no estimate of time and bytes" in ended.out
    assert "to write" not in ended.out
    found = json.loads(run("plan", *flags, str(tmp_path / "o"), "--json").out)
    assert found["estimate"] is None
    assert found["unestimated"] == [
        "there is no estimate of time and bytes: no clip could be made as a sample"
    ]
