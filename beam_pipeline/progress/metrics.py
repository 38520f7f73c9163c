"""Beam metrics of a run, for every runner's console and for the live line.

Namespace ``work`` counts clips as they are processed. A clip may count more than once: if it is
in several archives, or if a worker dies and its clips are processed again. Namespace ``clips``
counts each row of the manifest once.
"""

from collections import Counter
from collections.abc import Iterable

from apache_beam.metrics import Metrics
from apache_beam.metrics.metric import MetricResults, MetricsFilter

from beam_pipeline.elements import Row
from beam_pipeline.progress.counts import LOCAL_COUNTS, Counts
from beam_pipeline.progress.events import log_row

WORK, CLIPS = "work", "clips"

PLANNED = "planned"
_PLANNED = Metrics.counter(WORK, PLANNED)  # created once: it is incremented for every clip


def count_planned(clip_id: str | None = None) -> None:
    """Count one more clip to make; here, one with an id not again after it has failed."""
    LOCAL_COUNTS.plan(clip_id)
    _PLANNED.inc()  # always: so does each failure, and a worker may outlive a job


def count_finished(row: Row, cpu_seconds: float | None, shares_source: bool = False) -> None:
    """Count a finished clip and its processor time in seconds (None if unknown).

    The bytes of a source that it shares are counted with another clip.
    """
    bytes_in = 0 if shares_source else row.source_bytes or 0
    LOCAL_COUNTS.finish(row, bytes_in)
    log_row(row)
    if row.is_damaged:
        Metrics.counter(WORK, "damaged").inc()
    for name in _counter_names(row):
        Metrics.counter(WORK, name).inc()
    Metrics.counter(WORK, "bytes_in").inc(bytes_in)
    Metrics.counter(WORK, "bytes_out").inc(row.bytes or 0)
    if cpu_seconds is not None:
        Metrics.distribution(WORK, "cpu_ms").update(round(cpu_seconds * 1000))
    if row.frames is not None:
        Metrics.distribution(WORK, "frames").update(row.frames)


def count_retries(times: int) -> None:
    """Add to the number of storage retries."""
    Metrics.counter(WORK, "retries").inc(times)


def count_rows(rows: Iterable[Row]) -> None:
    """Count rows of the manifest."""
    for name, count in Counter(name for row in rows for name in _counter_names(row)).items():
        Metrics.counter(CLIPS, name).inc(count)


def _counter_names(row: Row) -> list[str]:
    """The counters for a row: its status, and ``failed_<reason>`` if it failed."""
    return [row.status] if row.status != "failed" else [row.status, f"failed_{row.reason}"]


def update_counts(metrics: MetricResults, counts: Counts) -> None:
    """Set the counts from the metrics of a remote run."""
    work = Counter[str]()
    for result in metrics.query(MetricsFilter().with_namespace(WORK))["counters"]:
        work[result.key.metric.name] += result.result or 0
    set_counts(work, counts)


def set_counts(work: Counter[str], counts: Counts) -> None:
    """Set the counts from the counters in namespace ``work``, by name."""
    succeeded = sum(work[status] for status in ("resized", "copied"))
    counts.set(
        work[PLANNED],
        succeeded,
        work["failed"],
        work["bytes_in"],
        work["bytes_out"],
        work["damaged"],
        work["missing"],
    )
