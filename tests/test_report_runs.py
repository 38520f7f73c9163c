"""When the report is written, left, made again and taken away; and its command."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.earlier.files_of_others import refuse_files_of_others
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output.leases import acquire_lease, release_lease, visit
from beam_pipeline.output.output_folder import Output
from beam_pipeline.report import write_report as module
from beam_pipeline.report.contact_sheet import ContactSheet, Pictured
from beam_pipeline.report.write_report import (
    Found,
    keeps_report,
    look_at_report,
    mark_of,
    update_report,
    write_report,
)
from beam_pipeline.results.summary import about_the_output
from tests.buckets import Buckets
from tests.conftest import Ran
from tests.kinetics import Finished, Kinetics, configured, run, summary
from tests.test_report_facts import output_of, row

THEIRS = "<!DOCTYPE html>\n<title>Our accuracies</title>\n"


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Output]:
    """An output with rows, and a run at work in it."""
    made = output_of(tmp_path / "output", row(1), row(2, "val"))
    running = Output(made.root, run="0" * 32)
    acquire_lease(running)
    yield running
    release_lease(running)


def page_of(output: Output) -> Path:
    return Path(output.root, "report.html")


# Marks


def test_the_mark_is_that_of_what_the_summary_says_of_the_output() -> None:
    said = {"total": {"resized": 1}, "reasons": {None: 2}}
    assert mark_of(said) == mark_of(json.loads(json.dumps(said))) != mark_of({"total": {}})
    assert mark_of(None) == ""


def test_a_report_is_known_again_and_what_is_none_too(output: Output) -> None:
    assert look_at_report(output) == Found(None, is_foreign=False)
    write_report(output, {}, "abc")
    assert look_at_report(output) == Found("abc", is_foreign=False)
    whole = page_of(output).read_bytes()
    page_of(output).write_bytes(whole[:-100])
    assert look_at_report(output) == Found(None, is_foreign=False)
    page_of(output).write_bytes(b"\0" * len(whole))
    assert look_at_report(output) == Found(None, is_foreign=False)
    page_of(output).write_text(THEIRS)
    assert look_at_report(output) == Found(None, is_foreign=True)


# Updating it


def test_a_report_that_fits_is_left(output: Output) -> None:
    assert update_report(output, {}, "abc", is_wanted=True) == []
    before = page_of(output).stat()
    assert update_report(output, {}, "abc", is_wanted=True) == []
    assert page_of(output).stat().st_ino == before.st_ino
    assert update_report(output, {}, "def", is_wanted=True) == []
    assert look_at_report(output).mark == "def"


def test_a_report_that_is_not_wanted_stays_only_where_it_fits(output: Output) -> None:
    assert update_report(output, {}, "abc", is_wanted=False) == []
    assert not page_of(output).exists()
    write_report(output, {}, "abc")
    assert update_report(output, {}, "abc", is_wanted=False) == []
    assert page_of(output).exists()
    assert update_report(output, {}, "def", is_wanted=False) == []
    assert not page_of(output).exists()


def test_a_file_of_others_stays(output: Output) -> None:
    page_of(output).write_text(THEIRS)
    (note,) = update_report(output, {}, "abc", is_wanted=True)
    assert "report.html is no report of this program, and stays; move it away" in note
    assert update_report(output, {}, "abc", is_wanted=False) == []
    with pytest.raises(OutputError, match="no report of this program"):
        write_report(output, {}, "abc")
    assert page_of(output).read_text() == THEIRS


def fail(*_: Any, **__: Any) -> None:
    raise ZeroDivisionError("at https://me:secret@host/a?token=1")


@pytest.mark.parametrize("what", ["draw_page", "read_facts", "look_at_report"])
def test_a_failure_is_a_note_and_takes_away_what_no_longer_fits(
    output: Output, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write_report(output, {}, "abc")
    monkeypatch.setattr(module, what, fail)
    (note,) = update_report(output, {}, "def", is_wanted=True)
    assert note.startswith("report.html could not be made: at https://host/a")
    assert "secret" not in note
    assert page_of(output).exists() == (what == "look_at_report")


def test_the_report_that_another_worker_has_written_stays(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_meanwhile(*_: Any) -> None:
        monkeypatch.undo()
        write_report(output, {}, "def")
        raise OutputError("the folder of this run is gone")

    write_report(output, {}, "abc")
    monkeypatch.setattr(module, "read_facts", written_meanwhile)
    update_report(output, {}, "def", is_wanted=True)
    assert look_at_report(output).mark == "def"


def test_pictures_are_asked_for_by_clip_and_their_failure_is_a_note(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Pictured] = []

    def sheet_of(_: Output, wanted: list[Pictured], workers: int | None) -> ContactSheet:
        asked.extend(wanted)
        assert workers == 3
        return ContactSheet(b"jpeg", 128, 96, {wanted[0].clip_id: (0, 0)}, {})

    monkeypatch.setattr(module, "sheet_of", sheet_of)
    assert write_report(output, {}, "abc", workers=3).notes == []
    assert {(each.clip_id, each.path, each.duration, each.sha256) for each in asked} == {
        (each.clip_id, each.path, 10.0, each.sha256) for each in (row(1), row(2, "val"))
    }
    assert b'"width": 128' in page_of(output).read_bytes()

    def no_sheet(*_: Any) -> None:
        raise OSError("no child can be started")

    monkeypatch.setattr(module, "sheet_of", no_sheet)
    written = write_report(output, {}, "abc")
    assert written.notes == ["there are no pictures: no child can be started"]
    assert b"no child can be started" in page_of(output).read_bytes()


def test_a_failure_says_one_thing_to_do(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    page_of(output).mkdir()
    (note,) = update_report(output, {}, "abc", is_wanted=True)
    assert note == (
        f"report.html could not be made: cannot read {page_of(output)}: Is a directory; there is a "
        "folder where a file must be: remove it"
    )
    monkeypatch.setattr(module, "look_at_report", fail)
    (note,) = update_report(output, {}, "abc", is_wanted=True)
    assert note.endswith("; python -m beam_pipeline report tries again")


def test_a_report_is_kept_where_there_is_one_even_a_damaged_one(output: Output) -> None:
    assert not keeps_report(output)
    write_report(output, {}, "abc")
    assert keeps_report(output)
    page_of(output).write_bytes(page_of(output).read_bytes()[:-100])
    assert keeps_report(output)
    page_of(output).write_text(THEIRS)
    assert not keeps_report(output)
    page_of(output).unlink()
    page_of(output).mkdir()
    assert keeps_report(output)  # what is wrong is noted when it is written


# Runs


def without_report(output: Path) -> dict[str, int]:
    """When each file was written but the report."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in output.rglob("*")
        if path.is_file() and path.name != "report.html"
    }


@pytest.fixture(scope="module")
def finished(few: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished output that no test changes."""
    output = tmp_path_factory.mktemp("finished") / "output"
    assert prepared(few, output).status == 0
    return output


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def prepared(few: Kinetics, output: Path, *flags: str) -> Finished:
    return few.prepare(output, "--path_prefix=", "--max_failure_ratio=0.9", *flags)


def test_a_run_writes_the_report_before_the_summary(finished: Path) -> None:
    report, summed_up = finished / "report.html", finished / "summary.json"
    assert report.stat().st_mtime_ns <= summed_up.stat().st_mtime_ns
    found = look_at_report(Output(str(finished), run=""))
    assert found.mark == mark_of(about_the_output(summary(finished)))
    page = report.read_text()
    for text in (
        "60 %",
        "no_file",
        "not_a_video",
        "air drumming",
        summary(finished)["fingerprint"],
    ):
        assert text in page


def test_a_run_that_changes_nothing_leaves_report_and_summary(few: Kinetics, copied: Path) -> None:
    report = (copied / "report.html").stat().st_mtime_ns
    before = without_report(copied)
    assert prepared(few, copied).status == 0
    assert without_report(copied) == before
    assert (copied / "report.html").stat().st_mtime_ns == report


def test_a_report_that_is_gone_or_cut_is_made_again_and_nothing_else(
    few: Kinetics, copied: Path
) -> None:
    whole, before = (copied / "report.html").read_bytes(), without_report(copied)
    (copied / "report.html").write_bytes(whole[:-200])
    assert prepared(few, copied).status == 0
    assert without_report(copied) == before
    # It tells of the run that made the clips, not of the one that made nothing but the page.
    page = (copied / "report.html").read_bytes()
    assert summary(copied)["date"][11:19].encode() in page
    assert page.endswith(whole[-200:])


@pytest.mark.parametrize("left", ["report", "neither"])
def test_a_run_that_was_killed_at_its_end_is_finished_with_a_report(
    few: Kinetics, copied: Path, left: str
) -> None:
    (copied / "summary.json").unlink()
    if left == "neither":
        (copied / "report.html").unlink()
    assert prepared(few, copied).status == 0
    found = look_at_report(Output(str(copied), run=""))
    assert found.mark == mark_of(about_the_output(summary(copied)))


def test_the_command_line_says_where_it_is_if_it_is_there(few: Kinetics, copied: Path) -> None:
    look = f"To look at all of it, open {copied}/report.html"
    assert look in prepared(few, copied).out
    assert look not in prepared(few, copied, "--report=false").out
    (copied / "report.html").unlink()
    (copied / "report.html").mkdir()
    said = prepared(few, copied).out
    assert "report.html could not be made" in said
    assert look not in said


def test_report_false_leaves_it_out_and_binds_no_later_run(few: Kinetics, tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert prepared(few, output, "--report=false").status == 0
    assert not (output / "report.html").exists()
    before = without_report(output)
    ended = prepared(few, output)
    assert (ended.status, ended.err) == (0, "")
    assert (output / "report.html").exists()
    assert without_report(output) == before


def test_a_report_of_others_is_refused_before_the_first_run(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(THEIRS)
    with pytest.raises(InputError, match=r"report\.html is no file of this program"):
        refuse_files_of_others(configured("--output", str(tmp_path)))
    refuse_files_of_others(configured("--output", str(tmp_path), "--report=false"))


def test_the_report_is_no_part_of_the_settings_that_bind() -> None:
    identities = [configured(f"--report={value}").identity() for value in ("true", "false")]
    assert identities[0] == identities[1]


# The command


def test_the_command_makes_it_for_an_old_output(copied: Path) -> None:
    (copied / "report.html").unlink()
    before = without_report(copied)
    ended = run("report", str(copied), "--json")
    said = json.loads(ended.out)
    page = (copied / "report.html").read_bytes()
    assert (ended.status, ended.err) == (0, "")
    assert said == {"report": f"{copied}/report.html", "bytes": len(page), "notes": []}
    assert without_report(copied) == before
    assert not (copied / "_state").exists()
    found = look_at_report(Output(str(copied), run=""))
    assert found.mark == mark_of(about_the_output(summary(copied)))
    assert "report.html is written, " in run("report", str(copied)).out


def test_the_command_tells_what_it_could_not_read(copied: Path) -> None:
    (copied / "manifest" / "val.parquet").write_bytes(b"PAR1")
    (copied / "summary.json").unlink()
    ended = run("report", str(copied))
    assert ended.status == 0
    assert "note: " in ended.out
    assert "val.parquet was damaged" in ended.out
    assert "val.parquet was damaged" in (copied / "report.html").read_text()


def test_the_command_says_that_no_run_has_finished(tmp_path: Path) -> None:
    state = tmp_path / "_state" / ("1" * 32)
    state.mkdir(parents=True)
    (state / "part.rows").write_bytes(b"")
    said = json.loads(run("report", str(tmp_path), "--json").out)
    note = "no run has finished here yet: type the command of the run again"
    assert said["notes"] == [note]
    assert f"<li>{note}</li>" in (tmp_path / "report.html").read_text()
    assert f"note: {note}" in run("report", str(tmp_path)).out


def test_an_output_whose_summary_is_gone_says_what_is_not_known(output: Output) -> None:
    (note,) = write_report(output, None, "").notes
    assert note.startswith("there is no whole summary.json, so what was done, ")
    assert write_report(output, {}, "").notes == []


@pytest.mark.parametrize("name", ["verify", "compare", "stats", "overlap", "report", "fetch"])
def test_what_is_no_run_speaks_of_no_output_to_choose(copied: Path, name: str) -> None:
    (copied / "summary.json").unlink()
    (copied / "summary.json").mkdir()
    others = (str(copied),) if name in ("compare", "overlap") else ()
    ended = run(name, str(copied), *others)
    assert ended.status == (1 if name == "fetch" else 2)
    assert ended.complaint == (
        f"cannot read {copied}/summary.json: Is a directory; there is a folder where a file must "
        "be: remove it"
    )


def test_a_run_speaks_of_another_output(few: Kinetics, copied: Path) -> None:
    (copied / "summary.json").unlink()
    (copied / "summary.json").mkdir()
    said = prepared(few, copied).complaint
    assert said.endswith("remove it, or choose another --output; then run the same command again")


def test_what_the_command_refuses(copied: Path, tmp_path: Path) -> None:
    for arguments in ((), (str(tmp_path / "nothing"),), ("https://host/output",), ("",)):
        ended = run("report", *arguments)
        assert (ended.status, ended.out) == (2, "")
        assert len(ended.err.splitlines()) == 1
    (copied / "report.html").write_text(THEIRS)
    ended = run("report", str(copied))
    assert ended.status == 2
    assert "move it away" in ended.err
    assert (copied / "report.html").read_text() == THEIRS


def test_verify_takes_the_report_for_no_damage(ran: Ran) -> None:
    ended = run("verify", str(ran.output))
    assert (ended.status, "report.html" in ended.out) == (0, False)


def test_a_visit_leaves_the_state_of_others(tmp_path: Path) -> None:
    (tmp_path / "_state").mkdir()
    (tmp_path / "_state" / "settings.json").write_text("{}")
    with visit(Output(str(tmp_path), run="1" * 32)):
        assert (tmp_path / "_state" / ("1" * 32)).is_dir()
    assert [path.name for path in (tmp_path / "_state").iterdir()] == ["settings.json"]


def test_an_output_in_a_bucket(finished: Path) -> None:
    with Buckets() as buckets:
        url = buckets.put(finished, "finished")
        buckets.direct().rm_file(f"{url}/report.html")
        before = buckets.files("finished")
        ended = run("report", url, "--json", *buckets.flags)
        assert (ended.status, ended.err) == (0, "")
        after = buckets.files("finished")
        page = after.pop("report.html")
        said = {"report": f"{url}/report.html", "bytes": len(page), "notes": []}
        assert json.loads(ended.out) == said
        assert after == before
        assert f"<dd>{url}</dd>".encode() in page
