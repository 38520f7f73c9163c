"""``compare``: whether two outputs hold the same data set, and if not, what differs."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal, NamedTuple, get_args

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from beam_pipeline.commands.arguments import (
    DIFFERS,
    WHOLE,
    at_least_1,
    output_at,
    parser_of,
    print_json,
    print_table,
    say,
)
from beam_pipeline.commands.prepared import Prepared, find_prepared, tables_of
from beam_pipeline.elements import LISTED
from beam_pipeline.output import manifest
from beam_pipeline.privacy import one_line
from beam_pipeline.progress.state import counted
from beam_pipeline.results.fingerprints import Fingerprints

Kind = Literal["only in A", "only in B", "made in A", "made in B", "split", "label", "bytes"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""How a clip can differ: annotated in one output alone; made in one alone, and missing, excluded
or failed in the other; in another split; of another class or id; of other bytes."""

EXAMPLES = 5
"""Clips that are named of each kind."""

OF_THE_PLACE = ("path_prefix",)
"""Settings that differ wherever two outputs lie in two places."""


class ClipState(NamedTuple):
    """What is compared of a clip; columns of the manifest."""

    clip_id: str
    split: str | None
    label: str | None
    label_id: int | None
    status: str
    reason: str | None
    sha256: str | None


class Difference(NamedTuple):
    """How one clip differs: ``a`` and ``b`` are what the outputs have there, for people."""

    kind: Kind
    clip_id: str
    a: str
    b: str


@dataclass(frozen=True)
class Side:
    """One of the two outputs: how many clips it lists, and what it says of itself."""

    root: str
    clips: int
    fingerprint: str | None
    membership_fingerprint: str | None
    versions: dict[str, Any]
    settings: dict[str, Any]


@dataclass
class Comparison:
    """What differs between two outputs.

    ``counts`` are of clips by the kind of difference, ``examples`` the first of each kind.
    ``settings`` and ``versions`` are those that differ, each as (A's, B's).
    """

    a: Side
    b: Side
    counts: dict[Kind, int] = field(default_factory=dict)
    examples: dict[Kind, list[Difference]] = field(default_factory=dict)
    settings: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    versions: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def same_bytes(self) -> bool:
        """Whether the lists hold the same clips with the same ids and bytes."""
        return self.a.fingerprint is not None and self.a.fingerprint == self.b.fingerprint

    @property
    def same_clips(self) -> bool:
        """Whether the lists hold the same clips with the same ids, however they were made."""
        return self.a.membership_fingerprint == self.b.membership_fingerprint

    @property
    def is_equal(self) -> bool:
        """Whether no clip differs in anything that is compared."""
        unread = self.a.fingerprint is None and self.b.fingerprint is None
        return (self.same_bytes or (unread and self.same_clips)) and not self.counts


def main(argv: list[str]) -> int:
    """Run ``compare`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        OutputError: an output cannot be read, or is damaged.
    """
    parser = parser_of(
        "compare",
        "A B",
        "Say whether two outputs hold the same data set, by their fingerprints, and what differs: "
        "clips, splits, labels, bytes, settings, versions. Either may be in a bucket.",
        "The exit status is 0 if no clip differs; 1 if one does; 2 if the command line is wrong "
        "or an output cannot be read.",
    )
    parser.add_argument("a", metavar="A", help="the --output of a finished run")
    parser.add_argument("b", metavar="B", help="the --output of another run")
    parser.add_argument(
        "--examples",
        type=at_least_1,
        default=EXAMPLES,
        metavar="N",
        help="clips to name of each kind of difference (default: %(default)s)",
    )
    options = parser.parse_args(argv)
    a, b = (
        find_prepared(output_at(address, options.storage_options))
        for address in (options.a, options.b)
    )
    comparison = compare(a, b, options.examples)
    if options.json:
        print_json(as_json(comparison))
    else:
        _print(comparison)
    return WHOLE if comparison.is_equal else DIFFERS


def compare(a: Prepared, b: Prepared, examples: int = EXAMPLES) -> Comparison:
    """Compare two outputs by their manifests and summaries; no clip is read.

    Raises:
        OutputError: an output cannot be read, or a manifest is damaged.
    """
    counts = dict.fromkeys(KINDS, 0)
    named: dict[Kind, list[Difference]] = {}
    found = Fingerprints(), Fingerprints()
    for tables in manifest.in_step([_by_clip(a), _by_clip(b)], ClipState._fields):
        for fingerprints, rows in zip(found, tables, strict=True):
            fingerprints.add(manifest.with_status(rows, LISTED))
        for kind, (of_a, of_b) in differing(*tables).items():
            counts[kind] += max(len(of_a), len(of_b))
            of_kind = named.setdefault(kind, [])
            room = examples - len(of_kind)
            of_kind += _differences(kind, of_a.slice(0, room), of_b.slice(0, room))
    one, other = (_side(*each) for each in zip((a, b), found, strict=True))
    return Comparison(
        one,
        other,
        {kind: count for kind, count in counts.items() if count},
        {kind: some for kind, some in named.items() if some},
        _unequal(one.settings, other.settings),
        _unequal(one.versions, other.versions),
    )


def _by_clip(prepared: Prepared) -> Iterator[pa.Table]:
    """The rows of all splits, sorted by clip_id."""
    columns = ClipState._fields
    splits = [tables_of(prepared, split, columns) for split in prepared.splits]
    for tables in manifest.in_step(splits, columns):
        yield pa.concat_tables(tables).sort_by("clip_id")


def _side(prepared: Prepared, fingerprints: Fingerprints) -> Side:
    """What an output says of itself, and the fingerprints of the clips in its manifests."""
    summary = prepared.summary or {}
    content, membership = fingerprints.hexdigests()
    settings = dict(summary.get("settings", {}))
    return Side(
        prepared.output.root,
        fingerprints.clips,
        None if settings.get("resize") is False else content,
        membership,
        dict(summary.get("versions", {})),
        {name: value for name, value in settings.items() if name not in OF_THE_PLACE},
    )


def differing(a: pa.Table, b: pa.Table) -> dict[Kind, tuple[pa.Table, pa.Table]]:
    """The rows of clips that differ, by how they differ, those of one clip side by side.

    Both tables are sorted by clip_id, and so are the rows. For clips that are in one table alone
    there are no rows of the other.
    """
    keys_of_a, keys_of_b = _keys(a), _keys(b)
    places = pc.index_in(keys_of_a, value_set=keys_of_b)
    only_in_a = a.filter(pc.is_null(places))
    only_in_b = b.filter(pc.invert(pc.is_in(keys_of_b, value_set=keys_of_a)))
    a, b = a.filter(pc.is_valid(places)), b.take(pc.drop_null(places))
    made_in_a, made_in_b = (pc.is_in(each["status"], value_set=pa.array(LISTED)) for each in (a, b))
    differ: dict[Kind, pa.ChunkedArray] = {
        "made in A": pc.and_not(made_in_a, made_in_b),
        "made in B": pc.and_not(made_in_b, made_in_a),
        "split": _differ(a["split"], b["split"]),
        "label": pc.or_(_differ(a["label"], b["label"]), _differ(a["label_id"], b["label_id"])),
        "bytes": pc.and_(pc.and_(made_in_a, made_in_b), _differ(a["sha256"], b["sha256"])),
    }
    return {
        "only in A": (only_in_a, b.slice(0, 0)),
        "only in B": (a.slice(0, 0), only_in_b),
        **{kind: (a.filter(rows), b.filter(rows)) for kind, rows in differ.items()},
    }


def _keys(rows: pa.Table) -> pa.ChunkedArray:
    """The clip_id of each row, with the number of earlier rows of that clip.

    A clip can have a row in two splits: its split was changed, and one of them not prepared again.
    """
    clip_ids = rows["clip_id"]
    first, place = (pc.rank(clip_ids, "ascending", tiebreaker=each) for each in ("min", "first"))
    earlier = pc.subtract(place, first).cast(pa.string())
    return pc.binary_join_element_wise(clip_ids, earlier, "\n")


def _differ(a: pa.ChunkedArray, b: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where two columns differ; null is a value like any other."""
    return pc.coalesce(pc.not_equal(a, b), pc.xor(pc.is_null(a), pc.is_null(b)))


def _differences(kind: Kind, a: pa.Table, b: pa.Table) -> Iterator[Difference]:
    """Rows that ``differing`` has found, for people."""
    states = ((ClipState(*row) for row in manifest.values_of(rows)) for rows in (a, b))
    for one, other in zip_longest(*states):
        yield Difference(kind, (one or other).clip_id, _said(kind, one), _said(kind, other))


def _said(kind: Kind, state: ClipState | None) -> str:
    """What an output has where the other differs."""
    if state is None:
        return "not annotated"
    match kind:
        case "split":
            return str(state.split)
        case "label":
            return f"{'none' if state.label is None else state.label} ({state.label_id})"
        case "bytes":
            return _short(state.sha256)
    return f"{state.status} ({state.reason})" if state.reason else state.status


def _short(fingerprint: str | None) -> str:
    return "unknown" if fingerprint is None else fingerprint[:12]


def _unequal(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    if not (a and b):
        return {}  # one of them has no summary
    names = [*a, *(name for name in b if name not in a)]
    pairs = {name: (_stated(a.get(name)), _stated(b.get(name))) for name in names}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def _stated(value: Any) -> Any:
    """A setting; an empty list is none, as is a setting that an older release did not have."""
    return None if value == [] else value


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as one object."""
    return {
        "equal": comparison.is_equal,
        "same_fingerprint": comparison.same_bytes,
        "same_membership": comparison.same_clips,
        **{
            name: {
                "output": side.root,
                "clips": side.clips,
                "fingerprint": side.fingerprint,
                "membership_fingerprint": side.membership_fingerprint,
            }
            for name, side in (("a", comparison.a), ("b", comparison.b))
        },
        "differences": {
            kind: {
                "clips": count,
                "examples": [
                    {"clip_id": each.clip_id, "a": each.a, "b": each.b}
                    for each in comparison.examples[kind]
                ],
            }
            for kind, count in comparison.counts.items()
        },
        "settings": {name: list(pair) for name, pair in comparison.settings.items()},
        "versions": {name: list(pair) for name, pair in comparison.versions.items()},
        "line": line_to_paste(comparison),
    }


def _print(comparison: Comparison) -> None:
    say(f"A  {comparison.a.root}")
    say(f"B  {comparison.b.root}")
    say(conclusion(comparison))
    rows = [each for kind in comparison.counts for each in comparison.examples[kind]]
    if rows:
        table = Table("differs", "clips", "such as", "A", "B", box=SIMPLE)
        table.columns[2].no_wrap = True  # half an id names no clip
        named: set[Kind] = set()
        for each in rows:
            first = each.kind not in named
            named.add(each.kind)
            cells = (each.kind, f"{comparison.counts[each.kind]:,}") if first else ("", "")
            texts = (one_line(text) for text in (*cells, each.clip_id, each.a, each.b))
            table.add_row(*map(Text, texts))
        print_table(table)
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        if not (side.settings or side.versions):
            say(f"{name} has no whole summary.json: its settings and versions are not compared")
    for what, pairs in (("setting", comparison.settings), ("version", comparison.versions)):
        for name, (a, b) in pairs.items():
            say(f"{what} {name}: A {_shown(a)}, B {_shown(b)}")
    say("To paste into an issue:")
    say(line_to_paste(comparison))


def _shown(value: Any) -> str:
    """A setting as it is typed.

    >>> _shown(True), _shown(["slowfast", "mmaction2"]), _shown(None), _shown(23)
    ('true', 'slowfast,mmaction2', 'none', '23')
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def conclusion(comparison: Comparison) -> str:
    """Whether the data sets are the same, in one line."""
    if comparison.is_equal and comparison.same_bytes:
        return "The same data set, byte for byte: the fingerprints are equal."
    if comparison.same_bytes:
        return "The same listed clips, byte for byte; other things differ."
    if comparison.is_equal:
        return "The same clips with the same labels; nobody has read their bytes."
    if comparison.same_clips:
        return "The same clips with the same labels, but other bytes."
    return "Not the same data set."


def line_to_paste(comparison: Comparison) -> str:
    """The comparison in one line, without places."""
    counts = [f"{count:,} {_counted(kind)}" for kind, count in comparison.counts.items()]
    settings = [
        f"{name} {_without_place(a)}/{_without_place(b)}"
        for name, (a, b) in (comparison.settings | comparison.versions).items()
        if name not in ("beam_pipeline", "av")
    ]
    found = ", ".join(counts) or "no clip differs"
    others = f"; {', '.join(settings)}" if settings else ""
    sides = " | ".join(
        f"{name} {_short(side.fingerprint)} ({counted(side.clips, 'clip')}, beam_pipeline "
        f"{_shown(side.versions.get('beam_pipeline'))}, av {_shown(side.versions.get('av'))})"
        for name, side in (("A", comparison.a), ("B", comparison.b))
    )
    return f"beam_pipeline compare: {sides}: {found}{others}"


def _without_place(value: Any) -> str:
    """A setting; the name alone of a file, whose folders are nobody's business."""
    return posixpath.basename(_shown(value))


def _counted(kind: Kind) -> str:
    return f"other {kind}" if kind in ("split", "label", "bytes") else kind
