"""Atomic writes to the output folder."""

import fcntl
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.errors import InputError, OutputError
from beam_pipeline.output import leases, run_lock, runs
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.output_folder import Output
from beam_pipeline.work.worker_pool import WorkerPool
from tests.kinetics import configured


@pytest.fixture
def output(tmp_path: Path) -> Output:
    config = configured("--output", str(tmp_path / "output"), "--path_prefix=")
    assert list(prepare_output(config)) == []
    return config.output


def test_a_file_is_written_with_its_folders(output: Output) -> None:
    output.write("videos/val/a b/c.mp4", b"content")
    assert Path(output.root, "videos/val/a b/c.mp4").read_bytes() == b"content"


def test_a_file_is_replaced_as_a_whole(output: Output) -> None:
    output.write("val.csv", b"a long first version")
    output.write("val.csv", b"second")
    assert Path(output.root, "val.csv").read_bytes() == b"second"


def test_a_file_that_is_not_finished_is_not_there(output: Output) -> None:
    output.write("val.csv", b"before")

    def break_off() -> None:
        with output.writing("val.csv") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert Path(output.root, "val.csv").read_bytes() == b"before"
    remove_state(output)
    assert os.listdir(output.root) == ["val.csv"]


def test_what_is_equal_is_not_written_again(output: Output) -> None:
    output.write_if_new("val.csv", b"same")
    inode = Path(output.root, "val.csv").stat().st_ino
    output.write_if_new("val.csv", b"same")
    assert Path(output.root, "val.csv").stat().st_ino == inode
    output.write_if_new("val.csv", b"other")
    assert Path(output.root, "val.csv").read_bytes() == b"other"


def test_what_cannot_be_written_is_named_with_what_to_do(output: Output) -> None:
    output.write("videos", b"a file where a folder should be")
    with pytest.raises(OutputError) as caught:
        output.write("videos/val/a.mp4", b"content")
    assert f"{output.root}/videos/val/a.mp4" in str(caught.value)
    assert "--output" in str(caught.value)


def test_leaving_takes_everything_that_was_kept_meanwhile(output: Output) -> None:
    with output.temporary_path() as path:
        assert Path(path).is_relative_to(output.root)
    remove_state(output)
    assert os.listdir(output.root) == []


def test_the_lock_is_closed_before_its_folder_is_removed(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FUSE and NFS keep an open file under another name, so that its folder is not empty."""
    lock = leases._leases[output.url(output.state)]
    closed = {}
    remove = Output.remove

    def look(self: Output, relative: str) -> None:
        closed[relative] = lock.closed
        remove(self, relative)

    monkeypatch.setattr(Output, "remove", look)
    remove_state(output)
    assert closed[output.state] is True


def test_what_others_keep_in_the_state_stays(output: Output, tmp_path: Path) -> None:
    state = Path(output.root, "_state")
    elsewhere = tmp_path / "elsewhere" / "precious"
    elsewhere.mkdir(parents=True)
    (elsewhere / "file").write_bytes(b"1")
    (state / "theirs").mkdir()
    (state / "theirs" / "file").write_bytes(b"2")
    (state / ("a" * 32)).symlink_to(elsewhere)
    assert runs.runs_in(output) == [output.state]
    remove_state(output)
    assert (elsewhere / "file").read_bytes() == b"1"
    assert (state / "theirs" / "file").read_bytes() == b"2"


def test_a_state_that_is_a_link_costs_nothing_behind_it(tmp_path: Path) -> None:
    (tmp_path / "home" / "precious").mkdir(parents=True)
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "_state").symlink_to(tmp_path / "home")
    config = configured("--output", str(tmp_path / "output"))
    list(prepare_output(config))
    remove_state(config.output)
    assert os.listdir(tmp_path / "home") == ["precious"]


def test_leaving_leaves_a_run_alone_that_is_under_way(output: Output) -> None:
    other = configured("--output", output.root, "--path_prefix=")
    list(prepare_output(other))
    remove_state(output)
    other.output.write("val.csv", b"still at work")
    remove_state(other.output)
    assert os.listdir(output.root) == ["val.csv"]


# Runs that are just beginning


def test_a_run_whose_folder_is_removed_as_it_begins_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it holds its lock, it cannot be told from one that was killed."""
    config = configured("--output", str(tmp_path / "output"))
    other = configured("--output", str(tmp_path / "output"))
    lock_file, removed = run_lock._lock_file, []

    def remove_first(lock: IO[bytes]) -> None:
        if not removed:
            removed.extend(runs.dead_runs(other.output))
            for run in removed:
                runs.remove_run(other.output, run)
        lock_file(lock)

    monkeypatch.setattr(run_lock, "_lock_file", remove_first)
    leases.acquire_lease(config.output)
    assert removed == [f"{config.output.state}.new"]
    assert runs.runs_in(config.output) == [config.output.state]
    assert run_lock.is_alive(config.output, config.output.state)
    config.output.write("val.csv", b"can be written")
    remove_state(config.output)


def test_a_run_that_holds_its_lock_is_alive_before_it_has_its_name(output: Output) -> None:
    lock = Path(output.root, "_state", "0" * 32 + ".new", "lock")
    lock.parent.mkdir()
    with lock.open("wb") as file:
        assert runs.dead_runs(output) == [f"_state/{lock.parent.name}"]
        fcntl.flock(file, fcntl.LOCK_EX)
        assert runs.dead_runs(output) == []
    remove_state(output)
    assert not Path(output.root, "_state").exists()


def test_two_workers_of_a_run_that_begin_at_once_share_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = configured("--output", str(tmp_path / "output")).output
    lock_file, beginning = run_lock._lock_file, [True]

    def let_another_begin(lock: IO[bytes]) -> None:
        if beginning.pop():
            Path(lock.name).parent.rename(output.url(output.state))
            Path(output.url(output.state) + ".new").mkdir()
            Path(output.url(output.state), "tmp").mkdir()
        beginning.append(False)
        lock_file(lock)

    monkeypatch.setattr(run_lock, "_lock_file", let_another_begin)
    leases.acquire_lease(output)
    assert runs.runs_in(output) == [output.state]
    remove_state(output)


# Runs of several processes


def hold_as_another_process(output: Output) -> IO[bytes]:
    """The lease of one more process of a run, beside that of this one."""
    lease = leases._leases.pop(output.url(output.state))
    leases.acquire_lease(output)
    other = leases._leases[output.url(output.state)]
    leases._leases[output.url(output.state)] = lease
    return other


def test_a_run_is_alive_as_long_as_one_of_its_processes(output: Output) -> None:
    other = hold_as_another_process(output)
    leases.release_lease(output)
    assert run_lock.is_alive(output, output.state)
    other.close()
    assert not run_lock.is_alive(output, output.state)


def test_two_that_ask_at_once_whether_a_run_is_alive_get_the_same_answer(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases.release_lease(output)
    with Path(output.url(output.state), "lock").open("rb+") as asking:
        fcntl.flock(asking, fcntl.LOCK_EX)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(asking, fcntl.LOCK_UN))
        assert not run_lock.is_alive(output, output.state)


def test_a_lock_that_may_only_be_read_is_asked_too(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, mode: str) -> IO[bytes]:
        if "+" in mode:
            raise PermissionError
        return Path(path).open(mode)

    monkeypatch.setattr(run_lock, "open", refuse, raising=False)
    assert run_lock.is_alive(output, output.state)
    leases.release_lease(output)
    assert not run_lock.is_alive(output, output.state)


def test_a_process_that_makes_clips_keeps_the_run_alive(tmp_path: Path) -> None:
    config = configured("--output", str(tmp_path / "output"), "--workers=1")
    pool = WorkerPool.acquire(config)
    assert run_lock.is_alive(config.output, config.output.state)
    pool.release()
    remove_state(config.output)


@pytest.fixture
def started(output: Output) -> Output:
    """The output of a job for other machines, as their workers get it; this process started it."""
    return replace(output, shared=True)


def test_an_output_folder_that_cannot_be_made_is_told_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def makedirs(path: str, **_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", path)  # as below /proc

    monkeypatch.setattr(os, "makedirs", makedirs)
    with pytest.raises(OutputError) as caught:
        leases.acquire_lease(Output(str(tmp_path / "o"), "run"))
    assert str(caught.value) == (
        f"the output folder {tmp_path}/o cannot be made: the system makes no folder in {tmp_path} "
        "(No such file or directory); choose another --output"
    )


def test_a_worker_that_does_not_see_the_output_says_so(started: Output, tmp_path: Path) -> None:
    elsewhere = replace(started, root=str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match=r"does not see --output .*elsewhere; type --output with"):
        leases.acquire_lease(elsewhere)
    assert not Path(elsewhere.root).exists()


def test_a_worker_that_sees_the_output_takes_part_in_the_run(started: Output) -> None:
    hold_as_another_process(started).close()


def test_a_worker_that_comes_when_all_is_done_sees_the_output(started: Output) -> None:
    started.write("summary.json", b"{}")
    remove_state(started)
    leases.acquire_lease(started)
    remove_state(started)


def test_what_other_processes_have_open_may_stay_until_the_last_one_leaves(
    started: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FUSE and NFS keep an open file under another name, so that its folder is not empty."""

    def keep(self: Output, relative: str) -> None:
        raise OutputError("not empty")

    with monkeypatch.context() as while_open:
        while_open.setattr(Output, "remove", keep)
        remove_state(started)
    assert runs.runs_in(started) == [started.state]
    remove_state(started)
    assert os.listdir(started.root) == []


def test_a_job_that_made_nothing_leaves_nothing(started: Output) -> None:
    Path(started.url("_state/settings.json")).unlink()
    leases.remove_unused_state(started, remote=True)
    assert os.listdir(started.root) == []


def test_a_job_that_made_clips_leaves_its_rows(started: Output) -> None:
    started.write(f"{started.state}/rows/some.jsonl", b"")
    leases.remove_unused_state(started, remote=True)
    assert runs.runs_in(started) == [started.state]
    remove_state(started)


def test_a_job_is_no_other_run_whose_settings_bind_it(tmp_path: Path) -> None:
    earlier = configured("--output", str(tmp_path), "--crf=30")
    list(prepare_output(earlier))
    leases.release_lease(earlier.output)
    config = configured("--output", str(tmp_path))
    config = replace(config, output=replace(config.output, shared=True))
    leases.begin_shared_run(config.output)
    list(prepare_output(config))  # the earlier run has made nothing
    remove_state(config.output)


def test_the_folder_of_a_job_makes_no_file_of_others_ours(tmp_path: Path) -> None:
    """Its state is there before anything is checked."""
    (tmp_path / "summary.json").write_text("theirs")
    config = configured("--output", str(tmp_path))
    config = replace(config, output=replace(config.output, shared=True))
    leases.begin_shared_run(config.output)
    with pytest.raises(InputError, match=r"summary\.json is no file of this program"):
        list(prepare_output(config))
    leases.remove_unused_state(config.output, remote=True)
    assert os.listdir(tmp_path) == ["summary.json"]


# Links


@pytest.mark.parametrize("name", ["manifest", "_state/run/tmp", "val.csv"])
def test_of_a_link_nothing_is_removed_but_the_link(
    output: Output, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    (elsewhere / "folder" / "file").write_bytes(b"1")
    link = Path(output.root, name)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere / "folder")
    output.remove(name)
    assert not link.is_symlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.parent.joinpath("inside").mkdir()
    link.parent.joinpath("inside", "link").symlink_to(elsewhere / "folder")
    output.remove(str((link.parent / "inside").relative_to(output.root)))
    assert (elsewhere / "folder" / "file").read_bytes() == b"1"


def test_a_stale_clip_that_is_a_link_is_unlinked(output: Output, tmp_path: Path) -> None:
    (tmp_path / "theirs.mp4").write_bytes(b"abc")
    link = Path(output.root, "videos", "a.mp4")
    link.parent.mkdir()
    link.symlink_to(tmp_path / "theirs.mp4")
    output.remove_stale("videos/a.mp4", 3, "another")
    assert not link.is_symlink()
    assert (tmp_path / "theirs.mp4").read_bytes() == b"abc"


def test_an_overwrite_removes_manifests_and_nothing_else_beside_them(tmp_path: Path) -> None:
    config = configured("--output", str(tmp_path / "output"))
    list(prepare_output(config))
    folder = Path(config.output.root, "manifest")
    folder.mkdir()
    for name in ("val.parquet", "notes.txt"):
        (folder / name).write_bytes(b"1")
    again = configured("--output", config.output.root, "--overwrite")
    list(prepare_output(again))
    assert os.listdir(folder) == ["notes.txt"]


def test_an_overwrite_removes_no_manifest_through_a_link(tmp_path: Path) -> None:
    config = configured("--output", str(tmp_path / "output"))
    list(prepare_output(config))
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "val.parquet").write_bytes(b"1")
    Path(config.output.root, "manifest").symlink_to(tmp_path / "theirs")
    list(prepare_output(configured("--output", config.output.root, "--overwrite")))
    assert os.listdir(tmp_path / "theirs") == ["val.parquet"]
