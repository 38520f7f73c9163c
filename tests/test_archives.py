"""Archives as --videos, from the command line: nothing unpacked, the same clips as from files."""

import io
import tarfile
from pathlib import Path

import pytest

from beam_pipeline.config import Config
from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.elements import Archive, Clip, ReadArchive
from beam_pipeline.options import KineticsOptions, parse_command_line
from beam_pipeline.output import leases
from beam_pipeline.output.archive_names import ArchiveNames, write_names
from beam_pipeline.plan.decide import DOUBTFUL
from beam_pipeline.work.make_clip import Source, make_clip
from beam_pipeline.work.worker_pool import WorkerPool
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.kinetics import (
    SHORT_EDGE,
    Finished,
    Kinetics,
    all_rows,
    check_output,
    configured,
    manifest,
    run,
    snapshot,
    summary,
    table,
)
from tests.packing import entry, pack, packed

SIZE = ("--short_edge", str(SHORT_EDGE))


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory, one_clip: bytes) -> Kinetics:
    """Five clips, one of them unlabelled, and one that is missing."""
    made = Kinetics(tmp_path_factory.mktemp("five"))
    made.add("aTrain_000001_000011", "train", "air drumming", one_clip, "air drumming")
    made.add("bTrain_000001_000011", "train", "zumba", small_clip(frames=5), "zumba")
    made.add("cVal_000002_000012", "val", "zumba", small_clip(frames=7), suffix=".mkv")
    made.add("dMissing_000003_000013", "val", "zumba")
    made.add("eTest_000004_000014", "test", None, small_clip(frames=3), name="eTest")
    return made.write()


@pytest.fixture(scope="module")
def loose(five: Kinetics, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run over the loose files writes."""
    output = tmp_path_factory.mktemp("loose") / "output"
    assert five.prepare(output, "--path_prefix=").status == 0
    return {name: content for name, (content, _) in snapshot(output).items()}


def files(kinetics: Kinetics) -> dict[str, bytes]:
    return {f"./{name}": content for name, (content, _) in snapshot(kinetics.videos).items()}


def prepare(kinetics: Kinetics, output: Path, *videos: Path | str, flags=(), start=run) -> Finished:
    return start(
        "--annotations", str(kinetics.annotations), "--videos", *map(str, videos),
        "--output", str(output), *SIZE, "--path_prefix=", *flags,
    )  # fmt: skip


def made_by(output: Path) -> dict[str, bytes]:
    return {name: content for name, (content, _) in snapshot(output).items()}


def check_equal(made: dict[str, bytes], loose: dict[str, bytes]) -> None:
    """Clips and lists byte for byte, and nothing else beside them."""
    assert set(made) == set(loose)
    same = [
        name
        for name in made
        if name.endswith((".mp4", ".csv")) and name not in ("failed.csv", "damaged.csv")
    ]
    assert {name: made[name] for name in same} == {name: loose[name] for name in same}


SHAPES = {
    "flat.tar.gz": (lambda name: name.rpartition("/")[2], "w:gz"),
    "classes.tgz": (lambda name: name, "w:gz"),
    "plain.tar": (lambda name: name, "w"),
    "deep and plain whatever its name.tar.gz": (lambda name: "/mnt/a/b/c/" + name[2:], "w"),
    "packed whatever its name.tar": (lambda name: "../../" + name, "w:gz"),
}


def test_an_archive_of_any_shape_gives_what_its_files_give(tmp_path: Path) -> None:
    """Each shape has a labelled clip and an unlabelled one of its own, and others in the trash."""
    trash = small_clip(frames=9)
    kinetics = Kinetics(tmp_path / "kinetics")
    sources = {}
    for number, (name, (rename, mode)) in enumerate(SHAPES.items()):
        packed_here = {}
        for clip_id, split, label in (
            (f"{number}Val_000001_000011", "val", "zumba"),
            (f"{number}Test_000002_000012", "test", None),
        ):
            content = small_clip(frames=3 + number)
            path = kinetics.add(clip_id, split, label, content, label or "", suffix=".mkv")
            packed_here[f"./.Trashes/501/{clip_id}.mp4"] = trash
            inside = rename(f"./{path.relative_to(kinetics.videos)}")
            packed_here[inside] = content
            sources[clip_id] = f"{tmp_path}/in/{name}/{inside.removeprefix('./')}"
        pack(tmp_path / "in" / name, packed_here, mode)
    kinetics.write().prepare(tmp_path / "loose", "--path_prefix=")
    before = snapshot(tmp_path / "in")
    ended = prepare(kinetics, tmp_path / "output", tmp_path / "in")
    assert (ended.status, ended.err) == (0, "")
    check_equal(made_by(tmp_path / "output"), made_by(tmp_path / "loose"))
    assert snapshot(tmp_path / "in") == before
    check_output(tmp_path / "output", kinetics.clip_ids(), prefix="")
    rows = all_rows(tmp_path / "output")
    assert {clip_id: row["source"] for clip_id, row in rows.items()} == sources
    assert summary(tmp_path / "output")["archives"] == {
        "read": 5, "videos": 10, "unannotated": 0, "broken": [], "goes_on": [],
    }  # fmt: skip


def test_archives_are_found_in_folders_globs_and_listings(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    paths = []
    for number, (path, data) in enumerate(files(five).items()):
        folder = ("folder/deep", "globbed", "globbed", "listed")[number]
        paths.append(pack(tmp_path / folder / f"part {number}.tar.gz", {path: data}))
    (tmp_path / "listing.txt").write_text(f"listed/{paths[3].name}\n\n")
    places = ("folder", "globbed/*.tar.gz", "listing.txt")
    output = tmp_path / "output"
    assert prepare(five, output, *(tmp_path / place for place in places)).status == 0
    check_equal(made_by(output), loose)
    assert summary(output)["archives"]["read"] == len(paths) == 4


def test_a_bucket_s_archives_give_the_same(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    pack(tmp_path / "in" / "all.tar.gz", files(five))
    with Buckets() as buckets:
        videos = buckets.put(tmp_path / "in", "archives")
        annotations = buckets.put(five.annotations, "annotations")
        buckets.reset()
        buckets.fault = lambda call: (
            "cut" if "all.tar.gz" in call.name and call.kind == "read" and not call.before else None
        )
        ended = run(
            "--annotations", annotations, "--videos", f"{videos}/all.tar.gz", "--output",
            f"gs://{BUCKET}/out", *SIZE, "--path_prefix=", *buckets.flags,
        )  # fmt: skip
        assert (ended.status, ended.err) == (0, "")
        check_equal(buckets.files("out"), loose)


def test_workers_in_processes_of_their_own_share_the_archives_and_learn_the_options(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    """Two files and two archives in a bucket, which none reaches without the options."""
    (tmp_path / "in").mkdir()
    for number, (path, data) in enumerate(files(five).items()):
        if number % 2:
            pack(tmp_path / "in" / f"part {number}.tar.gz", {path: data})
        else:
            (tmp_path / "in" / Path(path).name).write_bytes(data)
    with Buckets() as buckets:
        ended = run(
            "--annotations", str(five.annotations), "--videos", buckets.put(tmp_path / "in", "in"),
            "--output", f"gs://{BUCKET}/out", *SIZE, "--path_prefix=", *buckets.flags,
            "--direct_running_mode=multi_processing", "--direct_num_workers=2",
        )  # fmt: skip
        assert ended.status == 0, ended.err
        check_equal(buckets.files("out"), loose)


# Ranks


def frames_by_clip(output: Path) -> dict[str, int | None]:
    return {clip_id: row["frames"] for clip_id, row in all_rows(output).items()}


def only(kinetics: Kinetics, clip_id: str, frames: int) -> dict[str, bytes]:
    return {f"{clip_id}.mp4": small_clip(frames=frames)}


A, B, D = "aTrain_000001_000011", "bTrain_000001_000011", "dMissing_000003_000013"


def test_the_archive_or_folder_that_is_named_first_wins(five: Kinetics, tmp_path: Path) -> None:
    """An archive, the folder and two archives, in the order of no alphabet."""
    first = pack(tmp_path / "b.tar.gz", only(five, A, 21))
    third = pack(tmp_path / "c.tar.gz", only(five, A, 22) | only(five, B, 23) | only(five, D, 24))
    last = pack(tmp_path / "a.tar.gz", only(five, A, 25) | only(five, B, 26) | only(five, D, 27))
    output = tmp_path / "output"
    assert prepare(five, output, first, five.videos, third, last).status == 0
    found = frames_by_clip(output)
    assert (found[A], found[B], found[D]) == (21, 5, 24)


def test_where_the_first_is_broken_the_next_in_rank_is_taken(
    five: Kinetics, tmp_path: Path
) -> None:
    broken = {f"{A}.mp4": b"broken", f"{B}.mp4": b"broken"}
    first = pack(tmp_path / "first.tar", broken, "w")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"{A}.mp4").write_bytes(b"broken")
    (folder / f"{B}.mp4").write_bytes(small_clip(frames=24))
    last = pack(tmp_path / "last.tar.gz", only(five, A, 25))
    assert prepare(five, tmp_path / "output", first, folder, last).status == 0
    found = frames_by_clip(tmp_path / "output")
    assert (found[A], found[B]) == (25, 24)
    assert prepare(five, tmp_path / "none", first, folder).status == 0
    row = all_rows(tmp_path / "none")[A]
    assert (row["status"], row["reason"], row["source"]) == (
        "failed", "not_a_video", f"{first}/{A}.mp4",
    )  # fmt: skip


def test_one_source_after_the_other_is_tried_until_one_is_good(
    five: Kinetics, tmp_path: Path
) -> None:
    """Through two archives whose names are read, a folder, and one that is only searched."""
    bad = {f"{clip_id}.mp4": b"broken" for clip_id in (A, B, D)}
    first, second = (pack(tmp_path / f"{name}.tar", bad, "w") for name in ("first", "second"))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in (bad | only(five, B, 24)).items():
        (folder / name).write_bytes(content)
    last = tmp_path / "last"
    last.mkdir()
    pack(last / "0.tar", only(five, A, 25))
    pack(last / "1.tar.gz", only(five, D, 26) | only(five, A, 27))
    output = tmp_path / "output"
    ended = prepare(five, output, first, second, folder, last)
    assert ended.status == 0
    assert "\n  3 clips in " in ended.out  # though each was tried several times
    found = frames_by_clip(output)
    assert (found[A], found[B], found[D]) == (25, 24, 26)
    assert summary(output)["archives"]["read"] == 4


def test_an_archive_that_nothing_was_wanted_from_is_searched_for_what_fails(
    five: Kinetics, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / f"{A}.mp4").write_bytes(b"broken")
    archive = pack(tmp_path / "all.tar", only(five, A, 25), "w")
    output = tmp_path / "output"
    flags = ("--classes", "air drumming")
    assert prepare(five, output, folder, archive, flags=flags).status == 0
    assert frames_by_clip(output)[A] == 25


def test_a_clip_in_several_archives_is_made_once(five: Kinetics, tmp_path: Path) -> None:
    names = ("aaa.tar", "b.tar", "c.tar")
    archives = [pack(tmp_path / name, only(five, B, 21), "w") for name in names]
    ended = prepare(five, tmp_path / "output", *archives)
    assert ended.status == 0
    assert "  1 clip in " in ended.out
    assert all_rows(tmp_path / "output")[B]["source"] == f"{archives[0]}/{B}.mp4"


def test_of_one_rank_the_first_address_wins_and_in_an_archive_the_first_member(
    five: Kinetics, tmp_path: Path
) -> None:
    twice = io.BytesIO()
    with tarfile.open(fileobj=twice, mode="w:gz") as archive:
        for content in (b"broken", small_clip(frames=21), small_clip(frames=22)):
            archive.addfile(entry(f"{A}.mp4", len(content)), io.BytesIO(content))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.tar.gz").write_bytes(twice.getvalue())
    pack(tmp_path / "in" / "2.tar.gz", only(five, A, 23) | only(five, B, 24))
    pack(tmp_path / "in" / "0.tar.gz", only(five, B, 25))
    assert prepare(five, tmp_path / "output", tmp_path / "in").status == 0
    found = frames_by_clip(tmp_path / "output")
    assert (found[A], found[B]) == (21, 25)


def test_a_bare_id_of_several_clips_is_ambiguous_in_an_archive_too(
    tmp_path: Path, one_clip: bytes
) -> None:
    kinetics = Kinetics(tmp_path / "k")
    kinetics.add("same_000001_000011", "val", "zumba")
    kinetics.add("same_000020_000030", "val", "zumba")
    archive = pack(tmp_path / "a.tar", {"same.mp4": one_clip, "stranger.mp4": one_clip}, "w")
    assert prepare(kinetics.write(), tmp_path / "output", archive).status == 1
    rows = all_rows(tmp_path / "output")
    assert {row["reason"] for row in rows.values()} == {"ambiguous"}
    assert summary(tmp_path / "output")["archives"]["unannotated"] == 1


def test_a_whole_video_in_an_archive_is_cut(tmp_path: Path) -> None:
    kinetics = Kinetics(tmp_path / "k")
    kinetics.add("whole_000001_000002", "val", "zumba")
    archive = pack(tmp_path / "a.tar", {"whole.mp4": small_clip(frames=150)}, "w")
    assert prepare(kinetics.write(), tmp_path / "output", archive).status == 0
    (row,) = manifest(tmp_path / "output", "val")
    assert (row["frames"], row["source_duration"]) == (25, 6.0)


# What is not wanted


def test_only_what_is_wanted_is_read(five: Kinetics, tmp_path: Path) -> None:
    """The end of an archive is not missed once all that is asked for is there."""
    content = packed(files(five), "w")
    at = content.index(b"val/cVal")
    (tmp_path / "cut.tar").write_bytes(content[: at - 100])  # train comes before val
    order = [name for name in files(five) if "train" in name]
    assert all(content.index(name.encode()) < at for name in order)
    ended = prepare(five, tmp_path / "output", tmp_path / "cut.tar", flags=("--splits", "train"))
    assert ended.status == 0
    assert summary(tmp_path / "output")["archives"]["broken"] == []
    assert summary(tmp_path / "output")["total"]["resized"] == 2


def test_a_second_run_opens_no_archive_for_what_is_made(five: Kinetics, tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.tar.gz", files(five))
    flags = ("--splits", "train")
    prepare(five, tmp_path / "output", archive, flags=flags)
    before = snapshot(tmp_path / "output")
    archive.write_bytes(b"nobody looks at this")
    ended = prepare(five, tmp_path / "output", archive, flags=flags)
    assert "nothing was written" in ended.out
    assert snapshot(tmp_path / "output") == before


@pytest.mark.parametrize("annotated", [True, False])
def test_an_archive_is_not_read_again_if_an_earlier_run_knows_what_is_in_it(
    five: Kinetics, tmp_path: Path, annotated: bool
) -> None:
    """As after a kill: of two archives the first was read to its end, and its clip is made."""
    archives = [
        pack(tmp_path / f"{name}.tar", {f"{clip_id}.mp4": small_clip(frames=frames)}, "w")
        for name, clip_id, frames in (("first", A, 5), ("second", B, 7))
    ]
    flags = ["--videos", *map(str, archives), "--output", str(tmp_path / "output"), *SIZE]
    if annotated:
        flags += ["--annotations", str(five.annotations)]
    killed = Config.from_options(parse_command_line(flags).view_as(KineticsOptions))
    list(prepare_output(killed))
    name = f"{archives[0]}/{A}.mp4"
    read = ReadArchive(str(archives[0]), 0, 1, 0, None)
    size = archives[0].stat().st_size
    names = ArchiveNames.of(Archive(str(archives[0]), 0, size), [name], read)
    write_names(killed.output, names)
    pool = WorkerPool.acquire(killed)
    clip = Clip(A, "aTrain", 1, 11, "train", "air drumming", 0) if annotated else Clip(A)
    content = small_clip(frames=5)
    make_clip(clip, killed.clip_path(clip), Source(name, content, len(content), A), 0.0, pool)
    pool.release()
    release_lock(killed)
    archives[0].write_bytes(b"0" * size)  # no archive any more
    ended = run(*flags)
    assert (ended.status, ended.err) == (0, "")
    assert {clip_id: row["status"] for clip_id, row in all_rows(tmp_path / "output").items()
            if row["status"] != "missing"} == {A: "reused", B: "resized"}  # fmt: skip
    said = summary(tmp_path / "output")["archives"]
    assert (said["read"], said["videos"], said["broken"]) == (2, 2, [])


def test_names_of_an_archive_of_another_size_are_not_believed(
    five: Kinetics, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "first.tar", only(five, A, 5), "w")
    flags = ["--annotations", str(five.annotations), "--videos", str(archive), *SIZE]
    flags += ["--output", str(tmp_path / "output")]
    killed = configured(*flags)
    list(prepare_output(killed))
    read = ReadArchive(str(archive), 0, 0, 0, None)
    write_names(killed.output, ArchiveNames.of(Archive(str(archive), 0, 1), [], read))
    release_lock(killed)
    assert run(*flags).status == 0
    assert frames_by_clip(tmp_path / "output")[A] == 5


def release_lock(config: Config) -> None:
    """Let the run of a config be dead."""
    lease = leases._leases.pop(config.output.url(config.output.state))
    lease.close()


def test_a_run_after_a_broken_archive_makes_the_rest(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    whole = packed(files(five), "w")
    archive = tmp_path / "all.tar"
    archive.write_bytes(whole[: whole.index(b"val/cVal") + 200])
    ended = prepare(five, tmp_path / "output", archive)
    assert ended.status == 0
    assert "1 of 1 archive could not be read completely" in ended.out
    said = summary(tmp_path / "output")
    assert said["archives"]["broken"] == [{"archive": str(archive), "detail": "it ends early"}]
    missing = {row["clip_id"]: row["detail"] for row in table(tmp_path / "output" / "missing.csv")}
    assert missing["cVal_000002_000012"] == f"{archive} could not be read completely: it ends early"
    made = {row["clip_id"] for row in all_rows(tmp_path / "output").values() if row["sha256"]}
    assert made
    archive.write_bytes(whole)
    times = {name: time for name, (_, time) in snapshot(tmp_path / "output").items()}
    assert prepare(five, tmp_path / "output", archive).status == 0
    check_equal(made_by(tmp_path / "output"), loose)
    again = {name: time for name, (_, time) in snapshot(tmp_path / "output").items()}
    assert all(times[name] == again[name] for name in times if name.endswith(".mp4"))


def test_one_bad_archive_never_stops_the_run(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0 empty.tar.gz").write_bytes(b"")
    (tmp_path / "in" / "1 page.tgz").write_bytes(b"<html>404</html>" * 100)
    (tmp_path / "in" / "3 link.tar").symlink_to(tmp_path / "gone.tar")
    pack(tmp_path / "in" / "2 good.tar.gz", files(five))
    ended = prepare(five, tmp_path / "output", tmp_path / "in")
    assert (ended.status, ended.err) == (0, "")
    assert "3 of 4 archives could not be read completely" in ended.out
    made = made_by(tmp_path / "output")
    assert {name for name in made if name.endswith(".mp4")} == {
        name for name in loose if name.endswith(".mp4")
    }


def test_a_run_without_one_good_archive_says_so(five: Kinetics, tmp_path: Path) -> None:
    (tmp_path / "page.tgz").write_bytes(b"<html>404</html>" * 100)
    ended = prepare(five, tmp_path / "output", tmp_path / "page.tgz")
    assert ended.status == 1
    assert f"no archive could be read; {tmp_path}/page.tgz: damaged" in ended.complaint


def test_where_an_archive_broke_off_before_its_first_clip_no_name_is_blamed(
    five: Kinetics, tmp_path: Path
) -> None:
    whole = packed(files(five), "w")
    (tmp_path / "cut.tar").write_bytes(whole[: whole.index(b".mp4") + 1000])
    ended = prepare(five, tmp_path / "output", tmp_path / "cut.tar")
    assert ended.status == 1
    assert "no annotated clip has a file" in ended.complaint
    assert "1 of 1 archive could not be read completely" in ended.out
    assert "files are matched by name" not in ended.out


def test_loose_files_are_worth_a_run_without_one_good_archive(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "page.tgz").write_bytes(b"<html>404</html>" * 100)
    ended = prepare(five, tmp_path / "output", five.videos, tmp_path / "page.tgz")
    assert ended.status == 0
    assert "1 of 1 archive could not be read completely" in ended.out
    assert {name for name in made_by(tmp_path / "output") if name.endswith(".mp4")} == {
        name for name in loose if name.endswith(".mp4")
    }


def test_an_archive_that_is_not_there_is_one_line(five: Kinetics, tmp_path: Path) -> None:
    ended = prepare(five, tmp_path / "output", tmp_path / "gone.tar.gz")
    assert ended.status == 1
    assert f"--videos {tmp_path}/gone.tar.gz: there is no such file" in ended.complaint


# Checksums


@pytest.mark.parametrize("annotated", [True, False])
def test_clips_of_an_archive_whose_checksum_is_wrong_are_made_again(
    five: Kinetics, tmp_path: Path, annotated: bool
) -> None:
    """They say so; once the archive is fetched again they do not; what cannot be made stays."""
    archive, output = tmp_path / "all.tar.gz", tmp_path / "output"
    contents = {A: small_clip(frames=21), B: small_clip(frames=22)}

    def made() -> dict[str, tuple[str, int, str | None]]:
        if annotated:
            ended = prepare(five, output, archive)
        else:
            ended = run("--videos", str(archive), "--output", str(output), *SIZE)
        assert (ended.status, ended.err) == (0, "")
        rows = all_rows(output)
        return {name: tuple(rows[name][key] for key in ("status", "frames", "detail"))
                for name in contents}  # fmt: skip

    damaged = bytearray(packed({f"{name}.mp4": data for name, data in contents.items()}))
    damaged[-5] ^= 1
    archive.write_bytes(damaged)
    times = []
    for _ in range(2):
        assert made() == {A: ("resized", 21, DOUBTFUL), B: ("resized", 22, DOUBTFUL)}
        times.append(snapshot(output / "videos"))
        said = summary(output)
        assert said["archives"]["broken"] == [
            {"archive": str(archive), "detail": "its checksum is wrong"}
        ]
        assert said["damaged"]["kinds"] == {"archive_checksum": 2}
    assert all(times[0][name] != times[1][name] for name in times[0])
    archive.write_bytes(packed({f"{B}.mp4": contents[B]}))
    assert made() == {A: ("reused", 21, DOUBTFUL), B: ("resized", 22, None)}
    archive.write_bytes(packed({f"{A}.mp4": contents[A]}))
    assert made() == {A: ("resized", 21, None), B: ("reused", 22, None)}


def test_a_doubt_stays_until_a_checksum_is_right(five: Kinetics, tmp_path: Path) -> None:
    """Though reading could stop before the end, once the one clip that is wanted is made."""
    whole = packed({f"{A}.mp4": small_clip(frames=21), f"{B}.mp4": b"", "z.txt": b"z" * 10**6})
    archive, flags = tmp_path / "all.tar.gz", ("--classes", "air drumming", "--splits", "train")
    archive.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    output = tmp_path / "output"
    prepare(five, output, archive, flags=("--splits", "train"))
    assert all_rows(output)[A]["detail"] == DOUBTFUL
    prepare(five, output, archive, flags=(*flags, "--shrink"))
    assert all_rows(output)[A]["detail"] == DOUBTFUL
    assert summary(output)["archives"]["broken"]


def test_joined_archives_are_read_to_the_last_and_named(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    content = files(five)
    parts = (packed({name: content[name]}, "w") for name in content)
    (tmp_path / "joined.tar").write_bytes(b"".join(parts))
    ended = prepare(five, tmp_path / "output", tmp_path / "joined.tar")
    assert (ended.status, ended.err) == (0, "")
    check_equal(made_by(tmp_path / "output"), loose)
    said = summary(tmp_path / "output")
    assert said["archives"]["goes_on"] == [str(tmp_path / "joined.tar")]
    assert "1 of 1 archives go on behind their end marker, first" in ended.out


# Hostile members


def test_members_change_nothing_outside_the_output(
    five: Kinetics, loose: dict[str, bytes], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(b"secret")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.addfile(entry(f"{A}.mp4", kind=tarfile.SYMTYPE, link=str(outside / "secret.mp4")))
        archive.addfile(entry(f"{B}.mp4", kind=tarfile.LNKTYPE, link=str(outside / "secret.mp4")))
        archive.addfile(entry("videos", kind=tarfile.SYMTYPE, link=str(outside)))
        archive.addfile(entry("eTest.mp4", kind=tarfile.CHRTYPE))
        for name, content in files(five).items():
            path = f"{outside}/{name.rpartition('/')[2]}"  # absolute
            archive.addfile(entry(path, len(content)), io.BytesIO(content))
        archive.addfile(entry(f"../../{outside.name}/up.mp4", 4), io.BytesIO(b"data"))
    (tmp_path / "hostile.tar.gz").write_bytes(made.getvalue())
    before = snapshot(outside)
    assert prepare(five, tmp_path / "output", tmp_path / "hostile.tar.gz").status == 0
    assert snapshot(outside) == before
    check_equal(made_by(tmp_path / "output"), loose)


def test_a_wanted_member_that_claims_a_terabyte_is_a_row(five: Kinetics, tmp_path: Path) -> None:
    hostile = entry(f"{A}.mp4", 10**12).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "hostile.tar").write_bytes(hostile + bytes(4096))
    good = pack(tmp_path / "z.tar.gz", {f"{B}.mp4": small_clip(frames=5)})
    assert prepare(five, tmp_path / "output", tmp_path / "hostile.tar", good).status == 0
    rows = all_rows(tmp_path / "output")
    assert rows[A]["reason"] == "too_large"
    assert rows[A]["detail"].startswith("its size in the archive is 1,000,000,000,000 bytes")
    assert rows[B]["status"] == "resized"


def test_a_large_member_goes_by_way_of_a_file(five: Kinetics, tmp_path: Path) -> None:
    large = small_clip(frames=5, muxer={"movflags": "faststart"})
    free = (65 * 1024**2 + 8).to_bytes(4, "big") + b"free" + bytes(65 * 1024**2)
    archive = pack(tmp_path / "large.tar", {f"{B}.mp4": large + free}, "w")
    assert prepare(five, tmp_path / "output", archive).status == 0
    row = all_rows(tmp_path / "output")[B]
    assert (row["status"], row["frames"]) == ("resized", 5)
    assert row["source_bytes"] > 64 * 1024**2
    assert not (tmp_path / "output" / "_state").exists()


# Without annotations, and without clips


def test_without_annotations_every_member_is_resized(tmp_path: Path, one_clip: bytes) -> None:
    members = {
        "./a b/one.mp4": one_clip, "/abs/two.MOV": one_clip, "../up.mkv": one_clip,
        "notes.txt": b"no video", "broken.mp4": b"broken",
    }  # fmt: skip
    first = pack(tmp_path / "first.tar.gz", members)
    second = pack(tmp_path / "second.tar", {"a b/one.webm": b"broken too", "new.mp4": one_clip})
    output = tmp_path / "output"
    command = ("--videos", str(first), str(second), "--output", str(output), "--short_edge=64")
    assert run(*command).status == 0
    rows = {row["clip_id"]: row["status"] for row in manifest(output, "all")}
    made = dict.fromkeys(("a b/one", "abs/two", "up", "new"), "resized")
    assert rows == {**made, "broken": "failed"}
    assert {path for path in made_by(output) if path.endswith(".mp4")} == {
        f"videos/{name}.mp4" for name in made
    }
    assert run(*command).status == 0
    rows = {row["clip_id"]: row["status"] for row in manifest(output, "all")}
    assert set(rows) == {*made, "broken"}


def test_a_trial_of_unannotated_archives_is_refused(tmp_path: Path, one_clip: bytes) -> None:
    pack(tmp_path / "in" / "a.tar", {"a.mp4": one_clip}, "w")
    (tmp_path / "in" / "b.mp4").write_bytes(one_clip)
    ended = run("--videos", str(tmp_path / "in"), "--output", str(tmp_path / "o"), "--limit=1")
    assert ended.status == 1
    assert "--limit takes the first clips by name" in ended.complaint


def test_members_cannot_be_listed_as_they_are(five: Kinetics, tmp_path: Path) -> None:
    archive = pack(tmp_path / "all.tar.gz", files(five))
    ended = run(
        "--annotations", str(five.annotations), "--videos", str(archive),
        "--output", str(tmp_path / "output"), "--resize=false",
    )  # fmt: skip
    assert ended.status == 1
    assert f"{archive} is an archive; unpack it" in ended.complaint
