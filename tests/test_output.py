"""Atomic writes to the output folder."""

import os
from pathlib import Path

import pytest

from beam_pipeline.earlier.prepare_output import prepare_output
from beam_pipeline.errors import OutputError
from beam_pipeline.output import leases
from beam_pipeline.output.leases import remove_state
from beam_pipeline.output.output_folder import Output
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
    assert leases.runs_in(output) == [output.state]
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
