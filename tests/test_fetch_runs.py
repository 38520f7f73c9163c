"""Clips that are found nowhere: the command and ``fetch OUTPUT``, against a stand-in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.batches import pack
from beam_pipeline.commands.fetch import config_of, parse
from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip
from beam_pipeline.elements import Row as ManifestRow
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.reasons import WATCH
from beam_pipeline.output.leases import acquire_lease, release_all
from beam_pipeline.output.thumbnails import kept_thumbnails
from beam_pipeline.work.fetch_clips import _Fetch
from tests.codec import made_of
from tests.kinetics import SHORT_EDGE, Kinetics, all_rows, lines, run, summary, table, without
from tests.make_clips import clip
from tests.standin import NO_PAUSE, StandIn
from tests.standin.data_set import EXPECTED, FETCH, ONE, PAGES, SIZE, Made, told

pytest_plugins = ["tests.standin.fixtures"]


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_from_annotations_alone_to_lists(made: Made, whole: bytes, tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = made.prepare(output, *FETCH)
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(output)
    assert {name: told(row) for name, row in rows.items()} == EXPECTED
    # One request for each video, though one has two clips; of a final answer no second.
    assert sorted(made.site.asked) == [
        "media/aWhole/18", "media/bApart/p", "media/bApart/s", "media/eShort/18",
        "media/fBroken/18", *(f"watch/{name}" for name in sorted(PAGES) if name != "gDown"),
    ]  # fmt: skip
    first = rows["aWhole_000000_000002"]
    assert first["source"] == f"{WATCH}aWhole"
    assert first["source_bytes"] == len(whole)
    assert (output / first["path"]).read_bytes() == made_of(
        whole, segment=(0, 2), short_edge=SHORT_EDGE
    )
    assert [rows[name]["duration"] for name in EXPECTED if "A" in name[1:3]] == [2]
    assert rows["bApart_000001_000003"]["has_audio"]
    assert len(lines(output / "train.csv")) == 2
    assert len(lines(output / "val.csv")) == 1
    missing = {row["clip_id"]: row for row in table(output / "missing.csv")}
    assert missing["cPrivate_000001_000011"]["detail"].endswith(": " + PAGES["cPrivate"]["error"])
    assert missing["cPrivate_000001_000011"]["source"] == ""
    year = missing["cPrivate_000001_000011"]["detail"][:4]
    assert summary(output)["fetch"] == {
        "fetched": 3, "reasons": {"private": 1, "removed": 1},
        "years": {year: {"private": 1, "removed": 1}},
    }  # fmt: skip
    assert "1 missing: private" in ended.out
    assert not (output / "_state").exists()
    assert {name for name in files_in(output) if "/" in name and "manifest" not in name} == {
        row["path"] for row in rows.values() if row["path"]
    }

    # What was had is not fetched again, nor what cannot be had asked for, with the flag or without.
    before = files_in(output)
    others = tmp_path / "others"
    others.mkdir()
    (others / "stranger.mp4").write_bytes(b"<html>")
    assert made.prepare(output, videos=others).status == 0
    assert made.site.asked == []
    again = made.prepare(output, *FETCH)
    assert made.site.asked == []
    assert again.status == 0
    assert files_in(output) == before
    assert {name: told(row)[1] for name, row in all_rows(output).items()} == {
        name: reason for name, (_, reason) in EXPECTED.items()
    }

    # Unless told to. The day of the first answer stays.
    assert made.prepare(output, *FETCH, "--fetch_again").status == 0
    assert {name for name in made.site.asked if name.startswith("watch")} == {
        f"watch/{name}" for name in ("cPrivate", "dRemoved", "eShort", "fBroken")
    }
    assert {name: told(row)[1] for name, row in all_rows(output).items()} == {
        name: reason for name, (_, reason) in EXPECTED.items()
    }


def test_fetching_later_gives_the_same_output(made: Made, tmp_path: Path, whole: bytes) -> None:
    """Files that are there are not fetched; ``fetch OUTPUT`` does what ``--fetch`` would."""
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "aWhole_000000_000002.mp4").write_bytes(whole)
    (videos / "fBroken_000001_000011.mp4").write_bytes(b"<html>")
    (videos / "stranger_000001_000011.mp4").write_bytes(b"<html>")
    excluded = tmp_path / "test.csv"
    excluded.write_text("youtube_id,time_start,time_end\ncPrivate,1,11\n")
    flags = (
        "--list_format", "videomae,huggingface", "--test_from", "val", "--seed", "3",
        "--limit_per_class", "9", "--exclude_annotations", str(excluded),
    )  # fmt: skip
    at_once, later = tmp_path / "at_once", tmp_path / "later"
    assert made.prepare(at_once, *flags, *FETCH, videos=videos).status == 0
    assert "watch/fBroken" not in made.site.asked
    assert made.site.asked.count("media/aWhole/18") == 1
    assert made.prepare(later, *flags, "--path_prefix", str(at_once), videos=videos).status == 0
    assert made.site.asked == []
    ended = made.fetch(later, "--json")
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out)["fetch"]["fetched"] == 2
    assert files_in(later) == files_in(at_once)
    assert all_rows(later)["cPrivate_000001_000011"]["status"] == "excluded"
    lists = summary(at_once)["lists"]
    assert {name.split("/")[0] for name in lists} == {"train.csv", "val.csv", "test.csv", "lists"}
    for name in ("label2id.json", *lists):
        assert (later / name).read_bytes() == (at_once / name).read_bytes(), name
    ours, theirs = all_rows(later), all_rows(at_once)
    for name in ours:
        ignored = ("seconds", "status")
        assert without(ours[name], *ignored) == without(theirs[name], *ignored)
    about = ("date", "duration", "command", "splits", "total", "warnings")
    assert without(summary(later), *about) == without(summary(at_once), *about)
    assert summary(later)["unannotated"] == 1
    assert f"fetch {later}" in summary(later)["command"]
    assert "fetched from YouTube</dt><dd>2 clips" in (later / "report.html").read_text()

    # Clips whose files are gone are fetched too, and nothing else.
    (later / ours["aWhole_000000_000002"]["path"]).unlink()
    assert made.fetch(later).status == 0
    assert made.site.asked == ["watch/aWhole", "media/aWhole/18"]
    assert run("verify", str(later)).status == 0


def test_too_many_requests_end_all_fetching_with_a_note(made: Made, tmp_path: Path) -> None:
    made.site.pages = {**PAGES, "aWhole": 429}
    ended = made.prepare(tmp_path / "output", *FETCH)
    assert ended.status == 1
    assert ended.complaint.startswith(
        "no annotated clip has a file, or could be fetched because YouTube wants fewer requests: "
    )
    assert "429" in ended.complaint
    assert made.site.asked == ["watch/aWhole"] * 4  # after back-off
    rows = all_rows(tmp_path / "output")
    assert {told(rows[name]) for name in rows if "aWhole" in name} == {("missing", "rate_limited")}
    assert {told(rows[name]) for name in rows if "aWhole" not in name} == {("missing", "no_file")}
    (note,) = (each for each in summary(tmp_path / "output")["warnings"] if "ended early" in each)
    assert "5 more videos were not asked for" in note
    made.site.pages = dict.fromkeys(PAGES, 429)
    quiet = made.fetch(tmp_path / "output", "--quiet")
    assert (quiet.status, quiet.out) == (1, "")
    assert quiet.complaint.startswith("no annotated clip has a file, or could be fetched because ")
    made.site.pages = PAGES
    assert made.prepare(tmp_path / "output", *FETCH).status == 0
    rows = all_rows(tmp_path / "output")
    assert {name: told(row) for name, row in rows.items()} == EXPECTED


def test_a_fault_that_passes_is_asked_for_in_the_next_run(tmp_path: Path, site: StandIn) -> None:
    alone = Kinetics(tmp_path / "alone")
    alone.add("gDown_000001_000003", "train", "zumba")
    alone.add("aWhole_000000_000002", "val", "zumba")
    made, output = Made(alone.write(), site), tmp_path / "output"
    assert made.prepare(output, "--report=false", *FETCH).status == 0
    assert told(all_rows(output)["gDown_000001_000003"]) == ("missing", "network")
    site.pages = {"gDown": ONE}
    assert made.fetch(output).status == 0
    assert made.site.asked == ["watch/gDown", "media/gDown/18"]
    assert told(all_rows(output)["gDown_000001_000003"]) == ("resized", None)
    assert not (output / "report.html").exists()  # whoever wants none has none later


def test_what_a_worker_has_asked_for_before_it_died_is_not_asked_for_again(
    site: StandIn, tmp_path: Path
) -> None:
    """A runner gives the element to another worker, which does all of it once more."""
    config = Config.from_flags(
        annotations="/a", output=str(tmp_path / "o"), fetch="youtube", short_edge=SHORT_EDGE,
        fetch_options=str(NO_PAUSE), workers=1,
    )  # fmt: skip
    clips = [
        Clip("aWhole_000000_000002", "aWhole", 0, 2, "train", "zumba", 0),
        Clip("aWhole_000003_000005", "aWhole", 3, 5, "train", "yoga", 1),
        Clip("cPrivate_000001_000011", "cPrivate", 1, 11, "train", "zumba", 0),
    ]
    planned = [tuple(ManifestRow.of(each, "missing", reason="no_file")) for each in clips]
    acquire_lease(config.output)
    told_to = []
    for _ in range(2):
        worker = _Fetch(config)
        worker.setup()
        worker.start_bundle()
        rows = list(worker.process((0, [pack(planned)]), {"zumba": 1, "yoga": 10**9}))
        told_to.append([row[:7] for row in rows])
        list(worker.finish_bundle())
        worker.teardown()
    assert {row[4] for row in told_to[0]} == {"resized", "missing"}
    assert sorted(told_to[1]) == sorted(told_to[0])
    assert site.asked == ["watch/aWhole", "media/aWhole/18", "watch/cPrivate"]
    # Of the clips that it has made some keep a thumbnail, as of any other source.
    sums = {row.clip_id: row.sha256 for row in rows if row.sha256}
    assert len(sums) == 2
    assert [*kept_thumbnails(config.output, sums)] == ["aWhole_000000_000002"]
    release_all(5)


def test_a_run_that_asks_again_goes_on_where_it_was_stopped(site: StandIn, tmp_path: Path) -> None:
    """What an earlier run was told, and one that asked again and was killed, is told apart."""
    clips = [
        Clip("cPrivate_000001_000011", "cPrivate", 1, 11, "train", "zumba", 0),
        Clip("dRemoved_000001_000011", "dRemoved", 1, 11, "train", "zumba", 0),
    ]

    def process(*asked: Clip, again: bool) -> list[str]:
        config = Config.from_flags(
            annotations="/a", output=str(tmp_path / "o"), fetch="youtube", workers=1,
            fetch_options=str(NO_PAUSE), fetch_again=str(again).lower(),
        )  # fmt: skip
        acquire_lease(config.output)
        site.asked.clear()
        worker = _Fetch(config)
        worker.setup()
        worker.start_bundle()
        rows = [ManifestRow.of(each, "missing", reason="private") for each in asked]
        told = list(worker.process((0, [pack(map(tuple, rows))]), {}))
        told += [each.value for each in worker.finish_bundle() if hasattr(each.value, "status")]
        worker.teardown()
        assert {row.clip_id for row in told} == {each.clip_id for each in asked}
        return list(site.asked)

    assert process(clips[0], again=False) == ["watch/cPrivate"]
    assert process(clips[0], again=True) == ["watch/cPrivate"]  # that was not asked again
    assert process(*clips, again=True) == ["watch/dRemoved"]
    assert process(*clips, again=True) == []


def test_an_output_of_merged_releases_stays_one(tmp_path: Path, site: StandIn) -> None:
    """Its summary tells what the merge has done, and the label ids are those of the merge."""
    folders = []
    for number, label in enumerate(("yoga", "zumba", "yoga")):
        release = Kinetics(tmp_path / f"release{number}")
        release.add("gDown_000001_000003", "val", label)
        release.add("aWhole_000000_000002", "train", "zumba")
        folders.append(str(release.write().annotations))
    videos, output = tmp_path / "videos", tmp_path / "output"
    videos.mkdir()
    (videos / "gDown_000001_000003.mp4").write_bytes(clip(size=SIZE, frames=5))
    ended = run(
        "--dataset", "kinetics710", "--annotations", *folders, "--videos", str(videos),
        "--output", str(output), "--short_edge", str(SHORT_EDGE),
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    before, ids = summary(output), (output / "label2id.json").read_bytes()
    assert before["merged"]["unequal_labels"] == 1
    assert Made(Kinetics(tmp_path), site).fetch(output).status == 0
    after = summary(output)
    assert after["fetch"]["fetched"] == 1
    for key in ("merged", "inputs", "settings"):
        assert after[key] == before[key], key
    assert (output / "label2id.json").read_bytes() == ids
    (note,) = (each for each in before["warnings"] if each.startswith("merged "))
    assert note in after["warnings"]
    assert any(each.endswith("have that of the newest one: 1") for each in after["warnings"])


def test_fetching_tells_of_itself_as_a_run_does(made: Made, whole: bytes, tmp_path: Path) -> None:
    """It tells of what it does itself: clips that were there are ``reused``, and not in its log."""
    videos, output, log = tmp_path / "videos", tmp_path / "output", tmp_path / "fetch.log"
    videos.mkdir()
    (videos / "bApart_000001_000003.mp4").write_bytes(clip(size=SIZE, frames=5))
    (videos / "fBroken_000001_000011.mp4").write_bytes(b"<html>")
    assert made.prepare(output, videos=videos).status == 0
    made.site.pages = {**PAGES, "eShort": PAGES["cPrivate"]}
    ended = made.fetch(output, "--progress", "json", "--log_file", str(log))
    assert ended.status == 0
    states = [json.loads(line) for line in ended.err.splitlines()]
    assert states[0]["phase"] == "reading"
    last = states[-1]
    assert (last["phase"], last["status"], last["message"]) == ("ended", 0, None)
    assert (last["planned"], last["done"], last["made"], last["unavailable"]) == (5, 5, 2, 3)
    assert last["bytes_in"] == len(whole)  # one video, two clips
    table = [line.split() for line in ended.out.splitlines()]
    assert table[1][:5] == ["split", "annotated", "resized", "copied", "reused"]
    (train,) = (line for line in table if line[:1] == ["train"])
    (val,) = (line for line in table if line[:1] == ["val"])
    assert (train[1:5], val[1:5]) == (["4", "2", "0", "0"], ["3", "0", "0", "1"])
    said = [line.split(maxsplit=2)[2] for line in log.read_text().splitlines()]
    assert said[0].endswith(f"DirectRunner: python -m beam_pipeline fetch {output}")
    assert not any("fBroken" in line for line in said)
    assert "clips: 7 annotated, 2 resized, 0 copied, 1 reused" in said[-2]
    assert said[-1] == "ended with status 0"

    # No manifest is written, and in that of train the clips are "resized".
    again = made.fetch(output, "--quiet", "--json")
    assert (again.status, again.err) == (0, "")
    assert summary(output)["splits"]["train"]["resized"] == 2
    assert json.loads(again.out)["total"]["reused"] == 3
    quiet = made.fetch(output, "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (["--quiet", "--verbose"], "contradict each other"),
        (["--quiet", "--progress", "json"], "does not go with --quiet"),
        (["--log_file", "{output}/fetch.log"], "which holds the data set alone"),
        (["--progress", "jsn"], "type json"),
    ],
)
def test_how_fetching_tells_of_itself_is_checked_as_for_a_run(
    flags: list[str], about: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=about):
        parse([str(tmp_path), *(flag.format(output=tmp_path) for flag in flags)])


BAD: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "is not an output of beam_pipeline": lambda folder: ("fetch", str(folder)),
    "OUTPUT": lambda folder: ("fetch",),
    "there is no such file": lambda folder: ("fetch", str(folder / "lists"), "--cookies", "/no"),
    "--resize false": lambda folder: ("fetch", str(folder / "lists")),
    "without annotations": lambda folder: ("fetch", str(folder / "any")),
}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs that clips cannot be fetched for."""
    folder = tmp_path_factory.mktemp("others")
    made = Kinetics(folder / "k")
    made.add("aWhole_000000_000002", "train", "zumba", clip(size=SIZE, frames=5))
    made.write()
    assert made.prepare(folder / "lists", "--resize=false").status == 0
    flags = ("--videos", str(made.videos), "--output", str(folder / "any"), "--short_edge", "64")
    assert run(*flags).status == 0
    return folder


@pytest.mark.parametrize("about", BAD)
def test_what_cannot_be_fetched_for_is_said(about: str, others: Path) -> None:
    ended = run(*BAD[about](others))
    assert ended.status == 2
    assert about in ended.complaint


def test_what_an_output_was_made_with_is_told_by_its_summary_or_said_to_lack(
    tmp_path: Path,
) -> None:
    config = Config.from_flags(
        annotations="/a", output=str(tmp_path), fetch="youtube", path_prefix="/p"
    )
    now, fetch = config.identity(), config.fetch
    assert fetch is not None
    others = {
        "path_prefix": "", "separator": " ", "list_format": [], "label_map": None, "limit": None,
        "classes": None, "dataset": None, "exclude_from": [], "test_from": "test",
        "limit_per_class": None, "seed": 0,
    }  # fmt: skip
    given = {"annotations": ["/a"], "videos": [], "exclude_annotations": []}

    def fetched_by(
        *, splits: tuple[str, ...] = ("train",), command: str | None = "run", **changes: Any
    ) -> Config:
        settings = {**now, **others, **changes}
        counts: dict[str, Any] = {split: {} for split in splits}
        told = {"settings": settings, "splits": counts, "inputs": given, "command": command}
        (tmp_path / "summary.json").write_text(json.dumps(told))
        return config_of(find_prepared(config.output), fetch, None)

    (tmp_path / "manifest").mkdir()
    (tmp_path / "manifest" / "train.parquet").touch()
    assert fetched_by().identity() == now
    with pytest.raises(UsageError, match=r"with av 17\.0, .*; type .* pip install av==17\.0, or"):
        fetched_by(av="17.0")
    with pytest.raises(UsageError, match=r"by another release .*; fetch with that release, or"):
        fetched_by(av="17.0", revision=1)
    wrong: list[dict[str, Any]] = [{"classes": 5}, {"fps": "fast"}, {"command": None}]
    for changes in wrong:
        with pytest.raises(UsageError, match=r"summary.json is not as a run has written it; run"):
            fetched_by(**changes)
    with pytest.raises(UsageError, match=r"manifest/val.parquet is gone, .* and then fetch again"):
        fetched_by(splits=("train", "val"))


def test_cookies_that_are_none_end_the_run(made: Made, tmp_path: Path) -> None:
    (tmp_path / "cookies.txt").write_text("what is this")
    ended = made.prepare(tmp_path / "o", *FETCH, "--cookies", str(tmp_path / "cookies.txt"))
    assert ended.status == 2
    assert made.site.asked == []
    assert "this is no cookie file" in ended.err
    assert "Traceback" not in ended.err
