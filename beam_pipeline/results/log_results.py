"""Tell the log of a run what it has ended with."""

import csv
import io
import logging
from typing import Any

from beam_pipeline.config import Config
from beam_pipeline.progress.counts import Counts
from beam_pipeline.progress.events import log_clip, was_told
from beam_pipeline.progress.state import ended_state, line_of
from beam_pipeline.results.ratios import total_of
from beam_pipeline.storage import files

_logger = logging.getLogger(__name__)


def log_results(
    summary: dict[str, Any] | None, config: Config, counts: Counts, with_clips: bool = True
) -> None:
    """Log the last counts, the clips that were not told yet, the notes, and the totals.

    Clips that never got to be made, such as ambiguous ones, are told here. So are all of those
    that were made on other machines. Not so unless ``with_clips``, where what was not told yet is
    of earlier runs. ``summary`` is None after a part (``--shard``).
    """
    if not _logger.isEnabledFor(logging.INFO):
        return
    if counts.tasks:
        _logger.info("%s", line_of(ended_state(counts)))
    if summary is None:
        _logger.info("part %s is done", config.shard)
        return
    if with_clips:
        for what in ("failed", "damaged"):
            _log_table(what, config)
    for note in summary["warnings"]:
        _logger.info("note: %s", note)
    total = total_of(summary, config.splits)
    _logger.info("clips: %s", ", ".join(f"{count:,} {name}" for name, count in total.items()))


def _log_table(what: str, config: Config) -> None:
    """Log rows of failed.csv or damaged.csv that are of this run and were not told yet."""
    path = config.output.url(f"{what}.csv")
    try:
        text = files.read(path).decode()
    except OSError as error:
        _logger.warning("%s cannot be read: %s", path, error.strerror or error)
        return
    for row in csv.DictReader(io.StringIO(text, newline="")):
        asked = row["split"] in config.splits and row["status"] != "reused"
        if asked and not was_told(row["clip_id"]):
            log_clip(what, {**row})
