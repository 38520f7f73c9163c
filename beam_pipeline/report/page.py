"""The page: what was counted, put into words, tables and charts."""

import base64
import hashlib
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape
from rich.filesize import decimal

from beam_pipeline.elements import ALL, LISTED
from beam_pipeline.kinetics.published_counts import PUBLISHED_COUNTS, releases_of
from beam_pipeline.output.list_formats import SLOWFAST, WEBDATASET
from beam_pipeline.privacy import printable, public_address
from beam_pipeline.report.about import (
    About,
    about_the_run,
    day,
    dict_in,
    figures_of,
    list_in,
    number_of_classes,
    percent,
    shards_of,
    total_of,
)
from beam_pipeline.report.contact_sheet import ContactSheet
from beam_pipeline.report.fact_charts import (
    classes_chart,
    coverage_chart,
    lost_chart,
    measure_charts,
    reasons_chart,
)
from beam_pipeline.report.facts import Facts
from beam_pipeline.report.reasons import advice_for
from beam_pipeline.report.shown_clips import Gallery, ShownClip
from beam_pipeline.report.trainer_configs import Lists, TrainerConfig, trainer_configs


def draw_page(about: About, facts: Facts, sheet: ContactSheet | None) -> bytes:
    """The whole page, as UTF-8."""
    script, style = _file("script.js"), _file("style.css")
    with_annotations = ALL not in facts.statuses
    text = page_template().render(
        about=about,
        name=posixpath.basename(public_address(about.root).rstrip("/")) or about.root,
        root=public_address(about.root),
        summary=about.summary or {},
        version=dict_in(about.summary, "versions").get("beam_pipeline"),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        style=Markup(style),
        facts=facts,
        with_annotations=with_annotations,
        total=total_of(facts),
        figures=list(figures_of(about, facts)),
        notes=list(_notes(about, facts)),
        run=list(about_the_run(about, facts)),
        coverage=coverage_chart(facts),
        published=list(_published(about, facts)) if with_annotations else [],
        reasons_chart=reasons_chart(facts),
        lost_chart=lost_chart(dict_in(about.summary, "fetch")),
        unclipped=[(each, advice_for(each.reason)) for each in facts.unclipped()],
        classes=facts.classes() if with_annotations else [],
        classes_chart=classes_chart(facts.classes()),
        measures=list(measure_charts(facts)),
        sheet=sheet,
        sheet_jpeg=sheet and base64.b64encode(sheet.jpeg).decode(),
        tiles=sheet and Markup(sheet.places_json()),
        sheet_classes=facts.sheet.classes(),
        galleries=list(_galleries(facts)),
        configs=[
            each._replace(text=_in_lines(each.text))
            for each in (_configs(about) if with_annotations else ())
        ],
    )
    return text.encode()


def _notes(about: About, facts: Facts) -> Iterator[str]:
    """What the run noted, and what could not be read but is not among that."""
    noted = list_in(about.summary, "warnings")
    yield from (
        text for text in facts.unreadable if not any(note.startswith(text) for note in noted)
    )
    yield from noted


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _in_lines(text: str) -> Markup:
    """A text whose line breaks stay, and nothing else in it that is not printed."""
    return Markup("\n").join(printable(line) for line in text.split("\n"))


@cache
def page_template() -> Template:
    """The page without its facts: texts are escaped, and their control characters visible."""
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
        "day": day,
        "breakable": breakable,
        "flags": with_flags,
        "seconds": lambda value: f"{value:,.2f} s",
    }
    environment.globals |= {"percent": percent, "LISTED": LISTED}
    return environment.from_string(_file("page.html"))


LONGEST_WHOLE = 16
"""Letters that fit below a picture; a YouTube id has 11."""

_IDENTITY = re.compile(r"(.+)(_[0-9]{6}_[0-9]{6})", re.DOTALL)
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z_]*")


def breakable(clip_id: str) -> Markup:
    """A clip_id that a line breaks before its times, rather than anywhere.

    >>> str(breakable("a-b_000001_000011"))
    '<span class="whole">a-b</span><wbr><span class="whole">_000001_000011</span>'
    """
    identity = _IDENTITY.fullmatch(printable(clip_id))
    if identity is None or len(identity[1]) > LONGEST_WHOLE:
        return escape(printable(clip_id))
    part = Markup('<span class="whole">{}</span>')
    return part.format(identity[1]) + Markup("<wbr>") + part.format(identity[2])


def with_flags(text: str) -> Markup:
    """A text in which no line breaks inside a flag.

    >>> str(with_flags("type --label_map <name>"))
    'type <code class="whole">--label_map</code> &lt;name&gt;'
    """
    marked = str(escape(printable(text)))
    return Markup(_FLAG.sub(r'<code class="whole">\g<0></code>', marked))


def pictured_clips(facts: Facts) -> list[ShownClip]:
    """The clips of which the page shows a picture: the contact sheet, then the galleries."""
    of_classes = [clip for _, clips in facts.sheet.classes() for clip in clips]
    galleries = (facts.damaged, facts.very_short, facts.upscaled)
    return of_classes + [clip for gallery in galleries for _, clip in gallery.clips]


class Published(NamedTuple):
    """How much of a release an output holds, by one count: texts for each split."""

    release: str
    counted: str
    splits: list[tuple[str, str]]


PARTS = ("limit", "limit_per_class", "classes", "exclude_from")
"""Settings that leave clips of a data set out."""


def _published(about: About, facts: Facts) -> Iterator[Published]:
    """The output beside each published count of its release; nothing of a part of a data set.

    A part by splits is compared: each split has a count of its own.
    """
    settings = dict_in(about.summary, "settings")
    excluded = dict_in(about.summary, "inputs").get("exclude_annotations")
    if excluded or any(settings.get(each) not in (None, []) for each in PARTS):
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
                splits.append(
                    ("-", "-") if count is None else (f"{count:,}", percent(there, count))
                )
            yield Published(release, each.counted, splits)


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
    settings = dict_in(about.summary, "settings")
    classes = number_of_classes(about)
    if not settings or not classes:
        return
    prefix, edge = settings.get("path_prefix"), settings.get("short_edge")
    shards = {split: number for split, (number, _) in shards_of(about.summary).items()}
    recorded = {
        name.split("/")[1] for name in dict_in(about.summary, "lists") if name.startswith("lists/")
    }
    there = {SLOWFAST, *recorded, *list_in(settings, "list_format")} - {WEBDATASET}
    yield from trainer_configs(
        Lists(
            root=public_address(about.root),
            prefix=prefix if isinstance(prefix, str) else None,
            separator=str(settings.get("separator") or " "),
            formats=there | {WEBDATASET} if shards else there,
            classes=classes,
            short_edge=edge if isinstance(edge, int) else None,
            shards=shards,
            has_clips=settings.get("resize") is not False,
        )
    )
