"""A quick start on one machine: import of Beam what the local engine needs, and nothing else.

Beam imports the clients of every cloud and database that is installed, and does without those
that are not. Here they are hidden from it: with these, a run that finds nothing to do would take
half as long again.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NOT_LOCAL = (
    "apitools", "azure", "boto3", "bson", "google.auth", "google.cloud", "hdfs", "pymongo",
)  # fmt: skip
"""What ``import apache_beam`` takes if it is there, and what only other engines use."""


class _Hidden(MetaPathFinder):
    """Says of some packages that they are not installed."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._names = tuple(f"{package}." for package in packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if f"{fullname}.".startswith(self._names):
            raise ModuleNotFoundError(f"no module named {fullname!r}", name=fullname)
        return None


def hide_pandas() -> None:
    """Do without pandas in this process. Beam and pyarrow import it, and nothing here uses it."""
    sys.meta_path.insert(0, _Hidden(["pandas"]))


def is_local(argv: Sequence[str]) -> bool:
    """Whether a command line names no engine but the local one. In doubt, it does not."""
    after = zip(argv, [*argv, ""][1:], strict=True)
    named = [f"{flag}={value}" for flag, value in after if flag.startswith("--runner")]
    return all("direct" in runner.lower() for runner in named)


@contextmanager
def import_of_beam(argv: Sequence[str]) -> Iterator[None]:
    """Inside, Beam may be imported for a command line. Objects are collected later."""
    did_collect = gc.isenabled()
    gc.disable()  # hardly anything that an import makes is ever garbage
    finder = _Hidden(_NOT_LOCAL)
    if is_local(argv) and "apache_beam" not in sys.modules:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if did_collect:
            gc.enable()
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
