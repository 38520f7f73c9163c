"""Names that no file in the output can have: a row each, and the rest is made."""

import errno
import os
from pathlib import Path

import pytest

from beam_pipeline.elements import ResizeTask, Row, Video
from beam_pipeline.errors import OutputError
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.path_limits import why_refused, why_unusable
from beam_pipeline.plan.plan_videos import _kinds, _root, decide, find_clashes
from tests.conftest import small_clip
from tests.kinetics import Finished, configured, manifest, run
from tests.packing import END, member, pax, sparse

LOCAL, BUCKET = Output("/out", "run"), Output("gs://bucket/out", "run")
LONG = "ö" * 125 + "12345"  # 255 bytes


@pytest.mark.parametrize("output", [LOCAL, BUCKET])
@pytest.mark.parametrize("name", ["a", "a b/ö", "a\\nb", "-", "😀", "a" * 240, "a.mp4/b"])
def test_usable_names(name: str, output: Output) -> None:
    assert why_unusable(f"videos/{name}.mp4", output) is None


@pytest.mark.parametrize("output", [LOCAL, BUCKET])
@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x9b", "\u2028"])
def test_control_characters_are_in_no_name(character: str, output: Output) -> None:
    said = why_unusable(f"videos/a{character}b.mp4", output)
    assert said == f"its name has a control character, {character!r}; rename it"
    assert said.isprintable()


def test_names_on_a_disk_have_a_length() -> None:
    assert why_unusable(f"videos/{LONG}/{LONG[:-4]}.mp4", LOCAL) is None
    assert why_unusable(f"videos/{LONG[:-3]}.mp4", LOCAL) == (
        "a name in its path would have 256 bytes, at most 255 are possible; rename it"
    )
    assert "256 bytes" in (why_unusable(f"videos/{LONG}x/a.mp4", LOCAL) or "")
    path = "videos/" + "a/" * 2040  # with /out/ before it and a.mp4 behind 4,097 bytes
    assert "its path would have 4,097 bytes" in (why_unusable(f"{path}a.mp4", LOCAL) or "")
    assert why_unusable(f"{path[:-2]}a.mp4", LOCAL) is None


def test_names_in_a_bucket_have_another() -> None:
    assert why_unusable(f"videos/{LONG}.mp4", BUCKET) is None
    key = "videos/" + "a" * (1024 - len("out/videos/.mp4"))
    assert why_unusable(f"{key}.mp4", BUCKET) is None
    assert why_unusable(f"{key}a.mp4", BUCKET) == (
        "its name in the bucket would have 1,025 bytes, at most 1,024 are possible; rename it"
    )


@pytest.mark.parametrize("code", [errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL])
def test_a_disk_with_narrower_limits_refuses_one_clip(code: int) -> None:
    assert why_refused("videos/a.mp4", LOCAL, caused_by(code)) == f"{os.strerror(code)}; rename it"
    assert why_refused("videos/a.mp4", BUCKET, caused_by(code)) is None


def caused_by(code: int) -> OutputError:
    error = OutputError("cannot write")
    error.__cause__ = OSError(code, os.strerror(code))
    return error


def test_a_file_where_a_folder_must_be_refuses_one_clip(tmp_path: Path) -> None:
    output = Output(str(tmp_path), "run")
    (tmp_path / "videos" / "folder.mp4").mkdir(parents=True)
    (tmp_path / "videos" / "file.mp4").write_bytes(b"1")
    (tmp_path / "state").write_bytes(b"1")

    def said(relative: str) -> str | None:
        return why_refused(relative, output, caused_by(errno.ENOTDIR))

    assert said("videos/file.mp4/a/b.mp4") == (
        "videos/file.mp4 in the output is a file, not a folder; rename one of the two"
    )
    assert said("videos/folder.mp4") == (
        "videos/folder.mp4 in the output is a folder; rename one of the two"
    )
    assert said("videos/folder.mp4/a.mp4") is None
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "videos").write_bytes(b"1")
    output = Output(str(tmp_path / "other"), "run")
    assert said("videos/a.mp4") is None  # no clip's fault


# A file and a folder of one name


def groups(*found: str, made: tuple[str, ...] = ()) -> dict:
    def group(path: str) -> dict:
        videos = [Video(f"/v/{path}.avi", 0, 1)] if path in found else []
        rows = [Row(path, None, None, None, "resized")] if path in made else []
        return {
            "videos": videos,
            "members": [],
            "rows": rows,
            "outputs": rows and [Video("", 0, 1)],
        }

    return {path: group(path) for path in (*found, *made)}


@pytest.mark.parametrize(
    ("found", "clashing"),
    [
        (("a", "b", "a/b"), set()),
        (("a.mp4/b", "a.mp4/c", "a.avi/d"), set()),
        (("a", "a.mp4/b", "a.mp4/c"), {"a"}),
        (("a", "a.mp4/b", "a.mp4/b.mp4/c"), {"a", "a.mp4/b"}),
        (("a", "a.mp4/x/y.mp4/c", "a.mp4/x/y"), {"a", "a.mp4/x/y"}),
    ],
)
def test_of_a_file_and_a_folder_of_one_name_the_folder_counts(
    found: tuple[str, ...], clashing: set[str]
) -> None:
    assert find_clashes(groups(*found)).keys() == clashing
    assert len({_root(clip_id) for clip_id in found if clip_id.startswith("a.mp4")} | {"a"}) == 1


def test_what_is_made_stays() -> None:
    assert find_clashes(groups("a.mp4/b", "a.mp4/c", made=("a",))).keys() == {"a.mp4/b", "a.mp4/c"}
    assert find_clashes(groups("a", made=("a.mp4/b",))).keys() == {"a"}
    assert not find_clashes(groups(made=("a", "a.mp4/b")))


def test_what_may_clash_meets_in_one_bucket() -> None:
    config = configured("--videos", "/v", "--output", "/o")
    kinds = _kinds(config, by_root=True)
    assert {kinds["videos"][1](Video(f"/v/{name}", 0, 1)) for name in (
        "a.avi", "a.mp4/b.mp4", "a.mp4/x/y.mp4/c.mkv")} == {"a"}  # fmt: skip
    assert kinds["outputs"][1](Video("/o/videos/a.mp4/b.mp4", 0, 1)) == "a"


def test_a_clip_with_a_bad_name_is_a_row() -> None:
    config = configured("--videos", "/v", "--output", "/o")
    group = {"videos": [Video("/v/a\nb.mp4", 0, 7)], "members": [], "rows": [], "outputs": []}
    row = decide("a\nb", group, config)
    assert isinstance(row, Row)
    assert (row.status, row.reason, row.source, row.source_bytes, row.path) == (
        "failed", "bad_name", "/v/a\nb.mp4", 7, None,
    )  # fmt: skip
    assert isinstance(decide("ab", group, config), ResizeTask)
    assert decide("ab", group, config, "taken").detail == "taken"  # type: ignore[union-attr]


# Whole runs


def resize_all(videos: Path, output: Path) -> Finished:
    return run("--videos", str(videos), "--output", str(output), "--short_edge=32")


def outcomes(output: Path) -> dict[str, str]:
    """The reason or, of clips that are made, the status of every row."""
    rows = manifest(output, "all")
    by_id = {row["clip_id"]: row["reason"] or row["status"] for row in rows}
    assert len(by_id) == len(rows)
    return by_id


def test_a_folder_with_bad_names_is_made_but_for_those(tmp_path: Path, one_clip: bytes) -> None:
    bad = ["a.avi", "line\nbreak.mp4", "\x1b[31mred.mp4", "x" * 252 + ".ts"]
    good = ["a.mp4/b.mp4", "a.mp4/c.mkv", "x" * 251 + ".mp4", "c.mp4"]
    for name in bad + good:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(one_clip)
    for status in ("resized", "reused"):
        ended = resize_all(tmp_path / "in", tmp_path / "out")
        assert (ended.status, ended.err) == (0, "")
        assert outcomes(tmp_path / "out") == {
            **{os.path.splitext(name)[0]: "bad_name" for name in bad},
            **{os.path.splitext(name)[0]: "resized" for name in good},
        }, status


def test_an_archive_with_bad_names_and_claims_is_made_but_for_those(tmp_path: Path) -> None:
    clip = small_clip(frames=3)
    bad = (
        "nul\0.mp4", "\x1b]0;title\x07.mp4", "l\ni\n.mp4", "y" * 300 + ".mp4",
        "d/" * 2500 + "x.mp4", "file.mp4/in it.mp4",
    )  # fmt: skip
    archive = [
        member("file.avi", clip),
        member("file.webm", clip),
        *(pax({"path": name}) + member("x", clip) for name in bad),
        sparse("holes.mp4", clip, 2**63),
        sparse("holes2.mp4", clip, 3 * 1024**3),
        pax({"GNU.sparse.major": "1", "GNU.sparse.realsize": str(2**63), "path": "holes3.mp4"})
        + member("x", clip),
        member("last.mp4", clip),
        pax({"size": str(2**63), "path": "large.mp4"}) + member("x", clip),
    ]
    (tmp_path / "a.tar").write_bytes(b"".join(archive) + END)
    for _ in range(2):
        ended = run(
            "--videos", str(tmp_path / "a.tar"), "--output", str(tmp_path / "out"),
            "--short_edge=32", "--max_failure_ratio=1",
        )  # fmt: skip
        assert (ended.status, ended.err) == (0, "")
        assert outcomes(tmp_path / "out") == {
            **{os.path.splitext(name)[0]: "bad_name" for name in bad},
            **dict.fromkeys(("holes", "holes2", "holes3"), "unreadable"),
            **dict.fromkeys(("file", "last"), "resized"),
            "large": "too_large",
        }  # fmt: skip
