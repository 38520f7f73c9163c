"""``verify``: check every clip of an output against its row, and every list against the rows."""

import posixpath
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import track

from beam_pipeline.commands.arguments import (
    DIFFERS,
    WHOLE,
    output_at,
    parser_of,
    print_json,
    say,
)
from beam_pipeline.commands.prepared import Prepared, find_prepared, rows_of
from beam_pipeline.commands.verify.check_clips import (
    ClipChecker,
    ClipRow,
    check_name,
    check_source,
)
from beam_pipeline.commands.verify.check_files import (
    check_links,
    check_lists,
    check_summary,
    check_tables,
    lists_of,
    read_manifests,
)
from beam_pipeline.commands.verify.check_webdataset import check_shards, notes_on_shards
from beam_pipeline.commands.verify.damage import KINDS, Damage
from beam_pipeline.commands.verify.mend import Mended, mend
from beam_pipeline.commands.verify.verified import Verified, advice, conclusion
from beam_pipeline.elements import ALL, LISTED
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.output.runs import runs_in
from beam_pipeline.progress.state import counted
from beam_pipeline.storage import files
from beam_pipeline.work.worker_pool import usable_cores

SHOWN = 20
"""Files without a row that are named: after a change of annotations there may be many."""


def main(argv: list[str]) -> int:
    """Run ``verify`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        RunError: nothing can be said about the output.
    """
    parser = parser_of(
        "verify",
        "OUTPUT",
        "Decode every listed clip and check it against its row in the manifest (bytes, SHA-256, "
        "frames, size, duration), the lists against the manifests, and the files against both.",
        "The exit status is 0 if the output is whole; 1 if something is damaged; 2 if the command "
        "line is wrong or the output cannot be read.",
        workers="clips to read and decode at once",
    )
    parser.add_argument("output", metavar="OUTPUT", help="the --output of a finished run")
    parser.add_argument(
        "--quick", action="store_true", help="check names and sizes; read and decode no clip"
    )
    parser.add_argument(
        "--mend",
        action="store_true",
        help="remove the files of damaged clips and webdataset shards, so that the next run makes "
        "them again",
    )
    options = parser.parse_args(argv)
    prepared = find_prepared(output_at(options.output, options.storage_options))
    verified = verify(prepared, options.quick, options.workers)
    mended = mend(prepared.output, verified.damaged) if options.mend else None
    if options.json:
        print_json(as_json(prepared, verified, mended))
    else:
        _print(prepared, verified, mended)
    return DIFFERS if verified.damaged else WHOLE


def verify(prepared: Prepared, quick: bool = False, workers: int | None = None) -> Verified:
    """Check an output; nothing in it is changed.

    Args:
        prepared: the output.
        quick: whether only names and sizes of clips are checked.
        workers: clips that are decoded at once; the available cores if None.

    Raises:
        OutputError: a file of the output cannot be read.
        RunError: a process that decodes cannot be started, or was killed from outside.
    """
    found = Verified(quick)
    results, damaged_manifests = read_manifests(prepared)
    found.damaged += damaged_manifests
    whole = prepared._replace(splits=tuple(result.split for result in results))
    sizes = _sizes(prepared)
    rows = _to_read(whole, sizes, found)
    if quick:
        deque(rows, maxlen=0)
    else:
        total = sum(result.statuses[status] for result in results for status in LISTED)
        _read_clips(whole, rows, total, workers or usable_cores(), found)
    found.lists = len(lists_of(prepared))
    found.damaged += check_lists(prepared, results)
    found.damaged += check_links(prepared, results)
    found.shards, damaged_shards = check_shards(prepared, quick, workers or usable_cores())
    found.damaged += damaged_shards
    if not damaged_manifests:
        found.damaged += check_tables(prepared, results)
        found.damaged += check_summary(prepared, results)
    found.damaged.sort(key=lambda damage: (KINDS.index(damage.kind), damage.path))
    if prepared.splits:
        others = sorted(_unlisted(sizes, damaged_manifests))
        excluded = _excluded(whole) if others else frozenset()
        found.excluded = [path for path in others if _clip_id_of(path) in excluded]
        found.unlisted = [path for path in others if _clip_id_of(path) not in excluded]
    if runs_in(prepared.output):
        found.notes.append("a run is at work here, or was stopped: what it has made has no row yet")
    found.notes += notes_on_shards(whole)
    return found


def _sizes(prepared: Prepared) -> dict[str, int | None]:
    """The size in bytes of every file in ``videos/``, by its path relative to the output."""
    url = prepared.output.url(VIDEOS)
    try:
        entries = files.find(url)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise read_error(url, error) from error
    skip = len(prepared.output.url(""))
    return {entry.url[skip:]: entry.size for entry in entries}


def _to_read(
    prepared: Prepared, sizes: dict[str, int | None], found: Verified
) -> Iterator[ClipRow]:
    """The rows of clips that have their name and size; the others are damage."""
    for split in prepared.splits:
        for values in rows_of(prepared, split, ClipRow._fields):
            row = ClipRow(*values)
            if row.is_clip:
                damage = check_name(row, sizes, prepared.output)
                found.bytes += row.bytes or 0
            elif row.is_source:
                damage = check_source(row)
            else:
                continue
            found.clips += 1
            if damage is not None:
                found.damaged.append(damage)
            elif row.is_clip:
                yield row


def _read_clips(
    prepared: Prepared, rows: Iterable[ClipRow], total: int, workers: int, found: Verified
) -> None:
    """Read and decode clips, and say whose bytes those are that another clip has."""
    with ClipChecker(prepared.output, workers) as checker:
        checked = _with_progress(checker.check_all(rows), total)
        damaged = [damage for damage in checked if damage is not None]
        lengths = _lengths(prepared) if any(each.size for each in found.damaged) else frozenset()
        misplaced = [each for each in found.damaged if each.size in lengths]
        found.damaged = [each for each in found.damaged if each.size not in lengths]
        damaged += checker.with_sha256(misplaced)
    owners = _owners(prepared, {damage.sha256 for damage in damaged} - {None})
    for damage in damaged:
        problem = damage.problem
        if owner := owners.get(damage.sha256):
            problem += f"; these are the bytes of {owner}"
        found.damaged.append(damage._replace(problem=problem))


def _lengths(prepared: Prepared) -> frozenset[int | None]:
    """The sizes that clips have by their rows: a file of none of these is no other clip."""
    rows = (row for split in prepared.splits for row in rows_of(prepared, split, ("bytes",)))
    return frozenset(size for (size,) in rows) - {None}


def _owners(prepared: Prepared, sums: set[str | None]) -> dict[str | None, str]:
    """The paths of the clips that have these SHA-256 by their rows."""
    columns = ("sha256", "path")
    rows = (row for split in prepared.splits for row in rows_of(prepared, split, columns))
    return {sha256: path for sha256, path in rows if sha256 in sums} if sums else {}


def _with_progress(items: Iterable[Any], total: int) -> Iterable[Any]:
    """The items, with a bar where a person watches."""
    if not sys.stderr.isatty():
        return items
    console = Console(stderr=True)
    return track(items, "decoding clips", total=total, console=console, transient=True)


def _unlisted(sizes: dict[str, int | None], damaged_manifests: Iterable[Damage]) -> Iterator[str]:
    """The files that no row names, but for splits whose rows are not known."""
    unknown = [posixpath.basename(damage.path).partition(".")[0] for damage in damaged_manifests]
    folders = tuple(f"{VIDEOS}/{split}/" for split in unknown)
    return (path for path in sizes if ALL not in unknown and not path.startswith(folders))


def _excluded(prepared: Prepared) -> frozenset[str]:
    """The clips whose row says that they are excluded."""
    columns = ("clip_id", "status")
    rows = (row for split in prepared.splits for row in rows_of(prepared, split, columns))
    return frozenset(clip_id for clip_id, status in rows if status == "excluded")


def _clip_id_of(path: str) -> str:
    return posixpath.basename(path).removesuffix(".mp4")


def as_json(prepared: Prepared, verified: Verified, mended: Mended | None) -> dict[str, Any]:
    """What was found, as one object."""
    return {
        "output": prepared.output.root,
        "whole": not verified.damaged,
        "quick": verified.quick,
        "clips": verified.clips,
        "bytes": verified.bytes,
        "lists": verified.lists,
        "shards": verified.shards,
        "damaged": [
            {"kind": each.kind, "path": each.path, "problem": each.problem}
            for each in verified.damaged
        ],
        "unlisted": verified.unlisted,
        "excluded": verified.excluded,
        "mended": mended
        and {
            "to_make": mended.to_make,
            "to_pack": [*mended.to_pack],
            "kept": [each._asdict() for each in mended.kept],
        },
        "notes": verified.notes,
    }


def _print(prepared: Prepared, verified: Verified, mended: Mended | None) -> None:
    for damage in verified.damaged:
        say(f"{damage.path}: {damage.problem}")
    for path in verified.unlisted[:SHOWN]:
        say(f"{path}: no row names it; it is left alone")
    if len(verified.unlisted) > SHOWN:
        more = counted(len(verified.unlisted) - SHOWN, "more file has", "more files have")
        say(f"{more} no row; --json names them all")
    for path in verified.excluded[:SHOWN]:
        say(f"{path}: its clip is excluded; it is left alone")
    if len(verified.excluded) > SHOWN:
        more = counted(len(verified.excluded) - SHOWN, "more file is", "more files are")
        say(f"{more} of excluded clips; --json names them all")
    for note in verified.notes:
        say(f"note: {note}")
    for kept in mended.kept if mended else ():
        say(f"{kept.path}: not removed, for {kept.why}")
    say(conclusion(prepared, verified))
    if verified.damaged:
        say(advice(verified, mended))
