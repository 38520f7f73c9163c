"""``verify`` finds what is damaged in an output, and ``--mend`` has the next run make it again."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.cli import SUBCOMMANDS
from beam_pipeline.codec.outcome import Facts, Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.commands.prepared import find_prepared
from beam_pipeline.commands.verify import check_clips
from beam_pipeline.commands.verify.check_clips import ClipRow, check_name, check_source, differences
from beam_pipeline.commands.verify.check_files import first_difference
from beam_pipeline.commands.verify.damage import Damage
from beam_pipeline.commands.verify.mend import is_gone, mend
from beam_pipeline.commands.verify.verified import Verified, conclusion
from beam_pipeline.commands.verify.verify import as_json, verify
from beam_pipeline.elements import Row
from beam_pipeline.errors import RunError, UsageError
from beam_pipeline.output import manifest
from beam_pipeline.output.leases import acquire_lease, release_lease
from beam_pipeline.output.output_folder import Output
from tests.buckets import Buckets
from tests.conftest import Ran, small_clip
from tests.kinetics import Kinetics, all_rows, run, run_anew, snapshot
from tests.kinetics import manifest as rows_of

CLIP = "videos/train/zumba/{}_000001_000011.mp4"
FLIPPED, CUT, GONE, SWAPPED, WITH, WHOLE = (
    CLIP.format(name) for name in ("aFlip", "bCut", "cGone", "dSwap", "eSwap", "fWhole")
)
STRANGER = "videos/train/zumba/stranger.mp4"


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    """Six clips, each with bytes of its own."""
    made = Kinetics(tmp_path_factory.mktemp("six"))
    for frames, path in enumerate((FLIPPED, CUT, GONE, SWAPPED, WITH, WHOLE), start=5):
        made.add(Path(path).stem, "train", "zumba", small_clip(frames=frames))
    made.add("gMissing_000001_000011", "val", "zumba")
    return made.write()


@pytest.fixture(scope="module")
def whole(six: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished output of these, which no test changes."""
    output = tmp_path_factory.mktemp("whole") / "output"
    formats = ("--path_prefix=", "--list_format", "videomae", "torchvision")
    assert six.prepare(output, *formats).status == 0
    return output


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "output", symlinks=True))


def hurt(output: Path) -> None:
    """Damage an output in every way that is told apart."""
    flipped = bytearray((output / FLIPPED).read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (output / FLIPPED).write_bytes(flipped)
    (output / CUT).write_bytes((output / CUT).read_bytes()[:-100])
    (output / GONE).unlink()
    os.rename(output / SWAPPED, output / "kept")
    os.rename(output / WITH, output / SWAPPED)
    os.rename(output / "kept", output / WITH)
    text = (output / "train.csv").read_text()
    (output / "train.csv").write_text(text.replace(f"{WHOLE} 0", f"{WHOLE} 1"))
    (output / STRANGER).write_bytes(b"?")


@pytest.fixture(scope="module")
def found(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Verified:
    """What is found in a copy with all this damage."""
    output = tmp_path_factory.mktemp("hurt") / "output"
    shutil.copytree(whole, output, symlinks=True)
    hurt(output)
    return look_at(output, quick=False)


def look_at(output: Path, quick: bool = True) -> Verified:
    return verify(find_prepared(Output(str(output), "")), quick, workers=2)


def problems(found: Verified) -> dict[str, str]:
    assert len({damage.path for damage in found.damaged}) == len(found.damaged)
    return {damage.path: damage.problem for damage in found.damaged}


# What is found


def test_a_flipped_byte(found: Verified) -> None:
    assert problems(found)[FLIPPED].startswith("its SHA-256 is ")


def test_a_cut_file(found: Verified) -> None:
    assert " bytes, not " in problems(found)[CUT]


def test_a_missing_file(found: Verified) -> None:
    assert problems(found)[GONE] == "there is no such file"


def test_two_clips_exchanged_are_named_with_each_other(found: Verified) -> None:
    said = problems(found)
    for path, other in ((SWAPPED, WITH), (WITH, SWAPPED)):
        assert " bytes, not " in said[path]  # their sizes differ
        assert said[path].endswith(f"these are the bytes of {other}")
    assert "these are the bytes of" not in said[CUT]


def test_clips_of_one_size_exchanged(copy: Path) -> None:
    rows = all_rows(copy)
    one, other = copy / SWAPPED, copy / WITH
    longer = max(one.stat().st_size, other.stat().st_size)
    # A box of free space at the end makes them equally large; the manifest knows these bytes.
    padded = {path: pad(path.read_bytes(), longer + 8) for path in (one, other)}
    assert set(map(len, padded.values())) == {longer + 8}
    with_rows = {path: rows[path.stem] | stated(data) for path, data in padded.items()}
    one.write_bytes(padded[other])
    other.write_bytes(padded[one])
    rewrite_manifest(copy, "train", {row["clip_id"]: row for row in with_rows.values()})
    said = problems(look_at(copy, quick=False))
    assert said[SWAPPED].endswith(f"these are the bytes of {WITH}")
    assert said[WITH].endswith(f"these are the bytes of {SWAPPED}")
    assert "8 frames, not 9" in said[WITH]
    assert look_at(copy).damaged_of("clip") == []  # by name and size they are in their places


def test_an_edited_list(found: Verified) -> None:
    assert problems(found)["train.csv"] == f"line 6 is {WHOLE} 1, not {WHOLE} 0"


def test_nothing_else_is_found(found: Verified) -> None:
    assert set(problems(found)) == {FLIPPED, CUT, GONE, SWAPPED, WITH, "train.csv"}


def test_a_file_without_a_row_is_named_and_is_no_damage(found: Verified, copy: Path) -> None:
    assert found.unlisted == [STRANGER]
    (copy / STRANGER).write_bytes(b"?")
    assert look_at(copy).unlisted == [STRANGER]
    assert look_at(copy).damaged == []


def test_by_name_and_size_the_rest_is_found(whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(whole, output, symlinks=True)
    hurt(output)
    said = problems(look_at(output))
    assert {CUT, GONE, "train.csv"} <= said.keys()
    assert FLIPPED not in said


def test_a_whole_output_is_whole_and_stays_as_it_is(whole: Path) -> None:
    before = snapshot(whole)
    found = look_at(whole, quick=False)
    assert (found.damaged, found.unlisted, found.notes) == ([], [], [])
    assert (found.clips, found.lists) == (6, 6)
    assert found.bytes == sum(row["bytes"] or 0 for row in all_rows(whole).values())
    assert snapshot(whole) == before


def test_every_kind_of_clip_decodes_to_its_row(ran: Ran) -> None:
    assert look_at(ran.output, quick=False).damaged == []


def test_a_clip_too_large_for_memory_is_read_from_its_file(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_clips, "MAX_IN_MEMORY", 0)
    assert look_at(copy, quick=False).damaged == []
    hurt(copy)
    assert problems(look_at(copy, quick=False))[FLIPPED].startswith("its SHA-256 is ")


def test_a_clip_that_cannot_be_read_costs_its_own_line(copy: Path) -> None:
    (copy / WHOLE).unlink()
    (copy / WHOLE).mkdir()
    assert set(problems(look_at(copy, quick=False))) == {WHOLE}


def test_a_decoder_that_is_killed_says_nothing_of_the_clip(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = Outcome("failed", "crashed", "its process was killed by SIGKILL", killed=True)
    monkeypatch.setattr(CodecPool, "run", lambda *_: killed)
    with pytest.raises(RunError, match="type fewer --workers"):
        look_at(copy, quick=False)


def test_a_clip_that_does_not_decode_says_why(copy: Path) -> None:
    junk = b"?" * 100
    (copy / WHOLE).write_bytes(junk)
    rewrite_manifest(copy, "train", {Path(WHOLE).stem: stated(junk)})
    said = problems(look_at(copy, quick=False))
    assert said[WHOLE].startswith("it does not decode (not_a_video: ")


# Files beside the clips


@pytest.mark.parametrize("name", ["manifest/train.parquet", "label2id.json", "summary.json"])
def test_a_file_of_zeros(copy: Path, name: str) -> None:
    (copy / name).write_bytes(bytes((copy / name).stat().st_size))
    said = problems(look_at(copy))
    assert said[name].startswith("it is not as it was written: ")
    assert look_at(copy).unlisted == []


@pytest.mark.parametrize(
    "name",
    [
        "manifest/val.parquet", "label2id.json", "summary.json", "missing.csv", "failed.csv",
        "train.csv", "lists/videomae/val.csv",
    ],
)  # fmt: skip
def test_a_file_that_is_gone(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert problems(look_at(copy))[name].startswith("there is no such file")


def test_an_edited_table(copy: Path) -> None:
    (copy / "missing.csv").write_text((copy / "missing.csv").read_text() + "x\n")
    assert problems(look_at(copy)) == {"missing.csv": "line 3 is one too many: x"}


def test_a_manifest_of_another_output(copy: Path) -> None:
    rewrite_manifest(copy, "train", {"aFlip_000001_000011": {"status": "missing", "path": None}})
    said = [damage.problem for damage in look_at(copy).damaged_of("summary")]
    assert "its fingerprint is not that of the manifests" in said
    assert "train has 1 clip with status missing, not 0" in said


def test_a_link_for_torchvision_that_leads_elsewhere(copy: Path) -> None:
    name = f"lists/torchvision/train/zumba/{Path(WHOLE).name}"
    (copy / name).unlink()
    assert problems(look_at(copy)) == {name: "there is no such link"}
    (copy / name).symlink_to("/dev/null")
    assert problems(look_at(copy))[name].startswith("it is no link to ")


def test_lists_with_the_prefix_of_an_earlier_run_are_whole(six: Kinetics, copy: Path) -> None:
    six.prepare(copy, "--splits=val", "--path_prefix=/moved")
    assert look_at(copy).damaged == []


def test_an_unfinished_run_is_said(copy: Path) -> None:
    (copy / "_state" / ("0" * 32)).mkdir(parents=True)
    (note,) = look_at(copy).notes
    assert note.startswith("a run is at work here, or was stopped")


def test_before_any_run_has_finished_clips_are_not_strangers(copy: Path) -> None:
    shutil.rmtree(copy / "manifest")
    (copy / "summary.json").unlink()
    (copy / "_state" / ("0" * 32)).mkdir(parents=True)
    found = look_at(copy)
    assert problems(found)["summary.json"] == "there is no such file: no run has finished"
    assert found.unlisted == []


def test_a_summary_of_another_program_is_damage_beside_manifests_only(
    copy: Path, tmp_path: Path
) -> None:
    (copy / "summary.json").write_text('{"accuracy": 1}')
    assert problems(look_at(copy))["summary.json"] == "it is no summary of a run"
    (tmp_path / "summary.json").write_text('{"accuracy": 1}')
    with pytest.raises(UsageError, match="is not an output of beam_pipeline"):
        look_at(tmp_path)


def test_a_folder_that_is_no_output_is_a_wrong_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not an output of beam_pipeline"):
        look_at(tmp_path)


# The pure parts


def clip_row(**columns) -> ClipRow:
    stated = dict.fromkeys(ClipRow._fields) | {"status": "resized", "path": WHOLE, "bytes": 3}
    return ClipRow(**stated | columns)


def test_a_row_that_leads_out_of_the_output_is_damage_and_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.mp4").write_bytes(b"abc")
    output = Output(str(tmp_path / "output"), "")
    damage = check_name(clip_row(path="videos/../../mine.mp4"), {}, output)
    assert damage is not None
    assert mend(output, [damage]).to_make == []
    assert (tmp_path / "mine.mp4").exists()


def test_what_is_decoded_is_compared_with_the_row() -> None:
    row = clip_row(width=64, height=48, frames=10, duration=1.0, has_audio=True)
    same = Facts(width=64, height=48, frames=10, duration=0.9, has_audio=True)
    assert list(differences(row, same)) == []
    other = Facts(width=48, height=64, frames=9, duration=1.2, has_audio=False)
    assert list(differences(row, other)) == [
        "9 frames, not 10",
        "48x64 pixels, not 64x48",
        "no sound, but some in its row",
        "its last picture is at 1.200 s of 1.000 s",
    ]
    assert list(differences(clip_row(), other)) == []  # an older manifest does not say


def test_an_original_that_is_listed_is_looked_up(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    row = clip_row(status="listed", path=None, source=str(source), source_bytes=3)
    assert check_source(row) == Damage("clip", str(source), "there is no such file")
    source.write_bytes(b"four")
    assert check_source(row) == Damage("clip", str(source), "it has 4 bytes, not 3")
    source.write_bytes(b"abc")
    assert check_source(row) is None


@pytest.mark.parametrize(
    ("actual", "problem"),
    [
        (b"a 0\n", "line 2 is missing: b 1"),
        (b"a 0\nb 1\nc 2\n", "line 3 is one too many: c 2"),
        (b"a 0\nb 2\n", "line 2 is b 2, not b 1"),
        (b"a 0\nb 1", "its last line has no end, or its line ends are others"),
    ],
)
def test_the_first_line_that_differs_is_named(actual: bytes, problem: str) -> None:
    assert first_difference(actual, b"a 0\nb 1\n") == problem


# Mending


def test_what_is_damaged_is_made_again_by_the_next_run(
    six: Kinetics, whole: Path, copy: Path
) -> None:
    hurt(copy)
    ended = run("verify", str(copy), "--mend", "--workers=2", "--json")
    assert ended.status == 1
    said = json.loads(ended.out)
    assert sorted(said["mended"]["to_make"]) == [FLIPPED, CUT, GONE, SWAPPED, WITH]
    assert said["mended"]["kept"] == []
    assert (copy / STRANGER).exists()
    again = six.prepare(copy, "--path_prefix=", "--list_format", "videomae", "torchvision")
    assert again.status == 0
    assert "5 clips in" in again.out
    (copy / STRANGER).unlink()
    assert look_at(copy, quick=False).damaged == []
    made = {name: data for name, (data, _) in snapshot(copy / "videos").items()}
    assert made == {name: data for name, (data, _) in snapshot(whole / "videos").items()}


def damage_of(path: str, source: str | None = None) -> Damage:
    return Damage("clip", path, "it is damaged", source)


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "zumba").mkdir(parents=True)
    (elsewhere / "zumba" / "a.mp4").write_bytes(b"?")
    (tmp_path / "output" / "videos").mkdir(parents=True)
    (tmp_path / "output" / "videos" / "train").symlink_to(elsewhere)
    mended = mend(Output(str(tmp_path / "output"), ""), [damage_of("videos/train/zumba/a.mp4")])
    assert mended.to_make == []
    assert mended.kept[0].why == "videos/train is a link"
    assert (elsewhere / "zumba" / "a.mp4").exists()


def test_a_clip_whose_source_is_gone_is_kept(tmp_path: Path) -> None:
    clip = tmp_path / "output" / "videos" / "a.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"?")
    source = tmp_path / "source.mp4"
    output, damage = Output(str(tmp_path / "output"), ""), damage_of("videos/a.mp4", str(source))
    assert mend(output, [damage]).kept[0].why == f"its source {source} is not here"
    assert clip.exists()
    source.write_bytes(b"!")
    assert mend(output, [damage]).to_make == ["videos/a.mp4"]
    assert not clip.exists()


def test_where_a_source_is_gone(tmp_path: Path) -> None:
    archive = tmp_path / "part.tar"
    archive.write_bytes(b"")
    assert not is_gone(f"{archive}/folder/a.mp4")
    assert not is_gone("gs://bucket/a.mp4")
    assert is_gone(str(tmp_path / "a.mp4"))


def test_while_a_run_is_at_work_nothing_is_removed(tmp_path: Path) -> None:
    output = Output(str(tmp_path), "0" * 32)
    acquire_lease(output)
    try:
        with pytest.raises(RunError, match="a run is at work"):
            mend(Output(str(tmp_path), ""), [damage_of("videos/a.mp4")])
    finally:
        release_lease(output)


# The command line


def test_the_command_line(copy: Path) -> None:
    ended = run_anew("verify", str(copy), "--quick")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == f"{copy} is whole: 6 clips by name and size, 6 lists checked\n"
    (copy / GONE).unlink()
    ended = run("verify", "--quick", str(copy))
    assert ended.status == 1
    assert ended.out.splitlines() == [
        f"{GONE}: there is no such file",
        f"{copy} is damaged: 1 of 6 clips",
        "run the original command again; it writes these files anew",
    ]
    (copy / CUT).write_bytes(b"cut")
    ended = run("verify", "--quick", str(copy))
    assert ended.out.endswith(
        "add --mend to remove the damaged clips; then run the original command again\n"
    )
    ended = run("verify", "--quick", "--mend", str(copy))
    assert ended.out.endswith("removed 1 damaged clip; run the original command to make it again\n")


def test_counts_of_one_are_told_in_the_singular(copy: Path) -> None:
    one = Verified(quick=True, clips=1, lists=1, shards=1)
    prepared = find_prepared(Output(str(copy), ""))
    assert conclusion(prepared, one).endswith("1 clip by name and size, 1 list and 1 shard checked")


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "the following arguments are required: OUTPUT"),
        (["out", "--workers=0"], "argument --workers: '0' is not a whole number from 1 on"),
        (["out", "--annotations=a"], "unrecognized arguments: --annotations=a"),
        (["nope://bucket/out"], "OUTPUT nope://bucket/out: "),
        (["out", "--storage_options={"], "--storage_options: "),
    ],
)
def test_a_wrong_command_line(flags: list[str], complaint: str) -> None:
    ended = run("verify", *flags)
    assert ended.status == 2
    assert ended.complaint.startswith(complaint)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_each_subcommand_has_help(name: str) -> None:
    ended = run(name, "--help")
    assert ended.status == 0
    for flag in ("--json", "--storage_options", "--workers"):
        assert flag in ended.out
    assert ("does nothing here" in ended.out) == (name in ("compare", "stats", "overlap"))


def test_a_subcommand_is_the_first_argument_only(tmp_path: Path) -> None:
    ended = run("--quiet_please", "verify")
    assert ended.status == 2
    assert "unknown flag --quiet_please" in ended.complaint


def test_many_files_without_a_row_are_not_all_named(copy: Path) -> None:
    for number in range(25):
        (copy / "videos" / f"{number:02}.mp4").touch()
    ended = run("verify", "--quick", str(copy))
    assert ended.status == 0
    assert ended.out.count("no row names it") == 20
    assert "\n5 more files have no row; --json names them all\n" in ended.out


def test_the_json_is_of_plain_values(found: Verified, whole: Path) -> None:
    said = as_json(find_prepared(Output(str(whole), "")), found, None)
    assert json.loads(json.dumps(said)) == said


# In a bucket


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with Buckets() as made:
        yield made


def test_an_output_in_a_bucket(buckets: Buckets, whole: Path) -> None:
    url = buckets.put(whole / "videos", "whole/videos").removesuffix("/videos")
    for path in whole.rglob("*"):
        name = str(path.relative_to(whole))
        if path.is_file() and not name.startswith(("videos", "lists/torchvision")):
            buckets.direct().pipe_file(f"{url.removeprefix('gs://')}/{name}", path.read_bytes())
    assert run("verify", url, "--workers=2", *buckets.flags).status == 0
    damaged = bytearray(buckets.get(f"{url}/{FLIPPED}"))
    damaged[100] ^= 1
    buckets.direct().pipe_file(f"{url}/{FLIPPED}", bytes(damaged))
    buckets.direct().rm_file(f"{url}/{GONE}")
    ended = run("verify", url, "--workers=2", "--json", "--mend", *buckets.flags)
    assert ended.status == 1, ended.err
    said = json.loads(ended.out)
    assert sorted(each["path"] for each in said["damaged"]) == [FLIPPED, GONE]
    assert said["mended"]["to_make"] == [FLIPPED, GONE]
    assert not buckets.direct().exists(f"{url}/{FLIPPED}")
    assert buckets.direct().exists(f"{url}/{WHOLE}")


# Changes of a manifest that is whole all the same


def pad(data: bytes, size: int) -> bytes:
    """A clip with a box of free space behind it."""
    space = size - len(data)
    return data + space.to_bytes(4, "big") + b"free" + bytes(space - 8)


def stated(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def rewrite_manifest(output: Path, split: str, changes: dict[str, dict[str, object]]) -> None:
    """Write a manifest with some columns of some rows changed."""
    rows = [Row(**row | changes.get(row["clip_id"], {})) for row in rows_of(output, split)]
    with (output / "manifest" / f"{split}.parquet").open("wb") as file:
        manifest.write_parquet(file, [manifest.to_table(rows)])
