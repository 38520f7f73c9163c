"""Whole runs over addresses with user, password and query: where these come out again."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import small_clip
from tests.kinetics import SHORT_EDGE, Finished, Kinetics, all_rows, lines, run, summary, table
from tests.packing import pack
from tests.site import Site

PASSWORD, SIGNATURE, QUERY, HEADER = "hunter2", "S1gnature", "Qu3ry", "H3ader"
OPTIONS = json.dumps({"http": {"headers": {"X-Key": HEADER}}})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Iterator[Site]:
    made = Kinetics(tmp_path_factory.mktemp("private"))
    made.add("aGood_000001_000011", "val", "zumba", one_clip)
    made.add("bGone_000002_000012", "val", "zumba")
    made.add("cBroken_000003_000013", "val", "zumba", b"broken")
    made.add("dPacked_000004_000014", "val", "abseiling")
    made.add("eConflict_000005_000015", "val", "zumba")
    made.add("eConflict_000005_000015", "val", "abseiling")
    made.add("fBare_000006_000016", "val", "zumba")
    made.add("fBare_000007_000017", "val", "zumba")
    made.add("gMissing_000008_000018", "val", "zumba")
    made.add("hFaulty_000009_000019", "val", "zumba", one_clip)
    made.write()
    root = made.root
    clip = small_clip()
    pack(root / "good.tar", {"dPacked_000004_000014.mp4": clip, "fBare.mp4": clip})
    pack(root / "whole.tar", {"zOther_000001_000011.mp4": clip})
    (root / "broken.tar").write_bytes((root / "whole.tar").read_bytes()[:1500])
    (root / "map.txt").write_text("zumba\nabseiling\n")
    with Site(root) as served:
        served.fault = lambda path, before: 403 if "hFaulty" in path else None
        (root / "list.txt").write_text(
            "".join(
                f"{address(served, f'videos/val/{name}.mp4')}\n"
                for name in (
                    "aGood_000001_000011", "bGone_000002_000012", "cBroken_000003_000013",
                    "hFaulty_000009_000019",
                )
            )
        )  # fmt: skip
        yield served


def address(site: Site, path: str) -> str:
    host = site.address.removeprefix("http://")
    return f"http://me:{PASSWORD}@{host}/{path}?X-Goog-Signature={SIGNATURE}&id={QUERY}"


def prepared(site: Site, output: Path, *flags: str) -> Finished:
    return run(
        "--annotations", address(site, "annotations/val.csv"), "--videos",
        *(address(site, path) for path in ("list.txt", "good.tar", "broken.tar")),
        "--label_map", address(site, "map.txt"), "--output", str(output),
        "--short_edge", str(SHORT_EDGE), "--storage_options", OPTIONS, *flags,
    )  # fmt: skip


def everything(output: Path, ended: Finished) -> dict[str, str]:
    """All that a run has written and said, and the names of its files."""
    texts = {"stdout": ended.out, "stderr": ended.err, "rows": repr(all_rows(output))}
    for folder, _, names in os.walk(output):
        for name in names:
            path = Path(folder, name)
            texts[str(path.relative_to(output))] = str(path) + path.read_bytes().decode("latin-1")
    return texts


def places(secret: str, texts: dict[str, str]) -> list[str]:
    return [name for name, text in texts.items() if secret in text]


def test_no_secret_is_written_or_said(site: Site, tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = prepared(site, output, "--max_failure_ratio=1")
    assert (ended.status, ended.err) == (0, "")
    texts = everything(output, ended)
    for secret in (PASSWORD, "//me:", SIGNATURE, QUERY, HEADER):
        assert places(secret, texts) == []
    rows = all_rows(output)
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "aGood_000001_000011": ("resized", None),
        "bGone_000002_000012": ("failed", "unreadable"),
        "cBroken_000003_000013": ("failed", "not_a_video"),
        "dPacked_000004_000014": ("resized", None),
        "eConflict_000005_000015": ("failed", "conflicting_annotations"),
        "fBare_000006_000016": ("failed", "ambiguous"),
        "fBare_000007_000017": ("failed", "ambiguous"),
        "gMissing_000008_000018": ("missing", "no_file"),
        "hFaulty_000009_000019": ("failed", "unreadable"),
    }
    shown = summary(output)["archives"]["broken"][0]["archive"]
    assert shown.startswith(f"{site.address}/broken.tar#")
    assert rows["gMissing_000008_000018"]["detail"].startswith(f"{shown} could not be read")
    assert f"first {shown} (it ends early)" in ended.out
    mark = shown.partition("#")[2]
    assert rows["dPacked_000004_000014"]["source"] == (
        f"{site.address}/good.tar#{mark}/dPacked_000004_000014.mp4"
    )
    assert rows["aGood_000001_000011"]["source"].endswith(f"aGood_000001_000011.mp4#{mark}")
    assert f"val.csv#{mark} line" in rows["eConflict_000005_000015"]["detail"]
    assert {row["clip_id"] for row in table(output / "failed.csv")} == {
        name for name, row in rows.items() if row["status"] == "failed"
    }


def test_full_names_are_kept_where_they_are_asked_for(site: Site, tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = prepared(site, output, "--max_failure_ratio=1", "--source_names=full")
    assert (ended.status, ended.err) == (0, "")
    texts = everything(output, ended)
    for secret in (PASSWORD, "//me:", HEADER):
        assert places(secret, texts) == []
    where = {"stdout", "rows", "failed.csv", "missing.csv", "summary.json"}
    assert where <= set(places(QUERY, texts)) & set(places(SIGNATURE, texts))
    packed = all_rows(output)["dPacked_000004_000014"]
    assert packed["source"] == (
        address(site, "good.tar").replace(f":{PASSWORD}", "") + "/dPacked_000004_000014.mp4"
    )
    assert packed["status"] == "resized"


@pytest.mark.parametrize("annotated", [True, False])
def test_a_run_goes_on_where_a_signature_has_changed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, annotated: bool
) -> None:
    output = tmp_path / "output"
    name = "videos/val/aGood_000001_000011.mp4"

    def again() -> Finished:
        flags = ["--videos", address(site, name), "--short_edge", str(SHORT_EDGE)]
        if annotated:
            flags += ["--annotations", address(site, "annotations/val.csv")]
        return run(*flags, "--output", str(output), "--max_failure_ratio=1")

    assert again().status == 0
    before, asked = summary(output), site.asked.count(name)
    monkeypatch.setattr("tests.test_private_runs.SIGNATURE", "An0ther")
    assert "already complete" in again().out
    assert summary(output) == before
    assert site.asked.count(name) == asked


def test_two_addresses_that_differ_in_the_query_alone_are_two_files(
    site: Site, tmp_path: Path
) -> None:
    folder = site.folder / "two"
    folder.mkdir(exist_ok=True)
    for name in ("v.mp4", "get"):
        shutil.copy(site.folder / "videos" / "val" / "aGood_000001_000011.mp4", folder / name)
    (folder / "list.txt").write_text(
        f"v.mp4\nv.mp4?id=1\nv.mp4?id=2\n{site.address}/two/get?file=a\nget?file=b\n"
    )
    output = tmp_path / "output"
    ended = run(
        "--videos", f"{site.address}/two/list.txt?key={QUERY}", "--output", str(output),
        "--short_edge", str(SHORT_EDGE),
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    rows = all_rows(output)
    assert len(rows) == summary(output)["total"]["resized"] == 5
    for clip_id, row in rows.items():
        name, _, mark = clip_id.partition("-")
        suffix = ".mp4" if name == "v" else ""
        assert row["path"] == f"videos/{clip_id}.mp4"
        assert row["source"] == f"{site.address}/two/{name}{suffix}" + (f"#{mark}" if mark else "")
    assert sorted(clip_id.partition("-")[0] for clip_id in rows) == ["get", "get", "v", "v", "v"]


@pytest.mark.parametrize(
    ("flag", "path"),
    [
        ("--annotations", "gone.csv"),
        ("--annotations", "map.txt"),
        ("--annotations", "broken.tar"),
        ("--videos", "gone.txt"),
        ("--videos", "gone.tar"),
        ("--videos", "page.html"),
        ("--label_map", "gone.txt"),
        ("--label_map", "annotations/val.csv"),
        ("--output", "output"),
    ],
)
def test_a_message_that_ends_a_run_holds_no_secret(
    site: Site, tmp_path: Path, flag: str, path: str
) -> None:
    given = {
        "--annotations": address(site, "annotations/val.csv"),
        "--videos": address(site, "list.txt"),
        "--output": str(tmp_path / "output"),
    } | {flag: address(site, path)}
    words = [word for pair in given.items() for word in pair]
    ended = run(*words, "--storage_options", OPTIONS)
    assert ended.status in (1, 2)
    assert f"{site.address}/{path}" in ended.complaint
    texts = {"stdout": ended.out, "stderr": ended.err}
    for secret in (PASSWORD, "//me:", SIGNATURE, QUERY, HEADER):
        assert places(secret, texts) == []


def test_lists_of_videos_as_they_are_hold_no_secret(site: Site, tmp_path: Path) -> None:
    def listed(*flags: str) -> Finished:
        return run(
            "--annotations", address(site, "annotations/val.csv"), "--videos", *flags,
            "--output", str(tmp_path / "output"), "--resize=false",
        )  # fmt: skip

    name = "videos/val/aGood_000001_000011.mp4"
    ended = listed(address(site, name))
    assert ended.status == 1
    assert "without its password" in ended.complaint
    queried = f"{site.address}/{name}?id=5"
    ended = listed(queried)
    assert "type --source_names full" in ended.complaint
    assert listed(queried, "--source_names=full", "--max_failure_ratio=1").status == 0
    assert [line.rpartition(" ")[0] for line in lines(tmp_path / "output" / "val.csv")] == [queried]
