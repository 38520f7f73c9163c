"""Take damaged clips and shards out of an output, so that the next run makes them again."""

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from beam_pipeline.commands.verify.check_clips import is_inside
from beam_pipeline.commands.verify.damage import Damage
from beam_pipeline.errors import RunError
from beam_pipeline.output.output_folder import Output
from beam_pipeline.output.runs import dead_runs, runs_in
from beam_pipeline.storage import urls


class Kept(NamedTuple):
    """A damaged clip that was left where it is, and why."""

    path: str
    why: str


class Mended(NamedTuple):
    """The paths of clips and shards that the next run makes again, and of those that were left."""

    to_make: list[str]
    kept: list[Kept]
    to_pack: Sequence[str] = ()


def mend(output: Output, damaged: Iterable[Damage]) -> Mended:
    """Remove the files of damaged clips: a run would reuse those that have their row's size.

    So it is with damaged shards, which a run would take for its own by their first header.

    Nothing is removed through a link, nor a clip whose source should be here and is not.

    Raises:
        RunError: a run is at work in this output.
        OutputError: a file cannot be removed.
    """
    if set(runs_in(output)) - set(dead_runs(output)):
        raise RunError(
            f"a run is at work in {output.root}; let it end, then run the same command again"
        )
    to_make: list[str] = []
    to_pack: list[str] = []
    kept = []
    for each in damaged:
        is_shard = each.kind == "shard"
        if not is_shard and (each.kind != "clip" or not is_inside(each.path)):
            continue
        if why := _why_kept(output, each):
            kept.append(Kept(each.path, why))
        else:
            output.remove(each.path)
            (to_pack if is_shard else to_make).append(each.path)
    if output.is_local:
        output.sync()
    return Mended(to_make, kept, to_pack)


def _why_kept(output: Output, damage: Damage) -> str | None:
    if output.is_local and (link := _link_in(output, damage.path)):
        return f"{link} is a link"
    if damage.source is not None and is_gone(damage.source):
        return f"its source {damage.source} is not here"
    return None


def _link_in(output: Output, path: str) -> str | None:
    """The first link on the way from the output to a file in it."""
    way = ""
    for part in path.split("/"):
        way = urls.join(way, part)
        if os.path.islink(urls.local_path(output.url(way))):
            return way
    return None


def is_gone(source: str) -> bool:
    """Whether a source of this machine is not there: neither the file nor the archive it is in."""
    if not urls.is_local(source):
        return False
    path = urls.local_path(source)
    while path != os.path.dirname(path):
        if os.path.isfile(path):
            return False
        path = os.path.dirname(path)
    return True
