"""What a run shows while it works: in every runner's console, and in the line on this machine.

``work`` counts what is done, as it is done. A clip that is tried in several archives, or again
because a worker died, may count more than once there. ``clips`` counts the rows of the manifest,
each once.
"""

from collections import Counter
from collections.abc import Iterable

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricResults, MetricsFilter

from beam_pipeline.elements import Row
from beam_pipeline.progress.counts import LOCAL, Counts

WORK, CLIPS = "work", "clips"

PLANNED = "planned"
_PLANNED = Metrics.counter(WORK, PLANNED)  # made once: the join counts by the hundred thousand


def count_planned() -> None:
    """One more clip is to be made."""
    LOCAL.plan()
    _PLANNED.inc()


def count_finished(row: Row, cpu_seconds: float | None) -> None:
    """The work on a clip is at its end, after so much processor time; None if nobody knows."""
    LOCAL.finish(row)
    for name in _names(row):
        Metrics.counter(WORK, name).inc()
    Metrics.counter(WORK, "bytes_in").inc(row.source_bytes or 0)
    Metrics.counter(WORK, "bytes_out").inc(row.bytes or 0)
    if cpu_seconds is not None:
        Metrics.distribution(WORK, "cpu_ms").update(round(cpu_seconds * 1000))
    if row.frames is not None:
        Metrics.distribution(WORK, "frames").update(row.frames)


def count_retries(times: int) -> None:
    """Storage was asked again so often."""
    Metrics.counter(WORK, "retries").inc(times)


def count_rows(rows: Iterable[Row]) -> None:
    """Rows as they go into the manifest."""
    for name, count in Counter(name for row in rows for name in _names(row)).items():
        Metrics.counter(CLIPS, name).inc(count)


def _names(row: Row) -> list[str]:
    """A row's status, and where it failed its status with the reason."""
    return [row.status] if row.status != "failed" else [row.status, f"failed_{row.reason}"]


def update_counts(metrics: MetricResults, counts: Counts) -> None:
    """Bring the counts of a run elsewhere up to date."""
    work = Counter[str]()
    for result in metrics.query(MetricsFilter().with_namespace(WORK))["counters"]:
        work[result.key.metric.name] += result.result or 0
    made = sum(work[status] for status in ("resized", "copied"))
    counts.set(work[PLANNED], made, work["failed"])
