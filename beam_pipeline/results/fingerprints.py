"""The fingerprints by which two labs see whether they hold the same data set."""

import hashlib
import heapq
from collections.abc import Iterable

import pyarrow as pa

from beam_pipeline.output import manifest

FINGERPRINT_COLUMNS = ("clip_id", "label_id", "sha256")


def fingerprints(listed: Iterable[pa.Table]) -> tuple[str, str]:
    """The fingerprint and the membership fingerprint: SHA-256 over the sorted listed clips.

    A line is ``clip_id label_id sha256``, without the sha256 for membership, ended by a line
    feed. The first is meaningless if clips are listed without resizing: their sha256 is unknown.

    Args:
        listed: tables of ``FINGERPRINT_COLUMNS``, each sorted by clip_id.
    """
    content, membership = hashlib.sha256(), hashlib.sha256()
    for clip_id, label_id, sha256 in heapq.merge(*map(manifest.values_of, listed)):
        membership.update(f"{clip_id} {label_id}\n".encode())
        content.update(f"{clip_id} {label_id} {sha256}\n".encode())
    return content.hexdigest(), membership.hexdigest()
