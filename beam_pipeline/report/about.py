"""What a page tells of an output in words: the numbers at its top, and what the run did."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rich.filesize import decimal

from beam_pipeline.elements import ALL, LISTED, NOT_MADE
from beam_pipeline.output.list_formats import WEBDATASET
from beam_pipeline.privacy import public_address
from beam_pipeline.progress.state import counted
from beam_pipeline.report.facts import Facts


class About(NamedTuple):
    """What is told of an output beside its manifests.

    ``summary`` is that of the last finished run, None if there is none; ``label_ids`` the ids of
    the classes; ``mark`` the beginning of the page, by which it is known again.
    """

    root: str
    summary: Mapping[str, Any] | None
    label_ids: Mapping[str, Any]
    mark: str


def list_in(summary: Mapping[str, Any] | None, name: str) -> list[str]:
    """The texts of a list in a summary; none where something else stands."""
    found = (summary or {}).get(name)
    return [str(each) for each in found] if isinstance(found, list) else []


def dict_in(summary: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """An object in a summary; an empty one where something else stands."""
    found = (summary or {}).get(name)
    return found if isinstance(found, dict) else {}


def percent(part: int, whole: int) -> str:
    """A share as text. 100 % is only said of all, and 0 % of none.

    >>> percent(2, 3), percent(29_999, 30_000), percent(3, 3), percent(1, 30_000), percent(0, 0)
    ('66.7 %', '99.9 %', '100 %', '< 0.1 %', '-')
    """
    if not whole:
        return "-"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    share = 100 * part / whole
    if share < 0.05:
        return "< 0.1 %"
    return f"{min(share, 99.9) if part < whole else share:.1f} %"


def total_of(facts: Facts) -> Counter[str]:
    """The number of rows by status, and in all: ``annotated``, and ``there`` with a file."""
    total = sum(facts.statuses.values(), Counter[str]())
    return Counter(
        {**total, "annotated": total.total(), "there": sum(total[each] for each in LISTED)}
    )


class Figure(NamedTuple):
    """A number at the top of the page, and what it counts."""

    value: str
    what: str
    more: str = ""


def figures_of(about: About, facts: Facts) -> Iterator[Figure]:
    """The numbers at the top of the page."""
    total = total_of(facts)
    annotated = "annotated" if ALL not in facts.statuses else "found"
    yield Figure(
        percent(total["there"], total["annotated"]),
        f"of the {annotated} clips are there",
        f"{total['there']:,} of {total['annotated']:,}",
    )
    for status in NOT_MADE:
        if total[status]:
            share = percent(total[status], total["annotated"])
            yield Figure(f"{total[status]:,}", status, f"{share} of all")
    if facts.excluded:
        yield Figure(f"{facts.excluded:,}", "excluded", "by --exclude_annotations, in no share")
    if facts.damaged.count:
        more = "made all the same"
        yield Figure(f"{facts.damaged.count:,}", "of damaged files", more)
    if facts.seconds:
        mean = facts.seconds / max(total["there"], 1)
        yield Figure(_hours(facts.seconds), "of video", f"{mean:,.1f} s a clip")
    if facts.bytes:
        more = f"from {decimal(facts.source_bytes)}" if facts.source_bytes else ""
        yield Figure(decimal(facts.bytes), "of clips", more)
    elif facts.source_bytes:
        yield Figure(decimal(facts.source_bytes), "of videos, listed as they are")
    if classes := number_of_classes(about):
        yield Figure(f"{classes:,}", "class" if classes == 1 else "classes")


def _hours(seconds: float) -> str:
    """Seconds as a short text.

    >>> _hours(21), _hours(5400), _hours(5_000_000)
    ('21.0 s', '1.5 h', '1,389 h')
    """
    hours = seconds / 3600
    if hours < 1:
        return _duration(seconds)
    return f"{hours:,.1f} h" if hours < 100 else f"{hours:,.0f} h"


def number_of_classes(about: About) -> int:
    """The number of classes, 0 if it is not known."""
    stated = (about.summary or {}).get("classes")
    return len(about.label_ids) or (stated if isinstance(stated, int) else 0)


def about_the_run(about: About, facts: Facts) -> Iterator[tuple[str, str]]:
    """What was done, as terms and texts."""
    summary = about.summary or {}
    yield "output", public_address(about.root)
    for term, key in (("finished", "date"), ("command", "command")):
        if summary.get(key):
            yield term, day(str(summary[key])) if key == "date" else str(summary[key])
    if isinstance(duration := summary.get("duration"), int | float):
        yield "time taken", _duration(duration)
    inputs = dict_in(summary, "inputs")
    for term in ("annotations", "videos"):
        if found := list_in(inputs, term):
            yield term, ", ".join(found)
    yield "sources of the clips", decimal(facts.source_bytes)
    if facts.bytes:
        yield "clips", decimal(facts.bytes)
    if isinstance(fetched := dict_in(summary, "fetch").get("fetched"), int) and fetched:
        yield "fetched from YouTube", counted(fetched, "clip")
    if packed := shards_of(summary):
        yield (
            "WebDataset shards",
            ", ".join(
                f"{split} {shards:,} ({decimal(size)})" for split, (shards, size) in packed.items()
            ),
        )
    settings = dict_in(summary, "settings")
    if stated := {key: value for key, value in settings.items() if value not in (None, "", [])}:
        yield "settings", ", ".join(f"{key} {_setting(stated[key])}" for key in stated)
    versions = dict_in(summary, "versions")
    if versions:
        yield "versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    for term, key in (
        ("fingerprint", "fingerprint"),
        ("membership fingerprint", "membership_fingerprint"),
    ):
        if summary.get(key):
            yield term, str(summary[key])
    for term, key in (("files that match no annotation", "unannotated"), ("retries", "retries")):
        if isinstance(count := summary.get(key), int) and count:
            yield term, f"{count:,}"


def shards_of(summary: Mapping[str, Any] | None) -> dict[str, tuple[int, int]]:
    """The number of WebDataset shards and their bytes, by split; splits without any are left out.

    >>> shards_of({"webdataset": {"train": {"shards": 2, "bytes": 5}, "val": {"shards": 0}}})
    {'train': (2, 5)}
    """
    packed = dict_in(summary, WEBDATASET)
    found = {}
    for split in packed:
        shards, size = (dict_in(packed, split).get(each) for each in ("shards", "bytes"))
        if isinstance(shards, int) and isinstance(size, int) and shards:
            found[split] = shards, size
    return found


def day(date: str) -> str:
    """A date as people read it.

    >>> day("2026-11-29T13:56:07+00:00")
    '2026-11-29 13:56:07 UTC'
    """
    return date.replace("T", " ").replace("+00:00", " UTC")


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if str(value).strip() else repr(value)


def _duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> _duration(4.2), _duration(200), _duration(90_061)
    ('4.2 s', '3 min 20 s', '25 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {int(seconds) % 60} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
