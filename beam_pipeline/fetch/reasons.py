"""Why a video cannot be had: one word of a closed set for each answer of the site."""

import re
from collections.abc import Iterator
from typing import Literal, get_args

from beam_pipeline.privacy import one_line

FinalReason = Literal["private", "removed", "region_blocked", "age_restricted", "no_format"]
PassingReason = Literal["rate_limited", "network", "fetch_failed"]
Unavailability = FinalReason | PassingReason

FINAL: tuple[str, ...] = get_args(FinalReason)
"""What will be the same tomorrow: not asked again unless the user says so."""

PASSING: tuple[str, ...] = get_args(PassingReason)
"""What is worth another try. ``fetch_failed`` is what yt-dlp did not understand: a newer may, or
one with a JavaScript runtime."""

NOT_ASKED = "no_file"
"""The reason of a missing clip that nobody has asked the site for."""

_UNSETTLED = ("timeout", "crashed", "unreadable")
"""Reasons of a video that was fetched and gave no clip, which may be otherwise the next time."""

WATCH = "https://www.youtube.com/watch?v="
"""What the public address of every video begins with."""

MAX_WORDS = 300
"""Characters of the site's own words in a row."""

_ADVICE = ("; please report this issue on ", r"\.? Use --\w", r"\.? It is recommended to use ")
"""What begins yt-dlp's own advice, with the options of its command, at the end of an answer."""

_NOT_A_BOT = r"not a bot|captcha"
_TOO_MANY = r"rate.?limit|try again later|too many requests|HTTP Error 429"

_WORDS: tuple[tuple[Unavailability, tuple[str, ...]], ...] = (
    ("rate_limited", (_NOT_A_BOT, _TOO_MANY)),
    (
        "region_blocked",
        ("(in|from) your (country|location|region)", "geo.?restrict", "blocked it (in|on)"),
    ),
    (
        "age_restricted",
        ("confirm your age", "age.?restrict", "age.?verif", "inappropriate for some"),
    ),
    (
        "private",
        ("private", "members.?only", "join this channel", "requires payment", "to .*members"),
    ),
    (
        # What blames yt-dlp, or what it lacks, such as a JavaScript runtime: no video is at fault.
        "fetch_failed",
        (
            "no video formats", "requested format is not available", "only images are available",
            "on this app", "latest version of youtube", "content (isn't|is not) available",
            "on other websites", r"error code: \d", "needs to be reloaded",
        ),
    ),
    (
        "no_format",
        (r"\bdrm\b", "premieres? in", "live event", "is offline", "is live"),
    ),
    (
        "removed",
        (
            "unavailable", "removed", "deleted", "no longer available", "terminated", "copyright",
            "(isn't|not) available", "does(n't| not) exist", "violat", "incomplete youtube id",
        ),
    ),
    (
        "network",
        (
            "timed? ?out", "connection", "unable to download", r"HTTP Error [45]\d\d",
            "incomplete ?read", "more expected", "resolve", "unreachable", "proxy",
            "did not get any data",
        ),
    ),
)  # fmt: skip
"""The first that fits counts: many answers begin with the words of a more general one."""


class Unavailable(Exception):
    """A video cannot be had.

    Attributes:
        reason: one of ``FINAL`` or ``PASSING``.
        words: what the site or yt-dlp said, in one line.
        is_block: whether every other video would get the same answer for hours.
        retry_after: seconds that the site asks to wait, None if it does not say.
    """

    def __init__(
        self,
        reason: Unavailability,
        words: str,
        is_block: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason, words)
        self.reason = reason
        self.words = words
        self.is_block = is_block
        self.retry_after = retry_after


def is_answer(status: str, reason: str | None, source: str | None) -> bool:
    """Whether a row tells what came of asking the site for a clip that was not made."""
    if status == "missing":
        return reason in FINAL or reason in PASSING
    return status == "failed" and (source or "").startswith(WATCH)


def may_ask(status: str, reason: str | None, source: str | None, again: bool) -> bool:
    """Whether the site is asked for the clip of a row; ``again`` if also after a final answer."""
    if status == "missing" and reason == NOT_ASKED:
        return True
    if not is_answer(status, reason, source):
        return False
    return again or reason in PASSING or reason in _UNSETTLED


def reason_of(error: BaseException) -> Unavailable:
    """What an error of yt-dlp means.

    Its classes tell the least, the site's words the most. An error may have others inside: the
    last is the cause, such as a broken connection.
    """
    errors = list(with_causes(error))
    # An extractor's own words stand without yt-dlp's advice, which names options of its command.
    own = [each for each in errors if getattr(each, "orig_msg", None)]
    words = tidy(next(filter(None, map(_said, own + errors)), type(error).__name__))
    everything = " ".join(filter(None, map(_said, errors))).replace("\u2019", "'")
    statuses = {getattr(each, "status", None) for each in errors}
    names = {name.__name__ for each in errors for name in type(each).__mro__}
    if 429 in statuses or re.search(f"{_NOT_A_BOT}|{_TOO_MANY}", everything, re.IGNORECASE):
        is_block = bool(re.search(f"{_NOT_A_BOT}|rate.?limited by", everything, re.IGNORECASE))
        return Unavailable("rate_limited", words, is_block, _retry_after(errors))
    if "GeoRestrictedError" in names:
        return Unavailable("region_blocked", words)
    is_transport = {"TransportError", "HTTPError"} & names
    for reason, patterns in _WORDS:
        # Words of a transport are those of machines: "host unavailable" is no removed video.
        if is_transport and reason in FINAL and not _is_from_site(errors):
            continue
        if re.search("|".join(patterns), everything, re.IGNORECASE):
            return Unavailable(reason, words)
    if is_transport or any(isinstance(each, OSError) for each in errors):
        return Unavailable("network", words)
    return Unavailable("fetch_failed", words)


def tidy(words: str) -> str:
    """Words of the site as one line without secrets and yt-dlp's own decorations."""
    line = re.sub(r"^(ERROR: *)?(\[[\w:+.-]+\] *)?([\w-]+: )?", "", one_line(words), count=1)
    line = re.sub(rf"({'|'.join(_ADVICE)}).*$", "", line)
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 3] + "..."


def with_causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those it came of, each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inside = getattr(each, "exc_info", None) or (None, None, None)
        cause = getattr(each, "cause", None)
        waiting += [inside[1], cause if isinstance(cause, BaseException) else None]
        waiting += [each.__cause__, each.__context__]


def _said(error: BaseException) -> str:
    """What an error says: an extractor's own words without yt-dlp's advice, else its message."""
    return str(getattr(error, "orig_msg", None) or error)


def _is_from_site(errors: list[BaseException]) -> bool:
    """Whether an extractor reports what a page said, not what a connection did."""
    return any(
        hasattr(each, "orig_msg") and getattr(each, "cause", None) is None for each in errors
    )


def _retry_after(errors: list[BaseException]) -> float | None:
    for each in errors:
        headers = getattr(getattr(each, "response", None), "headers", None) or {}
        text = str(headers.get("Retry-After") or "")
        if text.isdecimal():
            return float(text)
    return None
