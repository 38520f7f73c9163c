"""The charts of a page, from what was counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from beam_pipeline.elements import LISTED, NOT_MADE
from beam_pipeline.progress.state import counted
from beam_pipeline.report.charts import Chart, bars, stacked
from beam_pipeline.report.facts import ClassCoverage, Facts


def coverage_chart(facts: Facts) -> Chart:
    """The clips of each split by what became of them."""
    rows: dict[str, tuple[int, ...]] = {
        split: (sum(statuses[each] for each in LISTED), *(statuses[each] for each in NOT_MADE))
        for split, statuses in facts.statuses.items()
    }
    return stacked("Clips by split", "split", rows, ("there", *NOT_MADE))


def reasons_chart(facts: Facts) -> Chart | None:
    """The clips without a file by reason; None if there are none."""
    counts = [(each.reason or each.status, each.clips) for each in facts.unclipped()]
    return bars("Clips without a file, by reason", "reason", counts) if counts else None


def lost_chart(fetch: Mapping[str, Any]) -> Chart | None:
    """The clips that a site could not give, by year and reason; None if there are none.

    ``fetch`` is that of a summary: its ``years`` have the number of clips for each reason.
    """
    years = fetch.get("years")
    counts = [
        (f"{year}: {reason}", count)
        for year, reasons in sorted(years.items() if isinstance(years, dict) else ())
        for reason, count in sorted(reasons.items() if isinstance(reasons, dict) else ())
        if isinstance(count, int)
    ]
    if not counts:
        return None
    note = "the year is that in which YouTube first said so to a run into this output"
    title = "Clips that YouTube does not give, by year and reason"
    return bars(title, "year and reason", counts, note=note)


CHART_BARS = 14
"""Bars of a chart of words; the rest is one bar."""


def classes_chart(classes: Sequence[ClassCoverage]) -> Chart | None:
    """The number of classes by coverage."""
    if len(classes) < 2:
        return None
    counts = Counter(min(int(each.coverage * 10), 9) if each.listed < each.annotated else 10
                     for each in classes)  # fmt: skip
    names = [f"{10 * number} to {10 * number + 10} %" for number in range(10)] + ["100 %"]
    first = min(counts)
    rows = [(names[number], counts[number]) for number in range(10, first - 1, -1)]
    return bars("Classes by coverage", "coverage", rows, "classes")


def measure_charts(facts: Facts) -> Iterator[Chart]:
    """How measures of clips and sources are spread, where something is known of them."""
    for histogram in facts.histograms:
        if histogram.known:
            unit = histogram.measure.unit
            unknown = _not_known(histogram.unknown)
            yield bars(f"{histogram.measure.title}, {unit}", unit, histogram.bins(), note=unknown)
    codecs = Counter({str(name): n for name, n in facts.codecs.items() if name is not None})
    if codecs:
        common = codecs.most_common(CHART_BARS)
        if rest := codecs.total() - sum(count for _, count in common):
            common.append(("others", rest))
        yield bars("Codec of the sources", "codec", common, note=_not_known(facts.codecs[None]))
    sound = [("with sound", facts.sound[True]), ("without", facts.sound[False])]
    if facts.sound[True] or facts.sound[False]:
        yield bars("Sound of the clips", "sound", sound, note=_not_known(facts.sound[None]))


def _not_known(clips: int) -> str | None:
    return f"not known of {counted(clips, 'clip')}" if clips else None
