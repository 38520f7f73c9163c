"""What happens in a run, told to Python's logging: to the log file, and to ``--verbose``.

On a cluster these messages are in the logs of its workers, where they are made.
"""

import logging

from beam_pipeline.elements import LISTED, Row
from beam_pipeline.privacy import one_line

LOGGER = "beam_pipeline"
"""Every logger of this program is below it."""

_logger = logging.getLogger(__name__)

_told: dict[str, str] = {}
"""Clips of this run that were told to have failed or to be damaged, by id: which of the two."""


def log_row(row: Row) -> None:
    """Tell of a clip that failed, or that was made from a damaged source; of no other.

    But of a clip that failed from one source and was then made from another, it tells that too.
    """
    if row.status == "failed" or row.is_damaged:
        log_clip("failed" if row.status == "failed" else "damaged", row._asdict())
    elif row.status in LISTED and _told.get(row.clip_id) == "failed":
        _logger.info("%s", one_line(f"made after all {row.clip_id}: source {row.source}"))


def log_clip(what: str, row: dict[str, object]) -> None:
    """Tell of a clip, with the columns of its row. Empty columns are left out."""
    _told[str(row["clip_id"])] = what
    said = [f"{name} {row[name]}" for name in ("reason", "detail", "source") if row.get(name)]
    if row.get("decode_errors") and not row.get("detail"):
        said.append(f"decode errors {row['decode_errors']}")
    _logger.warning("%s", one_line(f"{what} {row['clip_id']}: {', '.join(said)}"))


def was_told(clip_id: str) -> bool:
    """Whether this process has told of the clip since ``forget``."""
    return clip_id in _told


def forget() -> None:
    """Begin with a new run."""
    _told.clear()
