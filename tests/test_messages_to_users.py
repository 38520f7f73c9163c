"""Small mistakes on the command line, and messages that name the cause and what to type."""

import errno
import re
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import google.auth
import google.auth.exceptions
import pytest
from aiohttp import ClientTimeout
from gcsfs.credentials import GoogleCredentials

from beam_pipeline.annotations.assign_label_ids import assign_label_ids
from beam_pipeline.annotations.read_files import find_files
from beam_pipeline.cli import SUBCOMMANDS, main
from beam_pipeline.engines.choose import choose_engine
from beam_pipeline.errors import InputError, UsageError
from beam_pipeline.kinetics.spelling import meant
from beam_pipeline.options import parse_command_line
from beam_pipeline.sources.find_sources import check_found
from beam_pipeline.sources.list_videos import resolve_argument
from beam_pipeline.storage import amazon_storage, file_systems, google_storage, request_retries
from beam_pipeline.storage.retries import Unavailable, type_and_message, why_unread
from beam_pipeline.storage.typed_paths import near_path, split_by_spaces, unexpanded
from tests.kinetics import Kinetics, check_output, configured, run


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where a run would begin."""
    monkeypatch.setattr("beam_pipeline.run_job.run", lambda *_: pytest.fail("a run has begun"))


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line with which a wrong command line is refused."""
    assert main([*argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line.removeprefix("beam_pipeline: ")


NEEDED = ("--annotations=/a", "--videos=/v", "--output=/o")


# Where a command line begins


def test_nothing_at_all_gets_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys)
    assert "such as python -m beam_pipeline --annotations k400/annotations --videos" in said
    assert "--help" in said


@pytest.mark.parametrize(
    ("first", "about"),
    [
        ("help", "type --help"),
        ("version", "type --version"),
        ("verfy", "did you mean verify?"),
        ("encode", f"or one of {', '.join(SUBCOMMANDS)}"),
    ],
)
def test_a_word_in_place_of_a_flag(
    first: str, about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert about in complaint(capsys, first, *NEEDED)


def test_a_folder_in_place_of_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"type --videos {tmp_path} --output FOLDER" in complaint(capsys, str(tmp_path))


# Words that are nearly right


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (("--dataset", "k400"), "there is no 'k400'; type kinetics400"),
        (("--dataset", "K400"), "type kinetics400"),
        (("--dataset", "kinetics-600"), "type kinetics600"),
        (("--dataset", "kinetics700"), "type kinetics700_2020"),
        (("--dataset", "ucf101"), "type one of kinetics400, kinetics600, kinetics700_2020"),
        (("--label_map", "k400"), "there is no such map or file; type kinetics400"),
        (("--label_map", "Kinetics-710"), "type kinetics710"),
        (("--label_map", "kinetics700_2020"), "type kinetics700"),
        (("--splits", "valid"), "did you mean val?"),
        (("--splits", "training"), "did you mean train?"),
        (("--list_format", "mmaction"), "did you mean mmaction2?"),
        (("--preset", "very-fast"), "type veryfast"),
        (("--runner", "DirctRunner"), "type DirectRunner"),
        (("--runner", "spork"), "type SparkRunner"),
        (("--runner", "nonsense"), "one of DirectRunner, DataflowRunner"),
        (("--short_edge", "255"), "type 256"),
        (("--shard", "0/4"), "parts are counted from 1 to 4"),
        (("--overwrite", "yes"), "neither true nor false; type one"),
    ],
)
def test_a_word_that_is_nearly_right(
    flags: tuple[str, ...], about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = [flag for flag in NEEDED if not flag.startswith("--annot") or "dataset" not in flags]
    assert about in complaint(capsys, *needed, *flags)


def test_a_number_near_another_is_no_suggestion() -> None:
    assert meant("kinetics500", ("kinetics400", "kinetics600")) is None


def test_a_file_with_the_name_of_a_map_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("k400").touch()
    assert configured("--label_map", "k400").label_map == str(tmp_path / "k400")


# What the shell does, and does not


def test_a_value_that_was_taken_apart_at_its_spaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my videos").mkdir()
    said = complaint(capsys, *NEEDED[::2], "--videos", "/v", f"{tmp_path}/my", "videos")
    assert f"type --videos '{tmp_path}/my videos'" in said


def test_folders_that_exist_are_no_parts_of_another(tmp_path: Path) -> None:
    for name in ("a", "a b"):
        (tmp_path / name).mkdir()
    assert split_by_spaces([f"{tmp_path}/a", "b"]) is None
    assert split_by_spaces(["gs://my", "videos"]) is None


@pytest.mark.parametrize("flag", ["--output", "--path_prefix"])
def test_a_single_value_that_was_taken_apart(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, *NEEDED[:2], flag, "/my", "data", "here")
    assert f"{flag} '/my data'" in said
    said = complaint(capsys, *NEEDED[:2], f"{flag}=/my", "data")
    assert f"{flag} '/my data'" in said


@pytest.mark.parametrize("flag", ["--annotations", "--videos", "--output", "--label_map",
                                  "--log_file"])  # fmt: skip
@pytest.mark.parametrize("path", ["$HOME/x", "${HOME}/x", "/data/$HOME", "gs://$BUCKET/x"])
def test_a_variable_in_single_quotes(
    flag: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = [each for each in NEEDED if not each.startswith(flag)]
    said = complaint(capsys, *needed, flag, path)
    assert "the shell has not replaced $" in said
    assert f'type {flag} "{path}"' in said


def test_a_file_whose_name_has_a_dollar_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "$HOME").touch()
    assert unexpanded(f"{tmp_path}/$HOME") is None
    assert unexpanded(f"{tmp_path}/$no_such_variable") is None


def test_a_home_folder_in_quotes_is_found_and_an_unknown_user_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert configured("--videos", "~/clips").videos == ("/home/me/clips",)
    said = complaint(capsys, *NEEDED[::2], "--videos", "~no-such-user/clips")
    assert "there is no user no-such-user here" in said


# Places


def test_an_output_that_is_the_annotations_or_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, "--annotations=/a", "--videos=/v", "--output=/a")
    assert "where --annotations are" in said
    file = tmp_path / "val.csv"
    file.touch()
    said = complaint(capsys, "--annotations=/a", "--videos=/v", f"--output={file}")
    assert f"--output {file} is a file; type --output FOLDER" in said


def test_an_output_below_the_annotations_is_left_out_of_their_search(
    few: Kinetics, tmp_path: Path
) -> None:
    shutil.copytree(few.annotations, tmp_path / "annotations")
    output = tmp_path / "output"
    for splits in (("train",), ("train", "val")):  # at last its JSON and CSV files are there
        ended = run(
            "--annotations", str(tmp_path), "--videos", str(few.videos), "--output", str(output),
            "--short_edge=64", "--splits", *splits,
        )  # fmt: skip
        assert ended.status == 0, ended.err
        check_output(output, few.clip_ids(), asked=splits)


def test_what_is_in_the_output_is_no_annotation_unless_it_is_named(tmp_path: Path) -> None:
    for name in ("val.csv", "out/missing.csv", "output.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    output = f"{tmp_path}/out"
    found = [path for _, path in find_files(0, str(tmp_path), (), output)]
    assert found == [f"{tmp_path}/output.csv", f"{tmp_path}/val.csv"]
    named = f"{output}/missing.csv"
    assert [path for _, path in find_files(0, named, (), output)] == [named]


@pytest.mark.parametrize("flag", ["--annotations", "--videos"])
def test_a_name_that_is_nearly_right(flag: str, tmp_path: Path) -> None:
    (tmp_path / "kinetics" / "train").mkdir(parents=True)
    typed, there = f"{tmp_path}/kinetcs/train", f"{tmp_path}/kinetics/train"
    search = find_files if flag == "--annotations" else lambda *of: resolve_argument(*of, "/o")
    with pytest.raises(InputError, match=re.escape(f"did you mean {there}?")):
        list(search(0, typed))
    assert near_path(f"{tmp_path}/kinetcs/test") is None
    assert near_path("gs://bucket/kinetcs") is None


# What there is in place of videos


def test_archives_that_are_not_read_are_named(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    zipfile.ZipFile(archive, "w").close()
    with pytest.raises(InputError, match=r"not read; unpack them, or pack them as \.tar"):
        list(resolve_argument(0, str(archive), "/o"))


@pytest.mark.parametrize(
    ("suffixes", "about"),
    [
        ({".zip": 3, ".md": 1}, r"there are 3 \.zip, 1 \.md: videos in such archives are not read"),
        ({".csv": 2}, r"there are 2 \.csv: annotations go with --annotations"),
        ({".jpg": 1200, "": 1}, r"there are 1,200 \.jpg, 1 without a suffix; --videos searches"),
        ({}, r"no video under /v; --videos searches"),
    ],
)
def test_what_is_there_in_place_of_videos_is_told(suffixes: dict[str, int], about: str) -> None:
    with pytest.raises(InputError, match=about):
        check_found(0, ["/v"], [{"suffixes": suffixes}])
    assert check_found(1, ["/v"], [{"suffixes": suffixes}]) == 1


def test_a_folder_of_zips(few: Kinetics, tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    ended = run(
        "--annotations", str(few.annotations), "--videos", str(tmp_path),
        "--output", f"{tmp_path}/output",
    )  # fmt: skip
    assert ended.status == 1
    assert "there are 1 .zip: videos in such archives are not read" in ended.complaint


def test_a_list_of_paths_that_is_named_like_annotations(tmp_path: Path) -> None:
    (tmp_path / "list.csv").touch()
    with pytest.raises(InputError, match=r"a list of paths has the suffix \.txt"):
        list(resolve_argument(0, f"{tmp_path}/list.csv", "/o"))


def test_a_class_of_another_data_set_names_its_map() -> None:
    with pytest.raises(
        InputError, match="it is in kinetics600, kinetics700, kinetics710: type the map"
    ):
        assign_label_ids({"acting in play"}, "kinetics400")


# Protocols


def test_a_protocol_without_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "beam_pipeline.storage.amazon_storage", None)
    said = complaint(capsys, *NEEDED[::2], "--videos=s3://b/x")
    assert "s3:// needs a package that is not installed; type pip install '.[s3]'" in said


@pytest.mark.parametrize(
    ("address", "about"),
    [
        ("az://b/x", "az:// needs a package; type pip install adlfs"),
        ("htps://host/x", "htps:// is not known; type https://"),
        ("foo://b/x", "foo:// is not known; type a path, gs://, s3:// or https://"),
        ("ftp://host/x", """ftp:// needs host; type --storage_options '{"ftp": {"host": "…"}}'"""),
        ("github://b/x", "github:// needs org and repo"),
    ],
)
def test_a_protocol_that_cannot_be_used(
    address: str, about: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert about in complaint(capsys, *NEEDED[::2], f"--videos={address}")


def test_a_protocol_with_the_options_that_it_needs_can() -> None:
    options = '{"ftp": {"host": "example.org"}}'
    given = configured("--videos", "ftp://x/y", "--storage_options", options)
    assert given.videos == ("ftp://x/y",)
    assert file_systems.missing_options("/v") == []


def test_missing_credentials_of_amazon() -> None:
    class NoCredentialsError(Exception):
        """As botocore's is named."""

    assert "type aws configure, or" in type_and_message(
        NoCredentialsError("Unable to locate credentials")
    )


def test_an_address_that_cannot_be_read_is_to_be_checked() -> None:
    refused = Unavailable(errno.EIO, "Cannot connect to host")
    assert why_unread(refused).endswith("; check that the address is right and the network works")
    told = Unavailable(errno.EIO, "no credentials; type aws configure")
    assert why_unread(told) == "no credentials; type aws configure"
    assert why_unread(PermissionError(errno.EACCES, "Permission denied")) == "Permission denied"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The address of a server that never takes a connection."""
    with socket.socket() as server, ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # until its queue is full
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_connection_that_is_never_taken_is_named_as_such(
    black_hole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_retries, "FIRST_DEADLINE", 0)
    monkeypatch.setattr(request_retries, "DEADLINE", 0)
    monkeypatch.setattr(google_storage, "TIMEOUT", ClientTimeout(sock_connect=0.1))
    fs = google_storage.GoogleFileSystem(token="anon", endpoint_url=black_hole)
    with pytest.raises(Unavailable, match=r"(?i)connection timeout"):
        fs.cat_file("gs://bucket/a.mp4")


def test_without_a_network_one_knows_within_15_s() -> None:
    first, connection = request_retries.FIRST_DEADLINE, request_retries.TIMEOUT.sock_connect
    assert first + connection <= 9  # and 6 s to start on a busy machine
    assert amazon_storage.FIRST_ANSWER <= 12


def test_a_bucket_of_amazons_that_nobody_answers_for(
    black_hole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amazon_storage, "FIRST_ANSWER", 0.2)
    monkeypatch.setattr(amazon_storage, "_any_answer", threading.Event())
    fs = amazon_storage.AmazonFileSystem(
        anon=True, endpoint_url=black_hole, skip_instance_cache=True
    )
    with pytest.raises(Unavailable, match=r"no answer in 0\.2 s"):
        fs.info("s3://bucket/a.mp4")


def test_without_credentials_googles_machines_are_not_asked_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing() -> None:
        raise google.auth.exceptions.DefaultCredentialsError

    monkeypatch.setattr(google.auth, "default", nothing)
    monkeypatch.setattr(google_storage, "detect_gce_residency_linux", lambda: False)
    asked: list[object] = []
    monkeypatch.setattr(GoogleCredentials, "_connect_cloud", lambda _: asked.append(1))
    fs = google_storage.GoogleFileSystem(skip_instance_cache=True)
    assert (fs.credentials.token, asked) == ("anon", [])
    monkeypatch.setattr(google_storage, "detect_gce_residency_linux", lambda: True)
    assert google_storage._has_credentials()


# Runners


def test_dataflow_without_its_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], never_run: None
) -> None:
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dataflow.internal.apiclient", None)
    said = complaint(capsys, *NEEDED, "--runner=DataflowRunner")
    assert "needs Google's packages; type pip install '.[gcp]'" in said


def test_a_runner_that_lacks_something_is_not_taken_for_a_typing_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacks_something(name: str) -> None:
        raise ImportError("No module named 'pyspark'")

    monkeypatch.setattr("beam_pipeline.engines.engine.create_runner", lacks_something)
    with pytest.raises(UsageError, match="--runner SparkRunner: No module named 'pyspark'"):
        choose_engine(parse_command_line(["--runner=SparkRunner"])).create_runner()


def test_spark_without_its_job_server_says_what_to_type() -> None:
    engine = choose_engine(parse_command_line(["--runner=SparkRunner"]))
    message = engine.explain(RuntimeError("Unable to fetch remote job server jar at x: HTTP 404"))
    assert message is not None
    assert "--spark_job_server_jar FILE" in message
    assert "404" not in message
    assert "--spark_job_server_jar" not in str(engine.explain(RuntimeError("no workers")))


def test_no_engine_runs_a_runner_that_beam_does_not_have() -> None:
    engine = choose_engine(parse_command_line(["--runner=SprkRunner"]))
    with pytest.raises(UsageError, match="Beam has no such runner; type SparkRunner"):
        engine.create_runner()
