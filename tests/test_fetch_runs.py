"""Clips that are found nowhere: the command and ``fetch OUTPUT``, against a stand-in."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from beam_pipeline.batches import pack
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip
from beam_pipeline.elements import Row as ManifestRow
from beam_pipeline.output.leases import acquire_lease, release_all
from beam_pipeline.output.row_log import row_line
from beam_pipeline.work.fetch_clips import _Fetch
from tests.codec import made_of
from tests.kinetics import (
    SHORT_EDGE,
    Finished,
    Kinetics,
    Row,
    all_rows,
    lines,
    run,
    summary,
    table,
    without,
)
from tests.make_clips import Sound, clip, remuxed
from tests.standin import CONFIG, NO_PAUSE, Answer, Media, StandIn, both, pictures_only, sound_only

SIZE = (96, 64)
FETCH = ("--fetch", "youtube", "--fetch_options", str(NO_PAUSE))
ONE = {"formats": [both("18", SIZE)]}
WATCH = "https://www.youtube.com/watch?v="

PAGES: dict[str, Answer | list[Answer]] = {
    "aWhole": ONE,
    "bApart": {"formats": [pictures_only("p", SIZE), sound_only("s", 128)]},
    "cPrivate": {"error": "Private video. Sign in if you've been granted access to this video"},
    "dRemoved": {"error": "Video unavailable. This video has been removed by the uploader"},
    "eShort": ONE,
    "fBroken": ONE,
    "gDown": [500, ONE],
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A data set of which nothing is there, what the site has of it, and runs on it."""

    kinetics: Kinetics
    site: StandIn

    def prepare(self, output: Path, *flags: str, videos: Path | None = None) -> Finished:
        annotations = (str(self.kinetics.annotations / name) for name in ("train.json", "val.csv"))
        there = ("--videos", str(videos)) if videos else ()
        self.site.asked.clear()
        return run(
            "--annotations", *annotations, "--output", str(output), "--splits", "train,val",
            "--short_edge", str(SHORT_EDGE), "--max_failure_ratio=1", *there, *flags,
        )  # fmt: skip

    def fetch(self, output: Path, *flags: str) -> Finished:
        self.site.asked.clear()
        return run("fetch", str(output), "--fetch_options", str(NO_PAUSE), *flags)


@pytest.fixture(scope="module")
def whole() -> bytes:
    return clip(size=SIZE, frames=12 * 25, sounds=[Sound(seconds=12)])


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    made = Kinetics(tmp_path_factory.mktemp("fetched"))
    made.add("aWhole_000000_000002", "train", "zumba")
    made.add("aWhole_000003_000005", "train", "zumba")
    made.add("bApart_000001_000003", "val", "zumba")
    made.add("cPrivate_000001_000011", "train", "air drumming")
    made.add("dRemoved_000001_000011", "val", "air drumming")
    made.add("eShort_000020_000030", "train", "zumba")
    made.add("fBroken_000001_000011", "val", "zumba")
    return made.write()


@pytest.fixture
def site(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    silent = remuxed(whole, options=["-an"])
    heard = remuxed(whole, options=["-vn"])
    media = {
        ("aWhole", "18"): Media(whole), ("eShort", "18"): Media(whole),
        ("bApart", "p"): Media(silent), ("bApart", "s"): Media(heard),
        ("fBroken", "18"): Media(b"<html>" * 99), ("gDown", "18"): Media(whole),
    }  # fmt: skip
    with StandIn(dict(PAGES), media) as serving:
        monkeypatch.setenv("STANDIN", serving.address)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(CONFIG))
        yield serving


@pytest.fixture
def made(kinetics: Kinetics, site: StandIn) -> Made:
    return Made(kinetics, site)


def told(row: Row) -> tuple[str, str | None]:
    return row["status"], row["reason"]


EXPECTED = {
    "aWhole_000000_000002": ("resized", None),
    "aWhole_000003_000005": ("resized", None),
    "bApart_000001_000003": ("resized", None),
    "cPrivate_000001_000011": ("missing", "private"),
    "dRemoved_000001_000011": ("missing", "removed"),
    "eShort_000020_000030": ("failed", "outside_video"),
    "fBroken_000001_000011": ("failed", "not_a_video"),
}


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
    flags = ("--list_format", "videomae")
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
    for name in ("train.csv", "val.csv", "lists/videomae/train.csv", "label2id.json"):
        assert (later / name).read_bytes() == (at_once / name).read_bytes(), name
    ours, theirs = all_rows(later), all_rows(at_once)
    for name in ours:
        ignored = ("seconds", "status")
        assert without(ours[name], *ignored) == without(theirs[name], *ignored)
    about = ("date", "duration", "command", "splits", "total", "warnings", "settings", "lists")
    assert without(summary(later), *about) == without(summary(at_once), *about)
    assert summary(later)["unannotated"] == 1
    assert f"fetch {later}" in summary(later)["command"]

    # Clips whose files are gone are fetched too, and nothing else.
    (later / ours["aWhole_000000_000002"]["path"]).unlink()
    assert made.fetch(later).status == 0
    assert made.site.asked == ["watch/aWhole", "media/aWhole/18"]
    assert run("verify", str(later)).status == 0


def test_too_many_requests_end_all_fetching_with_a_note(made: Made, tmp_path: Path) -> None:
    made.site.pages = {**PAGES, "aWhole": 429}
    ended = made.prepare(tmp_path / "output", *FETCH)
    assert ended.status == 1
    assert ended.complaint.startswith("no annotated clip has a file, or could be fetched")
    assert made.site.asked == ["watch/aWhole"] * 4  # after back-off
    rows = all_rows(tmp_path / "output")
    assert {told(rows[name]) for name in rows if "aWhole" in name} == {("missing", "rate_limited")}
    assert {told(rows[name]) for name in rows if "aWhole" not in name} == {("missing", "no_file")}
    (note,) = (each for each in summary(tmp_path / "output")["warnings"] if "ended early" in each)
    assert "5 more videos were not asked for" in note
    made.site.pages = PAGES
    assert made.prepare(tmp_path / "output", *FETCH).status == 0
    rows = all_rows(tmp_path / "output")
    assert {name: told(row) for name, row in rows.items()} == EXPECTED


def test_a_fault_that_passes_is_asked_for_in_the_next_run(tmp_path: Path, site: StandIn) -> None:
    alone = Kinetics(tmp_path / "alone")
    alone.add("gDown_000001_000003", "train", "zumba")
    alone.add("aWhole_000000_000002", "val", "zumba")
    made, output = Made(alone.write(), site), tmp_path / "output"
    assert made.prepare(output, *FETCH).status == 0
    assert told(all_rows(output)["gDown_000001_000003"]) == ("missing", "network")
    site.pages = {"gDown": ONE}
    assert made.fetch(output).status == 0
    assert made.site.asked == ["watch/gDown", "media/gDown/18"]
    assert told(all_rows(output)["gDown_000001_000003"]) == ("resized", None)


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
        Clip("cPrivate_000001_000011", "cPrivate", 1, 11, "train", "zumba", 0),
    ]
    planned = [tuple(ManifestRow.of(each, "missing", reason="no_file")) for each in clips]
    acquire_lease(config.output)
    told_to = []
    for _ in range(2):
        worker = _Fetch(config)
        worker.setup()
        worker.start_bundle()
        rows = worker.process((0, [pack(planned)]), {"zumba": 2})
        told_to.append([row[:7] for row in rows])
        list(worker.finish_bundle())
        worker.teardown()
    assert {row[4] for row in told_to[0]} == {"resized", "missing"}
    assert sorted(told_to[1]) == sorted(told_to[0])
    assert site.asked == ["watch/aWhole", "media/aWhole/18", "watch/cPrivate"]
    release_all(5)


def test_what_a_killed_run_has_fetched_is_not_fetched_again(made: Made, tmp_path: Path) -> None:
    """The state of a run that died amid its work: some rows and clips, and half a video."""
    output = tmp_path / "output"
    assert made.prepare(output, *FETCH).status == 0
    rows = [ManifestRow(**row) for name, row in all_rows(output).items() if name[0] in "abc"]
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


BAD: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "is no output": lambda folder: ("fetch", str(folder)),
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


def test_cookies_that_are_none_end_the_run(made: Made, tmp_path: Path) -> None:
    (tmp_path / "cookies.txt").write_text("what is this")
    ended = made.prepare(tmp_path / "o", *FETCH, "--cookies", str(tmp_path / "cookies.txt"))
    assert ended.status == 1
    assert "this is no cookie file" in ended.err
    assert "Traceback" not in ended.err
