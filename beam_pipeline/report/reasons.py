"""What each reason for a clip without a file means, and what helps.

docs/troubleshooting.md has the same words with the same marks, and a test compares them.
"""

import re
from typing import NamedTuple


class Advice(NamedTuple):
    """What a reason means, and what helps against it."""

    meaning: str
    helps: str


ADVICE: dict[str, Advice] = {
    "no_file": Advice(
        "the clip is `missing`: no file has its name; `detail` says so if an archive "
        "could not be read completely",
        "[fetch the clip](youtube.md)",
    ),
    "private": Advice(
        "`missing`: YouTube says that the video is private",
        "not asked again, see [what cannot be had](youtube.md#what-cannot-be-had)",
    ),
    "removed": Advice(
        "`missing`: YouTube says that the video is gone",
        "not asked again, see [what cannot be had](youtube.md#what-cannot-be-had)",
    ),
    "region_blocked": Advice(
        "`missing`: YouTube does not show the video in this country",
        "`--fetch_again` with a `--proxy` elsewhere",
    ),
    "age_restricted": Advice(
        "`missing`: YouTube wants a login of age",
        "`--fetch_again` with `--cookies`",
    ),
    "no_format": Advice(
        "`missing`: the video is protected (DRM), live, or over 4 GB",
        "not asked again",
    ),
    "rate_limited": Advice(
        "`missing`: YouTube wants fewer requests, or blocks this address",
        "wait some hours, and run the same command again",
    ),
    "network": Advice(
        "`missing`: the connection to YouTube failed, or was too slow",
        "run the same command again",
    ),
    "fetch_failed": Advice(
        "`missing`: yt-dlp did not understand YouTube's answer",
        "get a newer yt-dlp, or a JavaScript runtime",
    ),
    "empty_file": Advice(
        "the file has 0 bytes",
        "fetch it again",
    ),
    "not_a_video": Advice(
        "a web page saved as `.mp4`, random bytes, a playlist",
        "fetch it again",
    ),
    "no_video_stream": Advice(
        "sound only",
        "fetch it again",
    ),
    "undecodable": Advice(
        "there is a video stream, but no picture of it decodes",
        "fetch it again",
    ),
    "truncated": Advice(
        "the file ends early, and less than 90 % of the video decodes",
        "fetch it again",
    ),
    "unreadable": Advice(
        "the storage does not give the file, or gives another one, or too slowly; or an "
        "archive holds it as a sparse file",
        "check its permissions and its disk, and run the same command again; pack the "
        "archive without `--sparse`",
    ),
    "ambiguous": Advice(
        "the file has a bare YouTube id that several clips share",
        "name it `<id>_<start>_<end>`",
    ),
    "conflicting_annotations": Advice(
        "two labels or two splits are stated for the clip",
        "correct the annotations",
    ),
    "outside_video": Advice(
        "the whole video is there, but ends before the clip begins",
        "find another copy",
    ),
    "too_large": Advice(
        "over 8192 pixels on a side, over 2 GB of memory, over 4 GB in an archive or on "
        "a server, or a clip of over 256 MB (4 GB if its source has more than 64 MB)",
        "leave it, or make it smaller",
    ),
    "bad_name": Advice(
        "without annotations: no file in the output can have its name, which is too "
        "long, has control characters, or is that of a folder there",
        "rename it",
    ),
    "timeout": Advice(
        "not done within `--clip_timeout`",
        "raise it, if the file is sound",
    ),
    "crashed": Advice(
        "the codecs crashed on it, or refused it",
        "report it, please",
    ),
}

UNEXPLAINED = Advice("", "read its detail, and docs/troubleshooting.md of the release that made it")
"""For a reason that this release does not know."""


_LINK = re.compile(r"\[([^\]]*)\]\(([^)#]*)[^)]*\)")


def advice_for(reason: str | None) -> Advice:
    """What a reason means, as plain text, and what helps."""
    advice = ADVICE.get(reason or "", UNEXPLAINED)
    return Advice(_plain(advice.meaning), _plain(advice.helps))


def _plain(text: str) -> str:
    """A text without its marks; a link is its words and the page that it leads to.

    >>> _plain("`--a`, see [this](b.md#c)")
    '--a, see this (docs/b.md)'
    """
    return _LINK.sub(r"\1 (docs/\2)", text).replace("`", "")
