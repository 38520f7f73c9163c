"""Charts as SVG for a page: drawn by pygal, coloured by the page's style sheet."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

import pygal
from markupsafe import Markup
from pygal.style import Style

from beam_pipeline.privacy import printable


class Chart(NamedTuple):
    """A chart with the numbers behind it.

    ``rows`` are a name and the number of each series, named by ``columns`` of which the first
    is that of the names. ``note`` says what the bars leave out.
    """

    title: str
    svg: Markup
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str | None = None


BAR_HEIGHT = 24
"""Pixels from bar to bar."""

WIDTH = 400
MARGINS = 12
"""Pixels above and below the bars."""

LEGEND_HEIGHT = 56
"""Pixels for the numbers of the axis and the legend."""

LONGEST_NAME = 26
"""Letters of a bar's name that are shown; the table has all of them."""

_STYLE = Style(
    background="transparent", plot_background="transparent", font_family="inherit",
    label_font_size=12, major_label_font_size=12, value_font_size=12, legend_font_size=12,
)  # fmt: skip


def bars(
    title: str,
    name_of_bars: str,
    counts: Sequence[tuple[str, int]],
    what: str = "clips",
    note: str | None = None,
) -> Chart:
    """A bar for each name, from the top down."""
    return stacked(title, name_of_bars, {name: (n,) for name, n in counts}, (what,), note)


def stacked(
    title: str,
    name_of_bars: str,
    counts: Mapping[str, Sequence[int]],
    series: Sequence[str],
    note: str | None = None,
) -> Chart:
    """A bar for each name, with a part for each series."""
    several = len(series) > 1
    chart = (pygal.HorizontalStackedBar if several else pygal.HorizontalBar)(
        style=_STYLE, css=[], js=[], no_prefix=True, disable_xml_declaration=True,
        width=WIDTH, height=BAR_HEIGHT * len(counts) + MARGINS + LEGEND_HEIGHT * several,
        margin=6, margin_right=48, spacing=8, show_legend=several, legend_at_bottom=True,
        legend_box_size=10, legend_at_bottom_columns=len(series),
        print_values=not several, print_values_position="top",
        truncate_legend=-1, max_scale=5, min_scale=2, show_x_labels=several,
        show_x_guides=several, show_y_guides=False, formatter=_short, value_formatter=_short,
        range=_range(counts.values()),
    )  # fmt: skip
    upwards = list(reversed(list(counts.items())))
    chart.x_labels = [_shortened(printable(name)) for name, _ in upwards]
    for number, name in enumerate(series):
        chart.add(name, [values[number] for _, values in upwards])
    rows = [
        (printable(name), *(f"{value:,}" for value in values)) for name, values in counts.items()
    ]
    return Chart(title, _svg(chart), (name_of_bars, *series), rows, note)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _range(values: Iterable[Sequence[int]]) -> tuple[int, int]:
    highest = max((sum(each) for each in values), default=0)
    return 0, max(highest, 1)


def _short(value: float) -> str:
    """A number for a bar or an axis.

    >>> [_short(value) for value in (950, 12_345, 3_400_000, 0.5)]
    ['950', '12.3k', '3.4M', '']
    """
    if value != int(value):
        return ""  # of an axis: there are no half clips
    for unit, size in (("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e6 if unit == 'M' else 1e3):.3g}{unit}"
    return f"{int(value):,}"


def _svg(chart: pygal.graph.graph.Graph) -> Markup:
    """The drawing alone: without style, script and what the script needs, for the page has none."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        for name in ("id", "style"):
            parent.attrib.pop(name, None)  # ids would be those of other charts too
        for child in list(parent):
            # A comment has a function for a tag. Titles say the numbers of an axis once more.
            is_unused = child.tag in ("defs", "title", "desc") or not isinstance(child.tag, str)
            if is_unused or "tooltip-overlay" in child.get("class", ""):
                parent.remove(child)
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))
