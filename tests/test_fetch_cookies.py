"""Cookie files, and where nothing of them may be seen."""

import os
import stat
from pathlib import Path

import pytest

from beam_pipeline.errors import UsageError
from beam_pipeline.fetch.cookies import parse_cookies
from beam_pipeline.output.leases import acquire_lease, release_lease
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.temporary_files import remove_open_folders
from tests.kinetics import configured

HEAD = "# Netscape HTTP Cookie File\n\n"
LINE = ".example.com\tTRUE\t/\tTRUE\t4102444800\tSID\tmine\n"


@pytest.mark.parametrize(
    "lines",
    [
        LINE,
        "#HttpOnly_" + LINE,
        "example.com\tFALSE\t/\tFALSE\t\tSID\t\n",
        "example.com\tFALSE\t/\tFALSE\t0\tSID\tmine\n",
        "# a remark\n" + LINE,
        LINE.replace("\n", "\r\n"),
    ],
)
def test_cookies_are_kept(lines: str) -> None:
    assert parse_cookies((HEAD + lines).encode()) == HEAD + lines.replace("\r", "")


@pytest.mark.parametrize(
    ("content", "about"),
    [
        (LINE, "first line"),
        ('{"SID": "mine"}', "first line"),
        (HEAD + LINE + LINE.replace("\t", " "), "line 4 has 1 fields"),
        (HEAD + "#HttpOnly_" + LINE.replace("4102444800", "mine"), "line 3 has an expiry"),
        (HEAD + LINE.replace("TRUE", "FALSE", 1), "line 3 begins with a dot"),
        (HEAD + "mine\udce9", "no text"),
    ],
)
def test_a_line_is_told_by_its_number_alone(
    content: str, about: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cookies.txt"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match=about) as caught:
        configured("--fetch", "youtube", "--cookies", str(path))
    assert "mine" not in str(caught.value)
    assert "SID" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_temporary_folder_is_its_users_alone(tmp_path: Path) -> None:
    output = Output(str(tmp_path), run="a" * 32)
    acquire_lease(output)
    before = os.umask(0)
    try:
        with output.temporary_folder() as folder:
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    finally:
        os.umask(before)
        release_lease(output)


def test_a_run_that_is_stopped_leaves_no_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Output("gs://bucket/o", run="a" * 32).temporary_folder() as folder:
        Path(folder, "video").touch()
        remove_open_folders(5)
        assert os.listdir(tmp_path) == []
