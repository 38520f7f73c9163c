"""How files and folders spell the splits."""

import posixpath
import re

from beam_pipeline.elements import Split
from beam_pipeline.storage import urls

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
}
"""Each spelling, in lower case, and its split."""


def split_named_by(path: str) -> Split | None:
    """The split that the last part of a path or address names; None if it names none, or several.

    >>> split_named_by("k400/train_targz")
    'train'
    """
    words = re.split(r"[^a-z]+", posixpath.basename(urls.without_query(path)).lower())
    named = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    return named.pop() if len(named) == 1 else None
