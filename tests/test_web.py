"""Annotations, label maps, listings and clips at addresses on the web."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kinetics import SHORT_EDGE, Kinetics, all_rows, lines, run, run_anew, summary
from tests.site import Fault, Site


@pytest.fixture
def kinetics(tmp_path: Path, one_clip: bytes) -> Kinetics:
    made = Kinetics(tmp_path / "site")
    made.add("aDrums_000001_000011", "val", "air drumming", one_clip, "air drumming")
    made.add("bZumba_000002_000012", "val", "zumba", one_clip, "zumba")
    made.add("cGone_000003_000013", "val", "zumba")
    made.add("dEmpty_000004_000014", "val", "zumba", b"")
    return made.write()


@pytest.fixture
def site(kinetics: Kinetics) -> Iterator[Site]:
    with Site(kinetics.root) as made:
        (kinetics.root / "map.txt").write_text("zumba\nair drumming\n")
        (kinetics.root / "videos.txt").write_text(
            f"{made.address}/videos/val/air drumming/aDrums_000001_000011.mp4\n"
            "videos/val/zumba/bZumba_000002_000012.mp4\n"
            "videos/val/cGone_000003_000013.mp4\n"
            "videos/val/dEmpty_000004_000014.mp4\n"
        )
        yield made


def flags(site: Site, output: Path) -> tuple[str, ...]:
    return (
        "--annotations", f"{site.address}/annotations/val.csv", "--videos",
        f"{site.address}/videos.txt", "--label_map", f"{site.address}/map.txt",
        "--output", str(output), "--short_edge", str(SHORT_EDGE),
    )  # fmt: skip


def test_everything_can_be_read_from_the_web(site: Site, tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = run_anew(*flags(site, output))
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(output)
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "aDrums_000001_000011": ("resized", None),
        "bZumba_000002_000012": ("resized", None),
        "cGone_000003_000013": ("failed", "unreadable"),
        "dEmpty_000004_000014": ("failed", "empty_file"),
    }
    assert [line.rpartition(" ")[2] for line in lines(output / "val.csv")] == ["1", "0"]
    assert site.asked.count("videos/val/zumba/bZumba_000002_000012.mp4") == 1


@pytest.mark.parametrize("fault", [429, 503, "cut"])
def test_what_may_pass_is_asked_again(site: Site, tmp_path: Path, fault: Fault) -> None:
    site.fault = lambda path, before: fault if before == 0 and "dEmpty" not in path else None
    output = tmp_path / "output"
    ended = run(*flags(site, output))
    assert (ended.status, ended.err) == (0, "")
    assert summary(output)["total"]["resized"] == 2
    assert summary(output)["retries"] >= 5


@pytest.mark.parametrize("name", ["annotations/val.csv", "videos.txt", "map.txt"])
@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there_is_one_line(site: Site, tmp_path: Path, name: str, status: int) -> None:
    site.fault = lambda path, before: status if path == name else None
    ended = run(*flags(site, tmp_path / "output"))
    assert ended.status == 1
    assert f"{site.address}/{name}" in ended.complaint
    assert site.asked.count(name) == 1


def test_the_web_cannot_be_written_to(site: Site) -> None:
    ended = run(*flags(site, Path("x")), "--output", f"{site.address}/output")
    assert ended.status == 2
    assert "cannot be written to" in ended.complaint


def test_options_reach_the_web_too(site: Site, tmp_path: Path) -> None:
    options = json.dumps({"http": {"headers": {"Authorization": "Bearer abc"}}})
    assert run(*flags(site, tmp_path / "output"), "--storage_options", options).status == 0
    assert set(site.authorized) == {"Bearer abc"}
