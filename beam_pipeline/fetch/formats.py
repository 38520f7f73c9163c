"""Which of a video's formats is fetched: as little as is needed."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Format = Mapping[str, Any]
"""A format as yt-dlp describes it: ``width`` and ``height`` in pixels, ``vcodec`` and ``acodec``
("none" where it has no such stream), ``filesize`` in bytes, ``tbr`` and ``abr`` in kbit/s."""

Streams = dict[Literal["video", "sound"], Format]
"""What is fetched: one format with the pictures, and one with the sound if that one has none."""

PROTOCOLS = ("http", "https", "http_dash_segments", "m3u8_native")
"""What yt-dlp fetches itself, without another program."""

DAMAGED = -10
"""``preference`` at which yt-dlp says that a format is damaged."""

UPSCALED = "-sr"
"""How the ids of formats end that the site has enlarged: their pictures are partly invented."""

ENOUGH_SOUND = 96
"""kbit/s: of formats with sound alone the smallest that has as much, else the largest."""


def choose_formats(formats: Sequence[Format], short_edge: int, with_sound: bool) -> Streams:
    """The formats to fetch for clips with a short edge of so many pixels; empty if none will do.

    The pictures are those with the smallest short edge that reaches ``short_edge``, else the
    largest there is. Of formats with the same short edge, one of standard dynamic range is before
    others, then one with both streams before one without sound, then the one with fewer bytes.
    """
    usable = [each for each in formats if _is_usable(each)]
    pictures = [each for each in usable if each.get("vcodec") != "none"]
    if not pictures:
        return {}
    sizes = {_short_edge(each) for each in pictures}
    size = min((each for each in sizes if each >= short_edge), default=max(sizes))

    def order(each: Format) -> tuple[bool, bool, float, str]:
        is_hdr = each.get("dynamic_range") not in (None, "SDR")
        name = str(each.get("format_id"))
        return is_hdr, with_sound and not _has_sound(each), _bytes(each), name

    video = min((each for each in pictures if _short_edge(each) == size), key=order)
    chosen: Streams = {"video": video}
    if with_sound and not _has_sound(video) and (sound := _choose_sound(usable)):
        chosen["sound"] = sound
    return chosen


def _choose_sound(formats: Sequence[Format]) -> Format | None:
    """The format to fetch for the sound alone, in the video's own language; None if there is none.

    The smallest that is good enough, else the best.
    """
    heard = [each for each in formats if each.get("vcodec") == "none" and _has_sound(each)]
    if not heard:
        return None
    preferred = max(_number(each, "language_preference") for each in heard)
    heard = [each for each in heard if _number(each, "language_preference") == preferred]
    enough = [each for each in heard if _rate(each) >= ENOUGH_SOUND]
    key = _sound_order if enough else lambda each: (-_rate(each), _sound_order(each)[1])
    return min(enough or heard, key=key)


def _sound_order(each: Format) -> tuple[float, str]:
    return _rate(each), str(each.get("format_id"))


def _is_usable(each: Format) -> bool:
    """Whether yt-dlp can fetch a format, and the site did not damage it or enlarge it itself."""
    return (
        not each.get("has_drm")
        and each.get("protocol", "https") in PROTOCOLS
        and _number(each, "preference") > DAMAGED
        and not str(each.get("format_id")).endswith(UPSCALED)
    )


def _has_sound(each: Format) -> bool:
    return each.get("acodec") != "none"


def _short_edge(each: Format) -> float:
    """In pixels, whichever way the picture stands; 0 if it is not known."""
    sides = [each[name] for name in ("width", "height") if each.get(name)]
    return min(sides, default=0)


def _bytes(each: Format) -> float:
    """The size as far as it is known: in bytes, or something that grows with it."""
    known = each.get("filesize") or each.get("filesize_approx")
    return known or _number(each, "tbr") * 125 * 3600


def _rate(each: Format) -> float:
    return _number(each, "abr") or _number(each, "tbr")


def _number(each: Format, name: str) -> float:
    return each.get(name) or 0
