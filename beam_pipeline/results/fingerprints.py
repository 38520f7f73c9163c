"""The fingerprints by which two labs see whether they hold the same data set."""

import hashlib
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from beam_pipeline.output import manifest

FINGERPRINT_COLUMNS = ("clip_id", "label_id", "sha256")


class Fingerprints:
    """The fingerprint and the membership fingerprint: SHA-256 over the sorted listed clips.

    A line is ``clip_id label_id sha256``, without the sha256 for membership, ended by a line
    feed. The first is meaningless if clips are listed without resizing: their sha256 is unknown.
    ``clips`` is their number so far.
    """

    def __init__(self) -> None:
        self._content, self._membership = hashlib.sha256(), hashlib.sha256()
        self.clips = 0

    def add(self, listed: pa.Table) -> None:
        """Add all clips of the next range of clip_ids, in any order."""
        self.clips += len(listed)
        if not len(listed):
            return
        order = [(name, "ascending") for name in FINGERPRINT_COLUMNS]
        clip_id, label_id, sha256 = listed.select(FINGERPRINT_COLUMNS).sort_by(order).columns
        label_id = label_id.cast(pa.string())
        self._membership.update(_lines(clip_id, label_id))
        self._content.update(_lines(clip_id, label_id, sha256))

    def hexdigests(self) -> tuple[str, str]:
        """Both, of the clips so far."""
        return self._content.hexdigest(), self._membership.hexdigest()


def _lines(*columns: pa.ChunkedArray) -> bytes:
    """At least one row as text, each a line of the values of these columns."""
    lines = pc.binary_join_element_wise(
        *columns, " ", null_handling="replace", null_replacement="None"
    ).combine_chunks()
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
    text: bytes = whole[0].as_buffer().to_pybytes()
    return text + b"\n"


def fingerprints(listed: Iterable[Iterable[pa.Table]]) -> tuple[str, str]:
    """Both fingerprints of tables of ``FINGERPRINT_COLUMNS``, for each split sorted by clip_id."""
    found = Fingerprints()
    for tables in manifest.in_step(listed, FINGERPRINT_COLUMNS):
        found.add(pa.concat_tables(tables))
    return found.hexdigests()
