"""``overlap``: what two annotation sets share, by YouTube id and by clip."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from beam_pipeline.commands.annotated_set import NO_LABEL, AnnotatedSet, read_set
from beam_pipeline.commands.arguments import WHOLE, parser_of, print_json, print_table, say
from beam_pipeline.elements import SPLITS
from beam_pipeline.errors import UsageError
from beam_pipeline.privacy import one_line
from beam_pipeline.progress.state import counted

SHOWN = 10
"""Classes, and pairs of labels, that the text names; --json names all."""

EXAMPLES = 10
"""Clips with two labels that --json names of each pair of labels."""


class Shared(NamedTuple):
    """What a class of A shares with B: clips that B has too, and those of videos that B has."""

    clips: int
    of_videos: int


@dataclass
class Overlap:
    """What two sets share.

    ``videos`` and ``clips`` are counted by (split of A, split of B): a video counts once for each
    pair of splits that its clips are in. ``labels`` are the classes of A. ``conflicts`` are the
    clips that both have, with another label in each, by (label of A, label of B), and ``examples``
    some of their ids.
    """

    a: AnnotatedSet
    b: AnnotatedSet
    shared_videos: int = 0
    shared_clips: int = 0
    videos: Counter[tuple[str, str]] = field(default_factory=Counter)
    clips: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: dict[str, Shared] = field(default_factory=dict)
    conflicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def main(argv: list[str]) -> int:
    """Run ``overlap`` with these arguments; returns the exit status.

    Raises:
        UsageError: the command line is wrong.
        RunError: annotations or an output cannot be read.
    """
    parser = parser_of(
        "overlap",
        "A B",
        "Count what two annotation sets share, by YouTube id and by clip, for each pair of splits "
        "and each class, and the clips that they label differently. Each set is an annotation "
        "file, a folder, a glob or an archive of them, or a finished output: then its listed "
        "clips count.",
        "The exit status is 0; 2 if the command line is wrong or a set cannot be read.",
    )
    parser.add_argument("sets", metavar="A B", nargs="*", help="the two sets")
    for name in ("a", "b"):
        parser.add_argument(
            f"--{name}",
            metavar="FILE",
            nargs="+",
            action="extend",
            help=f"set {name.upper()}, where it is several files",
        )
    options = parser.parse_args(argv)
    a, b = _two_sets(options.sets, options.a, options.b)
    overlap = compare_sets(
        read_set("A", a, options.storage_options), read_set("B", b, options.storage_options)
    )
    if options.json:
        print_json(as_json(overlap))
    else:
        _print(overlap)
    return WHOLE


def _two_sets(
    sets: list[str], a: list[str] | None, b: list[str] | None
) -> tuple[list[str], list[str]]:
    """The addresses of both sets."""
    if len(sets) == 2 and not (a or b):
        return [sets[0]], [sets[1]]
    if a and b and not sets:
        return a, b
    raise UsageError(
        "overlap takes two sets; type overlap A B, or overlap --a FILES --b FILES where a set is "
        "several files"
    )


def compare_sets(a: AnnotatedSet, b: AnnotatedSet) -> Overlap:
    """Count what two sets share."""
    found = Overlap(a, b)
    of_a, of_b = a.splits_by_video(), b.splits_by_video()
    for youtube_id in of_a.keys() & of_b.keys():
        found.shared_videos += 1
        for split in splits_in(of_a[youtube_id]):
            found.videos.update((split, other) for other in splits_in(of_b[youtube_id]))
    shared, of_videos = Counter[str](), Counter[str]()
    for clip_id, code in a.clips.items():
        split, label = a.split_and_label(code)
        name = NO_LABEL if label is None else label
        of_videos[name] += a.youtube_id(clip_id) in of_b
        if (other_code := b.clips.get(clip_id)) is None:
            continue
        other_split, other_label = b.split_and_label(other_code)
        found.shared_clips += 1
        found.clips[split, other_split] += 1
        shared[name] += 1
        if None not in (label, other_label) and label != other_label:
            _add_conflict(found, (str(label), str(other_label)), clip_id)
    found.labels = {name: Shared(shared[name], count) for name, count in sorted(of_videos.items())}
    return found


def splits_in(mask: int) -> Iterator[str]:
    """The splits of a mask, of which bit ``n`` stands for the n-th of ``SPLITS``."""
    return (split for number, split in enumerate(SPLITS) if mask >> number & 1)


def _add_conflict(found: Overlap, labels: tuple[str, str], clip_id: str) -> None:
    found.conflicts[labels] += 1
    examples = found.examples.setdefault(labels, [])
    if len(examples) < EXAMPLES:
        examples.append(clip_id)


def as_json(overlap: Overlap) -> dict[str, Any]:
    """The overlap as one object."""
    return {
        "a": _set_as_json(overlap.a),
        "b": _set_as_json(overlap.b),
        "videos": {"total": overlap.shared_videos, "splits": _matrix(overlap.videos)},
        "clips": {"total": overlap.shared_clips, "splits": _matrix(overlap.clips)},
        "labels": [
            {"label": name, "clips": shared.clips, "clips_of_shared_videos": shared.of_videos}
            for name, shared in overlap.labels.items()
        ],
        "conflicts": {
            "clips": overlap.conflicts.total(),
            "labels": [
                {"a": a, "b": b, "clips": count, "examples": overlap.examples[a, b]}
                for (a, b), count in _most_first(overlap.conflicts)
            ],
        },
    }


def _set_as_json(each: AnnotatedSet) -> dict[str, Any]:
    splits = each.clips_by_split()
    return {
        "names": each.names,
        "clips": len(each.clips),
        "videos": len(each.splits_by_video()),
        "classes": len(each.labels),
        "splits": {split: splits[split] for split in SPLITS},
        "contradictory": each.contradictory,
    }


def _matrix(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    return {a: {b: counts[a, b] for b in SPLITS} for a in SPLITS}


def _most_first(counts: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _print(overlap: Overlap) -> None:
    for name, each in (("A", overlap.a), ("B", overlap.b)):
        videos = counted(len(each.splits_by_video()), "video")
        say(f"{name}  {', '.join(each.names)}: {counted(len(each.clips), 'clip')} of {videos}")
        if each.contradictory:
            say(f"   with two labels, and so counted as without one: {each.contradictory:,}")
    for what, total, counts in (
        ("YouTube id", overlap.shared_videos, overlap.videos),
        ("clip", overlap.shared_clips, overlap.clips),
    ):
        say(f"{counted(total, f'{what} is', f'{what}s are')} in both")
        if total:
            print_table(_table_of_splits(counts))
    _print_labels(overlap)
    _print_conflicts(overlap)


def _table_of_splits(counts: Counter[tuple[str, str]]) -> Table:
    table = Table("", *(f"{split} of B" for split in SPLITS), box=SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for a in SPLITS:
        table.add_row(f"{a} of A", *(f"{counts[a, b]:,}" for b in SPLITS))
    return table


def _print_labels(overlap: Overlap) -> None:
    rows = [item for item in overlap.labels.items() if item[1].of_videos]
    rows.sort(key=lambda item: (-item[1].of_videos, item[0]))
    if not rows:
        return
    table = Table("class of A", "clips in both", "of videos in both", box=SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, shared in rows[:SHOWN]:
        table.add_row(Text(one_line(name)), f"{shared.clips:,}", f"{shared.of_videos:,}")
    print_table(table)
    if len(rows) > SHOWN:
        more = counted(len(rows) - SHOWN, "more class shares", "more classes share")
        say(f"{more} videos; --json names them all")


def _print_conflicts(overlap: Overlap) -> None:
    if not overlap.conflicts:
        return
    clips = counted(overlap.conflicts.total(), "clip has", "clips have")
    say(f"{clips} another label in each")
    table = Table("label in A", "label in B", "clips", "such as", box=SIMPLE)
    table.columns[-1].no_wrap = True
    pairs = _most_first(overlap.conflicts)
    for (a, b), count in pairs[:SHOWN]:
        texts = (a, b, f"{count:,}", overlap.examples[a, b][0])
        table.add_row(*(Text(one_line(text)) for text in texts))
    print_table(table)
    if len(pairs) > SHOWN:
        more = counted(len(pairs) - SHOWN, "more pair", "more pairs")
        say(f"{more} of labels; --json names them all")
