"""The flags of fetching, the file of yt-dlp's options, and yt-dlp itself."""

import importlib.metadata
import types
from pathlib import Path

import pytest

from beam_pipeline.config import Config
from beam_pipeline.errors import UsageError
from beam_pipeline.fetch import package
from beam_pipeline.fetch.package import interface_problem, package_problem
from beam_pipeline.fetch.settings import PAUSE, parse_options, secrets_of
from beam_pipeline.privacy import public_address, redact
from tests.kinetics import configured

WATCHED = "https://www.youtube.com/watch?v=--nQbRBEz2s"


def fetching(*flags: str) -> Config:
    return configured("--fetch", "youtube", *flags)


# The file of options


def test_without_options_there_is_the_documented_pause() -> None:
    assert parse_options("{}") == ({}, PAUSE)
    assert parse_options("") == ({}, PAUSE)


def test_json_has_yt_dlps_names_in_python() -> None:
    options, pause = parse_options('{"retries": 7, "sleep_interval": 1, "max_sleep_interval": 2}')
    assert (options, pause) == ({"retries": 7}, (1, 2))


def test_the_lines_of_a_config_file_say_the_same() -> None:
    text = "# polite\n--retries 7\n--sleep-interval 1 --max-sleep-interval 2\n"
    options, pause = parse_options(text)
    assert (options, pause) == ({"retries": 7}, (1, 2))


@pytest.mark.parametrize(
    "text",
    [
        "--retries infinite",
        '--extractor-args "youtube:player_client=web" -4',
        '{"js_runtimes": {"node": {}}, "cookiesfrombrowser": ["firefox"], "retries": 3}',
        '{"impersonate": "chrome", "extractor_args": {"youtube": {"player_client": ["web"]}}}',
    ],
)
def test_what_yt_dlp_can_use_is_taken(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert parse_options(text)[0]
    assert capfd.readouterr() == ("", "")


def test_yt_dlps_own_preset_for_sleeping_is_taken() -> None:
    options, pause = parse_options("-t sleep")
    assert pause > PAUSE
    assert options["sleep_interval_requests"] > 0


def test_one_number_is_a_pause_without_chance() -> None:
    assert parse_options('{"sleep_interval": 3}')[1] == (3, 3)
    assert parse_options('{"max_sleep_interval": 3}')[1] == (3, 3)
    assert parse_options('{"max_sleep_interval": 8}')[1] == (5, 8)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ('{"format": "best"}', "--short_edge"),
        ("--format best", "--short_edge"),
        ('{"outtmpl": "x"}', "nothing but the clip stays"),
        ("--output x", "nothing but the clip stays"),
        ('{"cookiefile": "x"}', "type --cookies FILE"),
        ("--proxy http://me:secret@h:1", "type --proxy URL"),
        ('{"postprocessors": []}', "cannot be passed on"),
        ("--exec rm", "cannot be passed on"),
        ('{"retries": 7', "no JSON"),
        ("--no-such-option", "no such option"),
        ("https://youtu.be/x", "no option"),
        ("--retries 'x", "cannot read it"),
        ('{"retries": "many"}', "its retries is not a number"),
        ('{"retries": true}', "its retries is not a number"),
        ('{"socket_timeout": "secret"}', "its socket_timeout is not a number"),
        ('{"source_address": 3}', "its source_address is not a text"),
        ('{"geo_bypass": "yes"}', "its geo_bypass is not a bool"),
        ('{"js_runtimes": ["node"]}', "its js_runtimes cannot be used"),
        ('{"js_runtimes": {"node": "x"}}', "its js_runtimes cannot be used"),
        ('{"extractor_args": "youtube:player_client=web"}', "its extractor_args is not of"),
        ('{"extractor_args": {"youtube": "x"}}', "its extractor_args is not of"),
        ('{"impersonate": 3}', "its impersonate is not"),
        ('{"cookiesfrombrowser": "firefox"}', "its cookiesfrombrowser is not a list"),
        ('{"cookiesfrombrowser": ["nobrowser"]}', "its cookiesfrombrowser does not begin"),
        ("--load-info-json /etc/passwd", "holds --load-info-json"),
        ("--plugin-dirs /tmp", "holds --plugin-dirs"),
        ("--config-locations /etc/passwd", "another config file"),
        ('{"sleep_interval": "5"}', "sleep_interval"),
        ('{"sleep_interval": -1}', "sleep_interval"),
        ('{"sleep_interval": 5, "max_sleep_interval": 1}', "less than"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    text: str, about: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=about) as caught:
        parse_options(text)
    assert "secret" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


# Flags


def test_the_flags_end_up_in_the_settings(tmp_path: Path) -> None:
    cookies, options = tmp_path / "cookies.txt", tmp_path / "options"
    cookies.write_text("# Netscape HTTP Cookie File\n")
    options.write_text('{"sleep_interval": 2, "retries": 4}')
    fetch = fetching(
        "--cookies", str(cookies), "--proxy", "socks5://me:secret@host:1080",
        "--fetch_options", str(options), "--fetch_again",
    ).fetch  # fmt: skip
    assert fetch.cookies == str(cookies)
    assert fetch.proxy == "socks5://me:secret@host:1080"
    assert (fetch.options, fetch.pause, fetch.again) == ({"retries": 4}, (2, 2), True)


def test_videos_are_not_needed() -> None:
    config = Config.from_flags(annotations="/a", output="/o", fetch="youtube")
    assert config.videos == ()
    assert config.fetch.pause == PAUSE
    assert not config.fetch.again


def test_fetching_decides_no_bytes() -> None:
    assert fetching().identity() == configured().identity()


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        ({"videos": "/v", "fetch": "youtube"}, "--annotations"),
        ({"annotations": "/a", "fetch": "vimeo"}, "vimeo"),
        ({"annotations": "/a", "fetch": "youtube", "shard": "1/2"}, "--shard"),
        ({"annotations": "/a", "fetch": "youtube", "resize": "false"}, "--resize false"),
        ({"annotations": "/a", "fetch": "youtube", "cookies": "/no/such"}, "there is no such file"),
        ({"annotations": "/a", "fetch": "youtube", "cookies": "/tmp"}, "there is no such file"),
        ({"annotations": "/a", "fetch": "youtube", "fetch_options": "/no"}, "there is no such"),
        ({"annotations": "/a", "fetch": "youtube", "proxy": "me:secret@host"}, "--proxy"),
        ({"annotations": "/a", "fetch": "youtube", "proxy": "ftp://host"}, "--proxy"),
        ({"annotations": "/a", "fetch": "youtube", "proxy": "http://host:x"}, "--proxy"),
        ({"annotations": "/a", "videos": "/v", "cookies": "/c"}, "there is no --fetch"),
        ({"annotations": "/a", "videos": "/v", "proxy": "http://h"}, "there is no --fetch"),
        ({"annotations": "/a", "videos": "/v", "fetch_options": "/f"}, "there is no --fetch"),
        ({"annotations": "/a", "videos": "/v", "fetch_again": "true"}, "there is no --fetch"),
    ],
)
def test_what_cannot_go_together_is_said_before_anything_is_read(flags: dict, about: str) -> None:
    with pytest.raises(UsageError, match=about) as caught:
        Config.from_flags(output="/o", **flags)
    assert "secret" not in str(caught.value)


def test_a_proxys_password_stands_nowhere() -> None:
    config = fetching("--proxy", "http://me:secret@host:1")
    assert "secret" not in config.command
    assert "secret" not in repr(config)
    assert secrets_of(config.fetch.proxy) == ("me", "secret")
    assert secrets_of(None) == ()


def test_the_address_of_a_video_keeps_its_name_and_no_other_query() -> None:
    assert public_address(WATCHED) == WATCHED
    assert redact(f"at {WATCHED}: no") == f"at {WATCHED}: no"
    for other in (f"{WATCHED}&key=secret", f"{WATCHED}?secret", "https://www.youtube.com/?v=x"):
        assert "secret" not in public_address(other)
        assert "#" in public_address(other)


# yt-dlp itself


def test_the_installed_one_is_as_it_should_be() -> None:
    assert package_problem() is None
    assert interface_problem() is None


def test_without_it_the_message_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(package, "version", gone)
    with pytest.raises(UsageError, match="needs the package yt-dlp; type python -m pip install"):
        fetching()


@pytest.mark.parametrize(("installed", "is_old"), [
    ("2025.11.12", True), ("2026.9.30", True), ("2026.10.26", False), ("2027.01.02", False),
    ("2026.10.26.123456.dev0", False),
])  # fmt: skip
def test_one_that_is_too_old_is_refused(
    installed: str, is_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "version", lambda _: installed)
    problem = package_problem()
    assert bool(problem) == is_old
    if is_old:
        assert f"yt-dlp {installed} is too old" in problem
        assert "--upgrade" in problem


def test_one_with_another_interface_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "import_module", types.ModuleType)
    with pytest.raises(UsageError, match=r"has no yt_dlp.YoutubeDL.*upgrade this program"):
        fetching()


@pytest.mark.parametrize("method", ["extract_info", "prepare_filename", "urlopen"])
def test_one_whose_class_lacks_a_method_is_refused(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(f"yt_dlp.YoutubeDL.{method}")
    with pytest.raises(UsageError, match=rf"has no yt_dlp.YoutubeDL.{method}, .*'yt-dlp==20"):
        fetching()


def test_one_that_cannot_be_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ImportError("no ssl")

    monkeypatch.setattr(package, "import_module", broken)
    with pytest.raises(UsageError, match=r"cannot be imported: no ssl; type .*--upgrade"):
        fetching()
