"""The page: what was counted, put into words, tables and charts."""

import base64
import hashlib
import json
import math
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from rich.filesize import decimal

from beam_pipeline.elements import ALL, LISTED, NOT_MADE
from beam_pipeline.kinetics.published_counts import PUBLISHED_COUNTS, releases_of
from beam_pipeline.output.list_formats import SLOWFAST
from beam_pipeline.privacy import printable, public_address
from beam_pipeline.report.charts import Chart, bars, stacked
from beam_pipeline.report.contact_sheet import ContactSheet
from beam_pipeline.report.facts import ClassCoverage, Facts
from beam_pipeline.report.reasons import advice_for
from beam_pipeline.report.shown_clips import Gallery, ShownClip
from beam_pipeline.report.trainer_configs import Lists, TrainerConfig, trainer_configs


class About(NamedTuple):
    """What is told of an output beside its manifests.

    ``summary`` is that of the last finished run, None if there is none; ``label_ids`` the ids of
    the classes; ``mark`` the beginning of the page, by which it is known again.
    """

    root: str
    summary: Mapping[str, Any] | None
    label_ids: Mapping[str, Any]
    mark: str


def draw_page(about: About, facts: Facts, sheet: ContactSheet | None) -> bytes:
    """The whole page, as UTF-8."""
    script, style = _file("script.js"), _file("style.css")
    template = _environment().from_string(_file("page.html"))
    with_annotations = ALL not in facts.statuses
    text = template.render(
        about=about,
        name=posixpath.basename(public_address(about.root).rstrip("/")) or about.root,
        root=public_address(about.root),
        summary=about.summary or {},
        version=_dict_in(about.summary, "versions").get("beam_pipeline"),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(style),
        facts=facts,
        with_annotations=with_annotations,
        total=total_of(facts),
        figures=list(_figures(about, facts)),
        notes=[*facts.unreadable, *_list_in(about.summary, "warnings")],
        run=list(_about_the_run(about, facts)),
        coverage=_coverage_chart(facts),
        published=list(_published(about, facts)) if with_annotations else [],
        reasons_chart=_reasons_chart(facts),
        unclipped=[(each, advice_for(each.reason)) for each in facts.unclipped()],
        classes=facts.classes() if with_annotations else [],
        classes_chart=_classes_chart(facts.classes()),
        measures=list(_measures(facts)),
        sheet=sheet,
        sheet_jpeg=sheet and base64.b64encode(sheet.jpeg).decode(),
        tiles=sheet and _tiles(sheet, facts),
        sheet_classes=facts.sheet.classes(),
        galleries=list(_galleries(facts)),
        configs=list(_configs(about)) if with_annotations else [],
    )
    return text.encode()


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    """Every text is escaped, and its control characters are made visible."""
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "size": lambda value: decimal(int(value)),
        "link": lambda path: f"./{quote(path)}",
        "seconds": lambda value: f"{value:,.2f} s",
    }
    environment.globals |= {"percent": percent, "LISTED": LISTED}
    return environment


def percent(part: int, whole: int) -> str:
    """A share as text, rounded down: 100 % is only said of all.

    >>> percent(2999, 3000), percent(3, 3), percent(0, 0)
    ('99.9 %', '100 %', '–')
    """
    if not whole:
        return "–"
    share = math.floor(1000 * part / whole) / 10
    return f"{share:g} %"


def total_of(facts: Facts) -> Counter[str]:
    """The number of rows by status, with ``listed_in_all`` and ``annotated`` in all."""
    total = sum(facts.statuses.values(), Counter[str]())
    return Counter(
        {**total, "annotated": total.total(), "there": sum(total[each] for each in LISTED)}
    )


def _list_in(summary: Mapping[str, Any] | None, name: str) -> list[str]:
    found = (summary or {}).get(name)
    return [str(each) for each in found] if isinstance(found, list) else []


def _dict_in(summary: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    found = (summary or {}).get(name)
    return found if isinstance(found, dict) else {}


class Figure(NamedTuple):
    """A number at the top of the page, and what it counts."""

    value: str
    what: str
    more: str = ""


def _figures(about: About, facts: Facts) -> Iterator[Figure]:
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
    if facts.damaged.count:
        more = "made all the same"
        yield Figure(f"{facts.damaged.count:,}", "of damaged files", more)
    if facts.seconds:
        mean = facts.seconds / max(total["there"], 1)
        yield Figure(f"{facts.seconds / 3600:,.2f} h", "of video", f"{mean:,.1f} s a clip")
    if facts.bytes:
        more = f"from {decimal(facts.source_bytes)}" if facts.source_bytes else ""
        yield Figure(decimal(facts.bytes), "of clips", more)
    elif facts.source_bytes:
        yield Figure(decimal(facts.source_bytes), "of videos, listed as they are")
    if classes := _number_of_classes(about):
        yield Figure(f"{classes:,}", "class" if classes == 1 else "classes")


def _number_of_classes(about: About) -> int:
    return len(about.label_ids) or int((about.summary or {}).get("classes") or 0)


def _about_the_run(about: About, facts: Facts) -> Iterator[tuple[str, str]]:
    """What was done, as terms and texts."""
    summary = about.summary or {}
    yield "output", public_address(about.root)
    for term, key in (("finished", "date"), ("command", "command")):
        if summary.get(key):
            yield term, str(summary[key])
    if isinstance(duration := summary.get("duration"), int | float):
        yield "time taken", _duration(duration)
    inputs = _dict_in(summary, "inputs")
    for term in ("annotations", "videos"):
        if found := _list_in(inputs, term):
            yield term, ", ".join(found)
    yield "sources of the clips", decimal(facts.source_bytes)
    if facts.bytes:
        yield "clips", decimal(facts.bytes)
    settings = _dict_in(summary, "settings")
    if stated := {key: value for key, value in settings.items() if value not in (None, "", [])}:
        yield "settings", ", ".join(f"{key} {_setting(stated[key])}" for key in stated)
    versions = _dict_in(summary, "versions")
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


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


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


def _coverage_chart(facts: Facts) -> Chart:
    rows = {}
    for split, statuses in facts.statuses.items():
        there = sum(statuses[status] for status in LISTED)
        made = (there, statuses["missing"], statuses["failed"])
        rows[split] = (*made, statuses.total() - sum(made))
    series = ("there", "missing", "failed", "other")
    used = 4 if any(values[3] for values in rows.values()) else 3
    shown = {split: values[:used] for split, values in rows.items()}
    return stacked("Clips by split", "split", shown, series[:used])


class Published(NamedTuple):
    """How much of a release an output holds, by one count: texts for each split."""

    release: str
    counted: str
    splits: list[tuple[str, str]]


def _published(about: About, facts: Facts) -> Iterator[Published]:
    """The output beside each published count of its release; nothing of a part of a data set."""
    settings = _dict_in(about.summary, "settings")
    if settings.get("limit") is not None or settings.get("classes") is not None:
        return
    releases = releases_of(
        settings.get("dataset"), settings.get("label_map"), frozenset(about.label_ids)
    )
    for release in releases:
        for each in PUBLISHED_COUNTS[release]:
            stated = {"train": each.train, "val": each.val, "test": each.test}
            splits = []
            for split, statuses in facts.statuses.items():
                count = stated.get(split)
                there = sum(statuses[status] for status in LISTED)
                splits.append(("–", "–") if count is None else (f"{count:,}", percent(there, count)))
            yield Published(release, each.counted, splits)


def _reasons_chart(facts: Facts) -> Chart | None:
    counts = [(each.reason or each.status, each.count) for each in facts.unclipped()]
    return bars("Clips without a file, by reason", "reason", counts) if counts else None


CHART_BARS = 14
"""Bars of a chart of words; the rest is one bar."""


def _classes_chart(classes: Sequence[ClassCoverage]) -> Chart | None:
    """The number of classes by coverage."""
    if len(classes) < 2:
        return None
    counts = Counter(min(int(each.coverage * 10), 9) if each.listed < each.annotated else 10
                     for each in classes)  # fmt: skip
    names = [f"{10 * number} to {10 * number + 10} %" for number in range(10)] + ["100 %"]
    first = min(counts)
    rows = [(names[number], counts[number]) for number in range(10, first - 1, -1)]
    return bars("Classes by coverage", "coverage", rows, "classes")


def _measures(facts: Facts) -> Iterator[Chart]:
    """How measures of clips and sources are spread, where something is known of them."""
    for histogram in facts.histograms:
        if histogram.known:
            unit = histogram.measure.unit
            unknown = f"not known of {histogram.unknown:,} clips" if histogram.unknown else None
            yield bars(f"{histogram.measure.title}, {unit}", unit, histogram.bins(), note=unknown)
    codecs = Counter({str(name): n for name, n in facts.codecs.items() if name is not None})
    if codecs:
        common = codecs.most_common(CHART_BARS)
        if rest := codecs.total() - sum(count for _, count in common):
            common.append(("others", rest))
        yield bars("Codec of the sources", "codec", common, note=_not_known(facts.codecs))
    sound = [("with sound", facts.sound[True]), ("without", facts.sound[False])]
    if facts.sound[True] or facts.sound[False]:
        yield bars("Sound of the clips", "sound", sound, note=_not_known(facts.sound))


def _not_known(counts: Counter[Any]) -> str | None:
    return f"not known of {counts[None]:,} clips" if counts[None] else None


def _tiles(sheet: ContactSheet, facts: Facts) -> Markup:
    """Where each clip's picture is, as JSON, from which a later run takes pictures again."""
    checksums = {clip.clip_id: clip.sha256 for clip in pictured_clips(facts)}
    at = {
        clip_id: [left, top, (checksums.get(clip_id) or "")[:12]]
        for clip_id, (left, top) in sheet.tiles.items()
    }
    text = json.dumps({"width": sheet.tile_width, "height": sheet.tile_height, "at": at})
    return Markup(text.replace("<", "\\u003c"))


def pictured_clips(facts: Facts) -> list[ShownClip]:
    """The clips of which the page shows a picture: the contact sheet, then the galleries."""
    of_classes = [clip for _, clips in facts.sheet.classes() for clip in clips]
    galleries = (facts.damaged, facts.very_short, facts.upscaled)
    return of_classes + [clip for gallery in galleries for _, clip in gallery.clips]


class ShownGallery(NamedTuple):
    """A gallery with its title, and what its clips are."""

    anchor: str
    title: str
    text: str
    gallery: Gallery


def _galleries(facts: Facts) -> Iterator[ShownGallery]:
    yield ShownGallery(
        "damaged",
        "Damaged clips",
        "Made of damaged files: most decode errors first. damaged.csv has them all.",
        facts.damaged,
    )
    yield ShownGallery(
        "very-short",
        "Very short clips",
        "Shorter than half of their annotated time, or than 1 s where none is annotated: the "
        "shortest first.",
        facts.very_short,
    )
    yield ShownGallery(
        "upscaled",
        "Upscaled clips",
        "Larger than their source: the smallest source first. --upscale false keeps their size.",
        facts.upscaled,
    )


def _configs(about: About) -> Iterator[TrainerConfig]:
    settings = _dict_in(about.summary, "settings")
    classes = _number_of_classes(about)
    if not settings or not classes:
        return
    prefix, edge = settings.get("path_prefix"), settings.get("short_edge")
    recorded = {name.split("/")[1] for name in _dict_in(about.summary, "lists") if "/" in name}
    yield from trainer_configs(
        Lists(
            root=public_address(about.root),
            prefix=prefix if isinstance(prefix, str) else None,
            separator=str(settings.get("separator") or " "),
            formats={SLOWFAST, *recorded, *_list_in(settings, "list_format")},
            classes=classes,
            short_edge=edge if isinstance(edge, int) else None,
        )
    )
