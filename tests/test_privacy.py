"""What is shown of addresses, storage options and names."""

import json
import logging
import pickle
import sys
import threading
from collections.abc import Iterator

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import privacy
from beam_pipeline.cli import main
from beam_pipeline.elements import Clip, ReadArchive, Row
from beam_pipeline.engines.engine import _PublicFormatter
from beam_pipeline.errors import InputError, UsageError
from beam_pipeline.kinetics.file_names import base_name, has_common_extension, is_archive, is_video
from beam_pipeline.privacy import one_line, public_address, redact
from beam_pipeline.progress.counts import Counts
from beam_pipeline.results.closing_table import ALWAYS_SHOWN, print_results
from beam_pipeline.results.summary import archives_summary
from beam_pipeline.storage import urls
from tests.kinetics import configured

SECRETS = ("hunter2", "me:", "SECRET")


@pytest.fixture(autouse=True)
def safe() -> Iterator[None]:
    privacy.configure(False, {})
    yield
    privacy.configure(False, {})


# Addresses


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:hunter2@host/a.mp4", "https://host/a.mp4"),
        ("https://me:hun/ter2@host/a.mp4", "https://host/a.mp4"),
        ("https://host:8080/p@x/a.mp4", "https://host:8080/p@x/a.mp4"),
        ("https://[::1]:8080/a.mp4", "https://[::1]:8080/a.mp4"),
        ("HTTPS://host/a.mp4?SECRET", f"HTTPS://host/a.mp4{privacy._mark('SECRET')}"),
        ("https://host/a.mp4?X-Amz-Signature=SECRET&X-Amz-Expires=60", "https://host/a.mp4"),
        ("https://host/a.mp4?", "https://host/a.mp4"),
        ("https://host/a.mp4#fragment", "https://host/a.mp4"),
        ("sftp://me:hunter2@host/a.mp4?b", "sftp://host/a.mp4?b"),
        ("gs://bucket/what?/a.mp4", "gs://bucket/what?/a.mp4"),
        ("/data/what?a=b/me:x@y.mp4", "/data/what?a=b/me:x@y.mp4"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: str, shown: str) -> None:
    assert public_address(address) == shown
    assert public_address(shown) == shown


def test_full_names_keep_user_and_query_and_no_password() -> None:
    address = "https://me:hunter2@host/a.mp4?id=1"
    assert public_address(address, full=True) == "https://me@host/a.mp4?id=1"


def test_queries_are_told_apart_and_signatures_are_not() -> None:
    one, two = (f"https://host/get?file={name}" for name in "ab")
    assert public_address(one) != public_address(two)
    signed = f"{one}&sv=1&sig=SECRET&se=2026-01-01"
    assert public_address(signed) == public_address(f"{one}&sv=2&sig=OTHER&se=2027-01-01")
    assert public_address(signed) == public_address(one)
    assert public_address("https://host/get?file=a&se=5") != public_address(one)


def test_files_are_named_after_the_path_and_the_mark_of_the_query() -> None:
    named = urls.path_of("https://me:hunter2@host/v.mp4?id=1")
    assert named == urls.path_of("https://host/v.mp4?id=1") != urls.path_of("https://host/v.mp4")
    assert named == urls.path_of(public_address("https://host/v.mp4?id=1"))
    assert named.startswith("https://host/v-")
    assert named.endswith(".mp4")
    assert urls.path_of("https://host/get?file=a").startswith("https://host/get-")


@pytest.mark.parametrize("full", [False, True])
def test_a_member_of_an_archive_keeps_its_name_behind_any_query(full: bool) -> None:
    privacy.configure(full, {})
    archive = "https://me:hunter2@host/a.tar?id=1"
    member = urls.member(archive, "in/what?#is.mp4")
    assert member.startswith(f"{public_address(archive)}/")
    assert public_address(member) == member
    assert urls.member("/data/a.tar", "what?.mp4") == "/data/a.tar/what?.mp4"


@pytest.mark.parametrize("query", ["?id=1", "?path=/x/other.tar", "", "#top"])
def test_names_are_read_from_the_path(query: str) -> None:
    video = f"https://host/in/abc_000001_000011.MP4{query}"
    assert is_video(video)
    assert base_name(video) == base_name(public_address(video)) == "abc_000001_000011"
    assert has_common_extension(video)
    assert is_archive(f"https://host/in/a.tar.gz{query}")
    assert not is_archive(video)


def test_an_address_without_a_suffix_is_a_video_if_it_asks_for_one() -> None:
    assert is_video("https://host/get?file=a")
    assert not is_video("https://host/get")
    assert not is_video("https://host/get.php?file=a.mp4")
    assert not is_video("/data/get?file=a")


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("HTTPS://host/a b.mp4?x=a b'c#top", "https://host/a b.mp4?x=a%20b%27c"),
        ("https://host/folder/", "https://host/folder"),
        ("https://host/get/?path=/a/", "https://host/get/?path=/a/"),
        ('https://me:a "b@host/x', "https://me:a%20%22b@host/x"),
        ("gs://bucket/a #1?.mp4", "gs://bucket/a #1?.mp4"),
    ],
)
def test_a_web_address_is_made_one_word(given: str, absolute: str) -> None:
    assert urls.absolute(given) == absolute
    assert urls.absolute(absolute) == absolute


# Texts


@pytest.mark.parametrize(
    "text",
    [
        "404, message='Not Found', url='https://me:hunter2@host/a%20b.mp4?sig=SECRET'",
        "404, url=URL('https://host/x?sig=SECRET&id=2')",
        "Max retries exceeded with url: /bucket/x?sig=SECRET (Caused by",
        "--videos https://host/air drumming/a.mp4?SECRET: there is no such file",
        "('https://me:hun'ter2@host/x?b=SECRET', 'https://host/y')",
        "https://host/a.mp4?sig=SECRET, https://host/b.mp4?sig=SECRET",
    ],
)
def test_addresses_in_a_text_are_shown_like_those_in_rows(text: str) -> None:
    shown = redact(text)
    assert not any(secret in shown for secret in (*SECRETS, "ter2"))
    assert redact(shown) == shown


def test_a_text_names_an_address_as_the_row_does() -> None:
    for address in ("https://me:hunter2@host/air drumming/a.mp4?id=1", "https://host/get?file=a"):
        assert redact(f"cannot read {address}: gone") == (
            f"cannot read {public_address(address)}: gone"
        )


@pytest.mark.parametrize(
    "text", ["--max-limit: did you mean --limit?", "/data/part_?.tar", "what? no", "a: b://c"]
)
def test_other_texts_stay(text: str) -> None:
    assert one_line(text) == text


def test_values_of_storage_options_are_hidden_in_any_spelling() -> None:
    privacy.configure(
        False,
        {
            "s3": {"key": "AKIA12", "secret": "s3cr/+'t", "client_kwargs": {"region": "us"}},
            "http": {"headers": {"Authorization": "Bearer abc.def"}},
            "gs": {"project": "test", "token": "anon", "endpoint_url": "http://localhost:9023"},
        },
    )
    text = "AKIA12 s3cr/+'t s3cr%2F%2B%27t Bearer abc.def, 'abc.def' http://localhost:9023"
    assert set(redact(text)) <= set(" ,'…")
    assert redact("val and test, anon") == "val and test, anon"  # words of any message
    assert redact("AKIA123") == "AKIA123"


def test_a_worker_elsewhere_hides_what_beam_has_passed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = ["--source_names=full", "--storage_options", '{"token": "hunter2"}']
    monkeypatch.setattr(privacy, "_settings", None)
    monkeypatch.setattr(FileSystems, "_pipeline_options", PipelineOptions(passed))
    assert redact("https://me:x@host/a?b=1 hunter2") == "https://me@host/a?b=1 …"


# Where it is applied


def test_a_row_holds_no_secret() -> None:
    row = Row.of(
        Clip("a"),
        "failed",
        source="https://me:hunter2@host/a.mp4?sig=SECRET",
        detail="404, url='https://me:hunter2@host/a.mp4?sig=SECRET'",
    )
    assert (row.source, row.detail) == ("https://host/a.mp4", "404, url='https://host/a.mp4'")
    older = row._replace(source="https://me:hunter2@host/a.mp4?sig=SECRET")
    assert older.reused_for(Clip("a")).source == "https://host/a.mp4"


@pytest.mark.parametrize("kind", [InputError, UsageError])
def test_a_message_holds_no_secret_and_no_control_character(kind: type[Exception]) -> None:
    error = kind("https://me:hunter2@host/a.mp4?sig=SECRET: \x1b[31m\x9b a\u202eb\udcff\n\nno")
    assert str(error) == r"https://host/a.mp4: \x1b[31m\x9b a\u202eb\udcff no"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "text", ['{"gs": {"token": "SECRET"', "{'token': 'SECRET'}", "SECRET", '["SECRET"]', '"SECRET"']
)
def test_a_slip_in_storage_options_is_told_without_them(text: str) -> None:
    with pytest.raises(UsageError, match="--storage_options") as caught:
        configured("--storage_options", text)
    assert "SECRET" not in str(caught.value)
    if text != '["SECRET"]' and text != '"SECRET"':
        assert "line 1 column" in str(caught.value)


@pytest.mark.parametrize(
    "words", [["{token:", "SECRET}"], ["{gs:", "{token:", "SECRET}}"], ["{}", "SECRET"]]
)
def test_options_that_the_shell_has_taken_apart_are_not_told(words: list[str]) -> None:
    with pytest.raises(UsageError, match="in quotes") as caught:
        configured("--storage_options", *words)
    assert "SECRET" not in str(caught.value)


def test_the_command_is_remembered_without_secrets() -> None:
    videos = "https://me:hunter2@host/a.tar?id=SECRET,https://me:hunter2@host/b.tar"
    command = configured(
        "--videos", videos, "--storage_options", json.dumps({"token": "SECRET"})
    ).command
    assert "https://host/b.tar" in command
    assert not any(secret in command for secret in SECRETS)


def test_a_comma_in_a_query_is_part_of_it() -> None:
    videos = "https://h/a.mp4?ids=1,2&key=SECRET,https://h/b.mp4, /data,gs://b/c"
    config = configured("--videos", videos, "more,clips")
    assert config.videos[:4] == (
        "https://h/a.mp4?ids=1,2&key=SECRET", "https://h/b.mp4", "/data", "gs://b/c",
    )  # fmt: skip
    assert [path.rpartition("/")[2] for path in config.videos[4:]] == ["more", "clips"]
    assert "SECRET" not in config.command


def test_the_lists_name_an_output_without_its_password() -> None:
    host = '{"ftp": {"host": "host"}}'
    config = configured("--output", "ftp://me:hunter2@host/out", "--storage_options", host)
    assert config.path_prefix == "ftp://host/out"


def test_a_traceback_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of an error of the program itself, which should not be."""
    for module in (sys, threading):
        monkeypatch.setattr(module, "excepthook", module.excepthook)
    assert main(["--limit=none"]) == 2
    capsys.readouterr()
    try:
        raise ValueError("https://me:hunter2@host/a.mp4?sig=SECRET")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert "ValueError: https://host/a.mp4\n" in said


def test_what_beam_and_services_log_holds_no_secret() -> None:
    record = logging.LogRecord(
        "", logging.INFO, "", 0, "%s\nand \x1b[31m", ("http://a:b@c/d?e",), None
    )
    first, second = _PublicFormatter("%(message)s").format(record).split("\n")
    assert first.startswith("http://c/d#")
    assert second == r"and \x1b[31m"


def test_the_closing_table_holds_no_secret_and_no_control_character(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = {"total": 0, "splits": {}, "kinds": {}}
    summary = {
        "total": dict.fromkeys(ALWAYS_SHOWN, 0), "splits": {}, "damaged": nothing, "reasons": {},
        "unannotated": 0, "warnings": ["1 .\x1b[31m\n, http://me:hunter2@host/a.tar"],
    }  # fmt: skip
    print_results(summary, configured("--output", "/o\x1b]0;x", "--path_prefix="), Counts())
    said = capsys.readouterr().out
    assert "  note: 1 .\\x1b[31m , http://host/a.tar\n" in said
    assert said.endswith(" are in /o\\x1b]0;x\n")


def test_archives_that_go_on_are_named_without_their_secrets() -> None:
    read = [ReadArchive("https://me:word@host/a.tar?sig=x", 0, 1, 0, None, goes_on=True)]
    said = archives_summary(None, read, 0)
    assert said is not None
    assert said["goes_on"] == ["https://host/a.tar"]
