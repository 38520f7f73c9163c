"""What an answer of the site means."""

import pytest
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError

from beam_pipeline.fetch.reasons import (
    FINAL,
    MAX_WORDS,
    PASSING,
    WATCH,
    is_answer,
    may_ask,
    reason_of,
    tidy,
)

# As YouTube says it, with either apostrophe.
SAID = {
    "Private video. Sign in if you've been granted access to this video": "private",
    "This video is private. If the owner of this video has granted you access, sign in": "private",
    "Join this channel to get access to members-only content like this video": "private",
    "Video unavailable. This video is private": "private",
    "Video unavailable": "removed",
    "Video unavailable. This video has been removed by the uploader": "removed",
    "This video has been removed for violating YouTube's Terms of Service": "removed",
    "This video is no longer available because the YouTube account associated with this video has "
    "been terminated.": "removed",
    "Video unavailable. This video contains content from X, who has blocked it on copyright "
    "grounds in your country": "region_blocked",
    "The uploader has not made this video available in your country": "region_blocked",
    "Video unavailable. The uploader has not made this video available in your country":
    "region_blocked",
    "Sign in to confirm your age. This video may be inappropriate for some users.":
    "age_restricted",
    "Sign in to confirm you\u2019re not a bot. Use --cookies": "rate_limited",
    "Video unavailable. This content isn't available, try again later. The current session has "
    "been rate-limited by YouTube for up to an hour": "rate_limited",
    "No video formats found!": "fetch_failed",
    "Requested format is not available. Use --list-formats": "fetch_failed",
    "The following content is not available on this app. Watch on the latest version of YouTube.":
    "fetch_failed",
    "This content isn't available.": "fetch_failed",
    "Video unavailable. This content isn\u2019t available.": "fetch_failed",
    "This content isn't available in your country": "region_blocked",
    "Playback on other websites has been disabled by the video owner": "fetch_failed",
    "Error code: 152 - 4. This video is unavailable": "fetch_failed",
    "This video is not available": "removed",
    "This video is DRM protected": "no_format",
    "Premieres in 3 hours": "no_format",
    "This live event will begin in 2 days": "no_format",
    "Unable to extract yt initial data": "fetch_failed",
}  # fmt: skip


@pytest.mark.parametrize(("words", "reason"), SAID.items())
def test_the_words_of_the_site(words: str, reason: str) -> None:
    assert reason_of(downloading(ExtractorError(words, expected=True))).reason == reason
    assert reason in (*FINAL, *PASSING)


def downloading(error: Exception) -> DownloadError:
    """An error as it comes out of yt-dlp: inside another."""
    return DownloadError(f"ERROR: [youtube] abc: {error}", (type(error), error, None))


def http_error(status: int, **headers: str) -> HTTPError:
    return HTTPError(Response(fp=None, url="https://x", headers=headers, status=status))


def of_a_page(cause: Exception) -> DownloadError:
    """An extractor that could not load its page."""
    words = f"Unable to download webpage: {cause}"
    return downloading(ExtractorError(words, cause=cause, expected=True))


def test_a_block_ends_everything_and_too_many_requests_do_not() -> None:
    bot = reason_of(downloading(ExtractorError("Sign in to confirm you're not a bot")))
    assert (bot.reason, bot.is_block) == ("rate_limited", True)
    many = reason_of(of_a_page(http_error(429, **{"Retry-After": "7"})))
    assert (many.reason, many.is_block, many.retry_after) == ("rate_limited", False, 7)
    assert reason_of(downloading(http_error(429))).retry_after is None


@pytest.mark.parametrize(
    "error",
    [
        http_error(403), http_error(503), TransportError("Name or service not known"),
        IncompleteRead(5, 10), TransportError("host unavailable"), TransportError("timed out"),
    ],
)  # fmt: skip
def test_a_connection_that_fails_is_no_removed_video(error: Exception) -> None:
    assert reason_of(of_a_page(error)).reason == "network"
    assert reason_of(downloading(error)).reason == "network"


def test_a_class_of_yt_dlp_counts_where_the_words_say_nothing() -> None:
    assert reason_of(downloading(GeoRestrictedError("Not here"))).reason == "region_blocked"


def test_the_letters_of_a_youtube_id_are_no_words_of_the_site() -> None:
    error = ExtractorError("Video unavailable", expected=True, video_id="a1DrM_2xY-z")
    shown = DownloadError(f"ERROR: [youtube] a1DrM_2xY-z: {error}", (type(error), error, None))
    assert reason_of(shown).reason == "removed"


def test_an_error_that_was_raised_in_another_is_seen() -> None:
    error = DownloadError("ERROR: something")
    error.__context__ = http_error(429)
    assert reason_of(error).reason == "rate_limited"


def test_a_fault_of_yt_dlp_itself_is_told_apart() -> None:
    found = reason_of(KeyError("streamingData"))
    assert (found.reason, found.words) == ("fetch_failed", "'streamingData'")


def test_the_words_are_one_short_line_without_decorations_and_secrets() -> None:
    assert tidy("ERROR: [youtube] abc: Video\n unavailable") == "Video unavailable"
    assert tidy("no luck; please report this issue on  https://github.com/x?y=1") == "no luck"
    assert "me" not in tidy("cannot reach http://me:secret@proxy.example:1")
    assert len(tidy("x" * 999)) == MAX_WORDS


def test_yt_dlps_advice_on_its_own_options_is_left_out() -> None:
    error = DownloadError("Not in your country\nYou might want to use a VPN", None)
    error.__context__ = GeoRestrictedError("Not in your country")
    assert reason_of(error).words == "Not in your country"
    hint = (
        ". Use --cookies-from-browser or --cookies for the authentication. See  https://x/FAQ  for "
        "how to manually pass cookies. Also see  https://x/y  for tips"
    )
    delay = ". The session has been rate-limited by YouTube for up to an hour"
    to_sleep = ". It is recommended to use `-t sleep` to add a delay between video requests"
    for said, advice in (("Confirm you're not a bot", hint), (f"Try again later{delay}", to_sleep)):
        assert reason_of(downloading(ExtractorError(said + advice))).words == said


@pytest.mark.parametrize("reason", FINAL)
def test_a_final_answer_is_not_asked_for_again_unless_told_to(reason: str) -> None:
    assert is_answer("missing", reason, None)
    assert not may_ask("missing", reason, None, again=False)
    assert may_ask("missing", reason, None, again=True)


@pytest.mark.parametrize("reason", [*PASSING, "no_file"])
def test_what_may_pass_is_asked_for_again(reason: str) -> None:
    assert may_ask("missing", reason, None, again=False)
    assert is_answer("missing", reason, None) == (reason != "no_file")


def test_a_fetched_video_that_gave_no_clip_is_an_answer_and_another_file_is_not() -> None:
    fetched = f"{WATCH}abc"
    assert is_answer("failed", "outside_video", fetched)
    assert not may_ask("failed", "outside_video", fetched, again=False)
    assert may_ask("failed", "outside_video", fetched, again=True)
    assert may_ask("failed", "timeout", fetched, again=False)
    assert not is_answer("failed", "not_a_video", "/videos/abc.mp4")
    assert not may_ask("failed", "not_a_video", "/videos/abc.mp4", again=True)
    assert not may_ask("resized", None, fetched, again=True)
