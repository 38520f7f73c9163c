"""Parts of the work as processes of their own: at once, killed, run again, and put together."""

import hashlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from beam_pipeline import Config, prepare
from beam_pipeline.output.row_log import parse_rows
from beam_pipeline.plan.decide import DOUBTFUL
from tests.buckets import BUCKET, Buckets
from tests.conftest import small_clip
from tests.faults.conftest import COUNT, Many, add_clips, make_many
from tests.faults.runs import Run, assert_same, clips, files, finish, flags, result, wait_for
from tests.kinetics import Finished, Kinetics, all_rows, manifest, summary, without
from tests.packing import pack

NEXT = "type the same command without --shard"


ATTEMPTS = 5
"""Times that a part is stopped before one was stopped amid its work: it may be done by then."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Many:
    return make_many(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Many:
    """Twelve clips that take no time, one that is missing and one broken."""
    folder = tmp_path_factory.mktemp("quick")
    made = Kinetics(folder / "quick")
    add_clips(made, 12, small_clip(size=(48, 32), frames=3))
    made.add("missing____000001_000011", "val", "zumba")
    made.add("broken_____000001_000011", "train", "zumba", b"broken")
    made.write()
    output = folder / "undisturbed"
    assert finish(flags(made, output), folder).status == 0
    return Many(made, (), output, result(output))


@pytest.fixture(scope="module")
def archived(many: Many, tmp_path_factory: pytest.TempPathFactory) -> Many:
    """The same clips in five archives, and what one run makes of them."""
    folder = tmp_path_factory.mktemp("archived")
    made = Kinetics(folder / "archived", many.kinetics.stated).write()
    videos = sorted(path for path in many.kinetics.videos.rglob("*") if path.is_file())
    for number in range(5):
        content = {path.name: path.read_bytes() for path in videos[number::5]}
        pack(made.videos / f"{number}.tar", content, "w")
    output = folder / "undisturbed"
    ended = finish(flags(made, output, *many.work), folder)
    assert ended.status == 0, ended.err
    return Many(made, many.work, output, result(output))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], Run]]:
    """Starts commands that are gone after the test, however that ends."""
    started: list[Run] = []

    def start_one(arguments: Sequence[str]) -> Run:
        started.append(Run(arguments, tmp_path))
        return started[-1]

    yield start_one
    for run in started:
        run.__exit__()


Start = Callable[[Sequence[str]], Run]


def parts(data: Many, output: Path, count: int) -> list[list[str]]:
    """The command of each part; they share two cores."""
    numbers = range(1, count + 1)
    return [data.flags(output, "--shard", f"{n}/{count}", "--workers", "1") for n in numbers]


def rows_in_state(output: Path) -> list[str]:
    """The clip of each row that runs have left."""
    files = (output / "_state").glob("*/rows/*.jsonl")
    rows = (row for file in files for row in parse_rows(file.read_bytes()))
    return sorted(row.clip_id for row in rows if row is not None)


def tried(data: Many) -> list[str]:
    """Every clip that has a file."""
    rows = all_rows(data.finished).values()
    return sorted(row["clip_id"] for row in rows if row["status"] != "missing")


def assert_merged(data: Many, output: Path, ended: Finished, folder: Path) -> None:
    """Nothing is made again, and the results are those of one run."""
    assert (ended.status, ended.err) == (0, "")
    before = clips(output)
    merged = finish(data.flags(output), folder)
    assert (merged.status, merged.err) == (0, "")
    assert clips(output) == before
    assert_same(output, data.undisturbed)


def test_parts_at_once_make_each_clip_once_and_the_results_are_those_of_one_run(
    many: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    for ended in [run.finished() for run in [start(part) for part in parts(many, output, 3)]]:
        assert (ended.status, ended.err) == (0, "")
        assert NEXT in ended.out
    assert {path.name for path in output.iterdir()} == {"videos", "_state"}
    assert rows_in_state(output) == tried(many)
    assert_merged(many, output, ended, tmp_path)


def test_a_part_that_was_killed_is_finished_by_others_of_another_number(
    many: Many, tmp_path: Path, start: Start
) -> None:
    for attempt in range(ATTEMPTS):
        output = tmp_path / f"output{attempt}"
        running = [start(part) for part in parts(many, output, 3)]
        wait_for(lambda: clips(output) or running[0].is_over())  # noqa: B023
        running[0].kill()
        assert running[1].finished().status == running[2].finished().status == 0
        before, rows = clips(output), rows_in_state(output)
        if len(before) < COUNT:
            break
    assert len(before) < COUNT
    for ended in [run.finished() for run in [start(part) for part in parts(many, output, 2)]]:
        assert (ended.status, ended.err) == (0, "")
    assert {name: clips(output)[name] for name in before if _id(name) in rows} == {
        name: about for name, about in before.items() if _id(name) in rows
    }
    assert_merged(many, output, ended, tmp_path)


def _id(path: str) -> str:
    return Path(path).stem


def test_a_part_that_comes_twice_has_nothing_to_do_and_the_last_run_makes_the_rest(
    quick: Many, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    first, _ = parts(quick, output, 2)
    assert finish(first, tmp_path).status == 0
    made, before = clips(output), files(output)
    assert 0 < len(made) < 12
    ended = finish(first, tmp_path)
    assert ended.out.startswith("Part 1/2 is done: no clip to make; ")
    del before["_state/settings.json"]  # written anew, by each run
    assert before.items() <= files(output).items()
    assert len(files(output)) == len(before) + 1
    assert finish(quick.flags(output), tmp_path).status == 0
    assert made.items() <= clips(output).items()
    assert_same(output, quick.undisturbed)


def test_a_part_without_anything_to_do_leaves_a_finished_output_as_it_is(
    quick: Many, tmp_path: Path
) -> None:
    before = files(quick.finished)
    for part in parts(quick, quick.finished, 2):
        ended = finish([*part, "--classes", "air drumming"], tmp_path)  # none of them failed
        assert (ended.status, ended.err) == (0, "")
    assert files(quick.finished) == before


def test_a_hopeless_file_is_tried_by_its_part_and_again_once_the_lists_are_there(
    quick: Many, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    said = [finish(part, tmp_path).out for part in parts(quick, output, 2)]
    assert sum("1 of them failed" in out for out in said) == 1
    assert "no clip to make" in finish(quick.flags(output), tmp_path).out
    assert all_rows(output)["broken_____000001_000011"]["reason"] == "not_a_video"
    assert "1 clip in" in finish(quick.flags(output), tmp_path).out
    assert_same(output, quick.undisturbed)


def test_ratios_are_for_the_last_run_to_judge(quick: Many, tmp_path: Path) -> None:
    output = tmp_path / "output"
    strict = ("--max_failure_ratio", "0", "--max_missing_ratio", "0")
    for part in parts(quick, output, 2):
        assert finish([*part, *strict], tmp_path).status == 0
    ended = finish([*quick.flags(output), *strict], tmp_path)
    assert ended.status == 1
    assert "--max_missing_ratio" in ended.complaint
    assert_same(output, quick.undisturbed)


def test_a_part_takes_of_what_classes_and_limit_leave(quick: Many, tmp_path: Path) -> None:
    output, whole = tmp_path / "output", tmp_path / "whole"
    few = ("--classes", "zumba", "--limit", "5")
    for part in parts(quick, output, 2):
        assert finish([*part, *few], tmp_path).status == 0
    made = clips(output)
    assert finish([*quick.flags(whole), *few], tmp_path).status == 0
    assert made.keys() == clips(whole).keys()
    assert 0 < len(made) <= 5


def test_parts_without_annotations(quick: Many, tmp_path: Path) -> None:
    output, whole = tmp_path / "output", tmp_path / "whole"

    def command(output: Path, *more: str) -> list[str]:
        return ["--videos", str(quick.kinetics.videos), "--output", str(output), *quick.work, *more]

    assert finish(command(whole), tmp_path).status == 0
    for number in (1, 2):
        assert finish(command(output, "--shard", f"{number}/2"), tmp_path).status == 0
    made = clips(output)
    assert "no clip to make" in finish(command(output), tmp_path).out
    assert clips(output) == made
    assert summary(output)["fingerprint"] == summary(whole)["fingerprint"]
    rows = [
        [without(row, "status", "seconds") for row in manifest(folder, "all")]
        for folder in (output, whole)
    ]
    assert rows[0] == rows[1]


def test_a_part_has_no_summary_to_return(quick: Many, tmp_path: Path) -> None:
    output = tmp_path / "output"
    given = quick.flags(output, "--limit", "2")
    settings = {
        flag.removeprefix("--"): value for flag, value in zip(given[::2], given[1::2], strict=True)
    }
    assert prepare(Config.from_flags(**settings, shard="1/1")) is None
    said = prepare(Config.from_flags(**settings))
    assert said is not None
    assert said["total"]["reused"] == 2
    assert not (output / "_state").exists()  # the lock of a part ends with it, not with the process


# Archives


def test_archives_are_read_by_one_part_each(archived: Many, tmp_path: Path, start: Start) -> None:
    output = tmp_path / "output"
    for ended in [run.finished() for run in [start(part) for part in parts(archived, output, 3)]]:
        assert (ended.status, ended.err) == (0, "")
        assert NEXT in ended.out
    assert len(clips(output)) == COUNT
    assert rows_in_state(output) == tried(archived)
    flags = archived.flags(output)
    folder = Path(flags[flags.index("--videos") + 1])
    archives = {path: path.read_bytes() for path in folder.iterdir()}
    for path, content in archives.items():
        path.write_bytes(bytes(len(content)))  # nobody looks at it again
    try:
        assert_merged(archived, output, ended, tmp_path)
    finally:
        for path, content in archives.items():
            path.write_bytes(content)


def test_archives_of_a_part_that_was_killed_are_read_again(
    archived: Many, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    running = [start(part) for part in parts(archived, output, 2)]
    wait_for(lambda: len(clips(output)) >= COUNT // 3 or running[0].is_over())
    running[0].kill()
    assert running[1].finished().status == 0
    ended = finish(parts(archived, output, 2)[0], tmp_path)
    assert_merged(archived, output, ended, tmp_path)


def test_a_loose_file_that_comes_first_wins_whichever_part_has_the_archive(tmp_path: Path) -> None:
    made = Kinetics(tmp_path / "both")
    both = [f"clip{number}_____000001_000011" for number in range(4)]
    for clip_id in both:
        made.add(clip_id, "val", "zumba", small_clip(frames=5))
    made.add("onlyPacked_000001_000011", "val", "zumba")
    made.add("broken_____000001_000011", "val", "zumba", b"broken")
    made.write()
    packed = (*both, "onlyPacked_000001_000011", "broken_____000001_000011")
    pack(tmp_path / "1.tar", {f"{clip_id}.mp4": small_clip(frames=9) for clip_id in packed})

    def command(output: Path, *more: str) -> list[str]:
        return [
            "--annotations", str(made.annotations),
            "--videos", str(made.videos), str(tmp_path / "1.tar"),
            "--output", str(output), "--short_edge", "32", "--path_prefix=", *more,
        ]  # fmt: skip

    output, whole = tmp_path / "output", tmp_path / "whole"
    assert finish(command(whole), tmp_path).status == 0
    for number in (1, 2):
        assert finish(command(output, "--shard", f"{number}/2"), tmp_path).status == 0
    assert finish(command(output), tmp_path).status == 0
    assert_same(output, result(whole))
    frames = {name: row["frames"] for name, row in all_rows(output).items()}
    assert frames == {
        **dict.fromkeys(both, 5), "onlyPacked_000001_000011": 9, "broken_____000001_000011": 9,
    }  # fmt: skip


def test_a_clip_that_two_parts_have_made_at_once_is_that_of_the_first_archive(
    tmp_path: Path, start: Start
) -> None:
    """It is made again, whichever of its two files is there; each part begins without the other."""
    made = Kinetics(tmp_path / "both")
    clip_id = "inBoth_____000001_000011"
    made.add(clip_id, "val", "zumba")
    made.write()
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, frames in (("1", 5), ("2", 9)):
        pack(folder / f"{name}.tar", {f"{clip_id}.mp4": small_clip(frames=frames)}, "w")
    output = tmp_path / "output"

    def command(output: Path, *more: str) -> list[str]:
        return [
            "--annotations", str(made.annotations), "--videos", str(folder),
            "--output", str(output), "--short_edge", "32", "--path_prefix=", *more,
        ]  # fmt: skip

    for number in (1, 2):
        apart = tmp_path / f"part{number}"
        assert finish(command(apart, "--shard", f"{number}/2"), tmp_path).status == 0
        shutil.copytree(apart, output, dirs_exist_ok=True)
    assert finish(command(output), tmp_path).status == 0
    row = all_rows(output)[clip_id]
    assert (row["frames"], row["source"]) == (5, f"{folder}/1.tar/{clip_id}.mp4")
    clip = output / row["path"]
    assert hashlib.sha256(clip.read_bytes()).hexdigest() == row["sha256"]


def test_a_checksum_that_a_part_has_found_wrong_casts_doubt_in_the_last_run(tmp_path: Path) -> None:
    made = Kinetics(tmp_path / "one")
    clip_id = "doubtful___000001_000011"
    made.add(clip_id, "val", "zumba")
    other = "other______000001_000011"  # so it is read to its end
    made.add(other, "val", "zumba")
    made.write()
    folder = tmp_path / "archives"
    folder.mkdir()
    archive = pack(folder / "1.tar.gz", {f"{clip_id}.mp4": small_clip(frames=5)})
    pack(folder / "2.tar", {f"{other}.mp4": small_clip(frames=5)}, "w")
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1
    archive.write_bytes(content)

    def command(output: Path, *more: str) -> list[str]:
        return [
            "--annotations", str(made.annotations), "--videos", str(folder),
            "--output", str(output), "--short_edge", "32", "--path_prefix=", *more,
        ]  # fmt: skip

    output, whole = tmp_path / "output", tmp_path / "whole"
    assert finish(command(whole), tmp_path).status == 0
    for number in (1, 2):
        assert finish(command(output, "--shard", f"{number}/2"), tmp_path).status == 0
    assert finish(command(output), tmp_path).status == 0
    details = [all_rows(folder)[clip_id]["detail"] for folder in (output, whole)]
    assert details == [DOUBTFUL, DOUBTFUL]
    assert summary(output)["archives"]["broken"] == summary(whole)["archives"]["broken"]


# A bucket


def test_parts_in_a_bucket_one_of_them_stopped_and_run_again(
    many: Many, tmp_path: Path, start: Start
) -> None:
    with Buckets() as buckets:
        for attempt in range(ATTEMPTS):
            prefix = f"out{attempt}"
            whole, *commands = (
                [f"gs://{BUCKET}/{prefix}" if word == "/out" else word
                 for word in (*command, *buckets.flags)]
                for command in (many.flags(Path("/out")), *parts(many, Path("/out"), 2))
            )  # fmt: skip
            first, second = map(start, commands)
            while not (_clips_in(buckets, prefix) or first.is_over()):
                time.sleep(0.01)
            first.signal(signal.SIGTERM)  # as a scheduler does it
            statuses = first.finished().status, second.finished().status
            made = _clips_in(buckets, prefix)
            if len(made) < COUNT:
                break
        assert statuses == (143, 0)
        assert finish(commands[0], tmp_path).status == 0
        assert len(made) < len(_clips_in(buckets, prefix)) == COUNT
        buckets.reset()
        merged = finish(whole, tmp_path)
        assert (merged.status, merged.err) == (0, "")
        assert not [
            call for call in buckets.calls if call.kind == "write" and "/videos/" in call.name
        ]
        for name, content in buckets.files(prefix).items():
            (tmp_path / "copied" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "copied" / name).write_bytes(content)
    assert_same(tmp_path / "copied", many.undisturbed)


def _clips_in(buckets: Buckets, prefix: str) -> list[str]:
    return [name for name in buckets.files(prefix) if name.startswith("videos/")]
