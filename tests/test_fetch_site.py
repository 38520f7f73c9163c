"""One video through yt-dlp, from a stand-in for the site on this machine."""

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from beam_pipeline.errors import InputError
from beam_pipeline.fetch import site as fetch_site
from beam_pipeline.fetch.reasons import Unavailable
from beam_pipeline.fetch.settings import FetchSettings
from beam_pipeline.fetch.site import NO_RUNTIME, NO_SCRIPTS, VideoFiles, VideoSite, watch_address
from tests.standin import Answer, Media, StandIn, both, pictures_only, sound_only

SIZE = (128, 96)
CONTENT = bytes(range(256)) * 40
FORMAT = {"formats": [both("18", SIZE)]}
OPTIONS = {"retries": 0, "extractor_retries": 0, "socket_timeout": 2}
COOKIES = (
    "# Netscape HTTP Cookie File\nlocalhost.local\tFALSE\t/\tFALSE\t4102444800\tsession\tmine\n"
)

PAGES: dict[str, Answer | list[Answer]] = {
    "good": {"formats": [both("360", (640, 360)), both("18", SIZE), both("5", (64, 48))]},
    "apart": {"formats": [pictures_only("p", SIZE), sound_only("s", 128)]},
    "private": {"error": "Private video. Sign in if you've been granted access to this video"},
    "removed": {"error": "Video unavailable. This video has been removed by the uploader"},
    "region": {"error": "The uploader has not made it available in your country", "kind": "geo"},
    "age": {"error": "Sign in to confirm your age. This video may be inappropriate"},
    "bot": {"error": "Sign in to confirm you\u2019re not a bot"},
    "many": 429,
    "empty": {"formats": []},
    "images": {"formats": [{"format_id": "sb0", "ext": "mhtml", "vcodec": "none",
                            "acodec": "none", "protocol": "mhtml"}]},
    "drm": {"formats": [both("18", SIZE, has_drm=True)]},
    "live": {"is_live": True, **FORMAT},
    "down": 500,
    "cut": FORMAT, "denied": FORMAT, "slow": FORMAT, "large": FORMAT,
    "odd": {"formats": 3},
}  # fmt: skip
MEDIA = {
    ("good", "18"): Media(CONTENT),
    ("apart", "p"): Media(CONTENT), ("apart", "s"): Media(CONTENT[:999]),
    ("cut", "18"): Media(CONTENT, "cut"), ("denied", "18"): Media(CONTENT, 403),
    ("slow", "18"): Media(CONTENT, "slow"), ("large", "18"): Media(CONTENT),
}  # fmt: skip


@pytest.fixture(scope="module")
def standin() -> Iterator[StandIn]:
    with StandIn(PAGES, MEDIA) as site, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANDIN", site.address)
        yield site


@pytest.fixture(autouse=True)
def nothing_asked_yet(standin: StandIn) -> None:
    standin.asked.clear()
    standin.cookies.clear()


def site(cookies: str | None = None, *, with_sound: bool = True, **settings) -> VideoSite:
    wanted = FetchSettings("youtube", **{"options": OPTIONS} | settings)
    return VideoSite(wanted, cookies, 96, with_sound)


def refused(youtube_id: str, folder: Path, **settings) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        site(**settings).fetch(youtube_id, str(folder))
    return caught.value


def test_one_file_is_fetched_and_nothing_printed(
    standin: StandIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetched = site().fetch("good", str(tmp_path))
    assert fetched == VideoFiles(str(tmp_path / "video"), None, len(CONTENT))
    assert (tmp_path / "video").read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["video"]
    assert standin.asked == ["watch/good", "media/good/18"]
    assert capfd.readouterr() == ("", "")


def test_no_program_of_this_machine_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("ffmpeg", "ffprobe", "avconv", "avprobe"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    (tmp_path / "folder").mkdir()
    site().fetch("apart", str(tmp_path / "folder"))
    assert not (tmp_path / "started").exists()


def test_pictures_and_sound_come_apart(tmp_path: Path) -> None:
    video, sound, size = site().fetch("apart", str(tmp_path))
    assert Path(video).read_bytes() == CONTENT
    assert Path(sound).read_bytes() == CONTENT[:999]
    assert size == len(CONTENT) + 999


def test_without_sound_only_pictures_are_asked_for(standin: StandIn, tmp_path: Path) -> None:
    assert site(with_sound=False).fetch("apart", str(tmp_path)).sound is None
    assert standin.asked == ["watch/apart", "media/apart/p"]


@pytest.mark.parametrize(
    ("youtube_id", "reason", "words"),
    [
        ("private", "private", "Private video. Sign in"),
        ("removed", "removed", "removed by the uploader"),
        ("region", "region_blocked", "in your country"),
        ("age", "age_restricted", "confirm your age"),
        ("bot", "rate_limited", "not a bot"),
        ("many", "rate_limited", "429"),
        ("empty", "fetch_failed", "No video formats"),
        ("images", "fetch_failed", "none of its 1 formats"),
        ("drm", "no_format", "DRM"),
        ("live", "no_format", "it is live"),
        ("down", "network", "500"),
        ("cut", "network", "bytes"),
        ("denied", "network", "403"),
        ("odd", "fetch_failed", "int"),
    ],
)
def test_each_failure_has_its_reason(
    youtube_id: str, reason: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    error = refused(youtube_id, tmp_path)
    assert error.reason == reason
    assert words in error.words
    assert error.is_block == (youtube_id == "bot")
    assert not (tmp_path / "video").exists()
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_is_cut_is_taken_up_again(standin: StandIn, tmp_path: Path) -> None:
    error = refused("cut", tmp_path, options={**OPTIONS, "retries": 1})
    assert error.reason == "network"
    assert standin.asked.count("media/cut/18") == 2


def test_a_video_that_comes_too_slowly_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_site, "PATIENCE", 0.3)
    error = refused("slow", tmp_path)
    assert (error.reason, error.words) == ("network", "less than 256 KiB came in 0.3 s")


def test_a_video_that_is_too_large_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_site, "MAX_BYTES", 1000)
    error = refused("large", tmp_path)
    assert (error.reason, error.words) == ("no_format", "it has more than 1,000 bytes")


def test_a_site_that_cannot_be_reached_is_the_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN", "http://localhost:9")
    assert refused("good", tmp_path).reason == "network"


def test_a_proxys_password_is_in_no_words(tmp_path: Path) -> None:
    error = refused("good", tmp_path, proxy="http://somebody:topsecret@localhost:9")
    assert error.reason == "network"
    assert "topsecret" not in error.words
    assert "somebody" not in error.words


def test_cookies_are_sent_and_lie_on_no_disk(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = fetch_site.YoutubeDL.extract_info

    def looking(*arguments, **named):
        seen.extend(os.listdir(tmp_path))
        return real(*arguments, **named)

    monkeypatch.setattr(fetch_site.YoutubeDL, "extract_info", looking)
    for _ in range(2):  # yt-dlp writes to what it is given
        site(COOKIES).fetch("good", str(tmp_path))
        assert standin.cookies[-1] == "session=mine"
        assert os.listdir(tmp_path) == ["video"]
        (tmp_path / "video").unlink()
    assert seen == []


def test_a_browser_whose_cookies_cannot_be_read_is_no_fault_of_a_file(tmp_path: Path) -> None:
    options = {**OPTIONS, "cookiesfrombrowser": ("firefox", str(tmp_path / "none"))}
    with pytest.raises(InputError, match=r"cookiesfrombrowser cannot be read"):
        site(options=options).fetch("good", str(tmp_path))


def test_a_full_disk_is_no_fault_of_the_site(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # Python ignores the signal
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011
            site().fetch("good", str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG


def test_a_folder_that_is_gone_is_no_fault_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):  # noqa: PT011
        site().fetch("good", str(tmp_path / "file" / "folder"))


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "~ 100% %(id)s $HOME"
    folder.mkdir()
    assert site().fetch("good", str(folder)).video == str(folder / "video")
    assert os.listdir(folder) == ["video"]


def test_options_that_yt_dlp_cannot_use_end_the_run() -> None:
    with pytest.raises(InputError, match=r"--fetch_options: yt-dlp cannot use them: .*js_runtimes"):
        site(options={"js_runtimes": 3}).note("good")


def test_an_id_is_quoted_in_the_address() -> None:
    assert watch_address("a&b=c/../d") == "https://www.youtube.com/watch?v=a%26b%3Dc%2F..%2Fd"


# JavaScript


def test_a_missing_runtime_is_noted_where_it_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert site().note("good") is None  # the stand-in needs none
    real = [each for each in fetch_site.gen_extractor_classes() if "Stand" not in each.__name__]
    monkeypatch.setattr(fetch_site, "gen_extractor_classes", lambda: real)
    assert site().note("--nQbRBEz2s") == NO_RUNTIME
    node = {"js_runtimes": {"node": {"path": "/n"}}}
    monkeypatch.setattr(fetch_site, "SCRIPTS", "no_such_package")
    assert site(options=node).note("--nQbRBEz2s") == NO_SCRIPTS
    remote = {**node, "remote_components": ["ejs:github"]}
    assert site(options=remote).note("--nQbRBEz2s") is None
    monkeypatch.setattr(fetch_site, "SCRIPTS", "pytest")  # any that is there
    assert site(options=node).note("--nQbRBEz2s") is None
    deno = tmp_path / "deno"
    deno.touch(0o755)
    assert site().note("--nQbRBEz2s") is None
