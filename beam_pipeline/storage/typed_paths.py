"""Paths as people type them: what is wrong with one that does not exist."""

import difflib
import os
import re
from collections.abc import Sequence

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")


def unexpanded(path: str) -> str | None:
    """What the shell has left in a path for lack of a chance: ``$NAME`` or ``~user``; else None.

    A file may have such a name. So only a path that does not exist is suspected, and only of
    variables that exist, unless the path begins with one.
    """
    place = path.partition("://")[2] or path
    if "://" not in path and os.path.lexists(path):
        return None
    if place.startswith("~") and place == os.path.expanduser(place) and "://" not in path:
        return place.partition("/")[0]
    for found in _VARIABLE.finditer(place):
        if found.start() == 0 or (found[1] or found[2]) in os.environ:
            return found[0]
    return None


def split_by_spaces(values: Sequence[str]) -> str | None:
    """An existing path that the shell has taken apart at its spaces; None if there is none.

    ``values`` are the arguments of one flag in their order.
    """
    for begin, first in enumerate(values):
        if "://" in first or os.path.lexists(first):
            continue
        for end in range(begin + 2, len(values) + 1):
            whole = " ".join(values[begin:end])
            if os.path.lexists(whole):
                return whole
    return None


def near_path(path: str) -> str | None:
    """An existing local path whose name is nearly this one; None if there is none.

    Only the first part that does not exist may differ.
    """
    if "://" in path:
        return None
    known = path.rstrip("/")
    rest: list[str] = []
    while known and not os.path.lexists(known):
        known, _, name = known.rpartition("/")
        rest.insert(0, name)
    if not rest or not os.path.isdir(known or "/"):
        return None
    near = difflib.get_close_matches(rest[0], os.listdir(known or "/"), n=1, cutoff=0.75)
    found = "/".join([known, *near, *rest[1:]])
    return found if near and os.path.lexists(found) else None
