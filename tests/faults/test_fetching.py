"""A run that dies while it fetches clips, against a stand-in for the site."""

import json
import uuid
from pathlib import Path

from beam_pipeline.elements import Row
from beam_pipeline.output.row_log import row_line
from tests.faults.runs import Run, wait_for
from tests.kinetics import all_rows, summary
from tests.standin import Media
from tests.standin.data_set import EXPECTED, FETCH, Made, told

pytest_plugins = ["tests.standin.fixtures"]


def test_what_a_killed_run_has_fetched_is_not_fetched_again(made: Made, tmp_path: Path) -> None:
    """The state of a run that died amid its work: some rows and clips, and half a video."""
    output = tmp_path / "output"
    assert made.prepare(output, *FETCH).status == 0
    rows = [Row(**row) for name, row in all_rows(output).items() if name[0] in "abc"]
    dead = output / "_state" / uuid.uuid4().hex
    (dead / "rows").mkdir(parents=True)
    (dead / "rows" / "1.jsonl").write_bytes(b"".join(map(row_line, rows)))
    (dead / "tmp" / "folder").mkdir(parents=True)
    (dead / "tmp" / "folder" / "video.part").write_bytes(b"half")
    (output / "_state" / "settings.json").write_text(json.dumps(summary(output)["settings"]))
    for path in (*output.glob("*.csv"), *output.glob("manifest/*"), output / "summary.json"):
        path.unlink()
    assert made.prepare(output, *FETCH).status == 0
    asked = {name for name in made.site.asked if name.startswith("watch")}
    assert asked == {"watch/dRemoved", "watch/eShort", "watch/fBroken"}
    assert {name: told(row)[1] for name, row in all_rows(output).items()} == {
        name: reason for name, (_, reason) in EXPECTED.items()
    }
    assert not (output / "_state").exists()


def test_a_run_waits_for_one_that_fetches_and_goes_on_where_that_was_killed(
    made: Made, whole: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    media = dict(made.site.media)
    made.site.media = {**media, ("bApart", "p"): Media(whole, "slow")}
    command = (*made.flags(output), *FETCH, "--progress", "json")
    with Run(command, tmp_path / "first") as first, Run(command, tmp_path / "second") as second:
        wait_for(lambda: "media/bApart/p" in made.site.asked)
        runs = [first, second]
        wait_for(lambda: [run for run in runs if "waiting to fetch" in run.said()])
        (waits,) = (run for run in runs if "waiting to fetch" in run.said())
        made.site.media = media
        runs.remove(waits)
        runs[0].kill()
        assert waits.finished().status == 0
    assert made.site.asked.count("watch/aWhole") == 1
    assert made.site.asked.count("watch/bApart") == 2
    assert {name: told(row)[1] for name, row in all_rows(output).items()} == {
        name: reason for name, (_, reason) in EXPECTED.items()
    }
    assert not (output / "_state").exists()
