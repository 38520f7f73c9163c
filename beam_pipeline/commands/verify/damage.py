"""What is wrong in an output, as ``verify`` tells it."""

from typing import Literal, NamedTuple, get_args

Kind = Literal["manifest", "summary", "list", "shard", "clip"]
"""What is damaged: a manifest, ``summary.json``, another file made of the manifests, a WebDataset
shard, or a clip."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The order in which damage is told."""

GONE = "there is no such file"
"""The problem of a file that is not there."""


class Damage(NamedTuple):
    """One damaged file. ``path`` is relative to the output, or a source that is listed as it is.

    ``source`` is what a damaged clip was made from. ``sha256`` is that of the bytes that are there
    instead of the clip's, if they were read; ``size`` their number, if it is not that of the row.
    """

    kind: Kind
    path: str
    problem: str
    source: str | None = None
    sha256: str | None = None
    size: int | None = None

    @property
    def is_gone(self) -> bool:
        """Whether there is no such file: a run makes it again by itself."""
        return self.problem == GONE
