"""The counts of a plan: by split and class, what archives may hold, notes, and how a run ends."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from beam_pipeline.commands.plan.planned_clips import MAKE, MAY_BE_FETCHED, Kind, PlannedClips
from beam_pipeline.config import Config
from beam_pipeline.elements import ALL, LISTED, Archive, Split, Unannotated
from beam_pipeline.kinetics.classes import UNLABELLED_FOLDER
from beam_pipeline.kinetics.datasets import class_of_archive
from beam_pipeline.plan.wanted_clips import WantedClips
from beam_pipeline.results.closing_table import failure_message
from beam_pipeline.results.split_results import SplitResults
from beam_pipeline.results.summary import archives_summary
from beam_pipeline.results.tell_merge import merge_notes
from beam_pipeline.results.warnings import warnings_about
from beam_pipeline.storage import files

WORST = 10
"""Classes that are shown."""

MAY_BE = "may_be_in_archives"
"""The outcome of a clip without a known file, while there are archives whose names are unknown."""

UNCERTAIN = (MAY_BE, MAY_BE_FETCHED)
"""Outcomes of clips that are made if they turn out to be somewhere."""

OUTCOMES = (MAKE, "reused", "listed", *UNCERTAIN, "missing", "excluded", "failed")
"""What becomes of a clip, in the order of the table."""

THREADS = 16
"""Archives that are asked for their size at once."""


class ClassLoss(NamedTuple):
    """A class, its clips without a file, and those that cannot be made.

    ``annotated`` are its clips that are sought, so no excluded ones.
    """

    label: str
    annotated: int
    missing: int
    failed: int

    @property
    def share(self) -> float:
        """The share of its clips that is missing."""
        return self.missing / self.annotated


class Archives(NamedTuple):
    """The archives that a run reads, and the bytes of all and of those that are needed.

    ``unsized`` is the number of those whose size nobody tells.
    """

    found: int
    needed: tuple[Archive, ...]
    bytes: int
    needed_bytes: int
    unsized: int


@dataclass
class Outcome:
    """What becomes of the clips: counts by split, reasons, classes, archives and notes.

    ``failure`` says why a run would end with status 1, ``unestimated`` what no estimate has.
    """

    splits: dict[Split, Counter[str]]
    reasons: Counter[str]
    classes: list[ClassLoss]
    archives: Archives
    unannotated: Unannotated = field(default_factory=Unannotated)
    passed_over: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failure: str | None = None
    unestimated: list[str] = field(default_factory=list)

    @property
    def total(self) -> Counter[str]:
        """The counts of all splits together."""
        return sum(self.splits.values(), Counter())


def outcome_of(planned: PlannedClips, config: Config) -> Outcome:
    """Count what the first four steps have found out."""
    kinds = _with_archives(planned, config)
    splits: dict[Split, Counter[str]] = {split: Counter() for split in config.splits}
    for kind, count in kinds.items():
        splits.setdefault(kind.split or ALL, Counter())[kind.status] += count
    reasons = Counter[str]()
    for kind, count in kinds.items():
        if kind.status == "failed":
            reasons[str(kind.reason)] += count
    outcome = Outcome(
        splits,
        reasons,
        worst_classes(kinds),
        archives_of(planned, config),
        planned.unannotated,
        planned.passed_over,
        list(_notes(planned, config, kinds)),
    )
    if config.shard is None and config.annotations:
        outcome.failure = failure_message({"splits": _as_rows(splits)}, config, is_written=False)
    return outcome


def is_open(outcome: Outcome, config: Config) -> bool:
    """Whether the run makes clips, or may do so: in archives without annotations any may be."""
    hidden = bool(outcome.archives.needed) and not config.annotations
    return hidden or any(outcome.total[name] for name in (MAKE, *UNCERTAIN))


def _with_archives(planned: PlannedClips, config: Config) -> "Counter[Kind]":
    """The kinds; clips without a file may be in archives that nobody has read."""
    kinds = planned.kinds()
    if not planned.searched or not config.annotations:
        return kinds
    changed = Counter[Kind]()
    for kind, count in kinds.items():
        hidden = kind.status in ("missing", MAY_BE_FETCHED)
        changed[kind._replace(status=MAY_BE) if hidden else kind] += count  # type: ignore[arg-type]
    return changed


def _as_rows(splits: dict[Split, Counter[str]]) -> dict[str, Counter[str]]:
    """Counts by status, as if everything that may be made were made."""
    rows: dict[str, Counter[str]] = {}
    for split, counts in splits.items():
        rows[split] = Counter(
            {name: count for name, count in counts.items() if name not in (MAKE, *UNCERTAIN)}
        )
        rows[split]["resized"] = sum(counts[name] for name in (MAKE, *UNCERTAIN))
    return rows


def worst_classes(kinds: "Counter[Kind]") -> list[ClassLoss]:
    """The classes that lose the largest share of their clips for want of a file, worst first."""
    annotated, missing, failed = Counter[str](), Counter[str](), Counter[str]()
    for kind, count in kinds.items():
        if kind.label is not None and kind.status != "excluded":
            annotated[kind.label] += count
            missing[kind.label] += count * (kind.status == "missing")
            failed[kind.label] += count * (kind.status == "failed")
    losses = [
        ClassLoss(label, annotated[label], missing[label], failed[label])
        for label in annotated
        if missing[label]
    ]
    return sorted(losses, key=lambda loss: (-loss.share, -loss.missing, loss.label))[:WORST]


def archives_of(planned: PlannedClips, config: Config) -> Archives:
    """The archives that the run reads for clips, with their sizes.

    Those of Kinetics-600 and 700 bear the name or number of a class: if no clip of it is wanted,
    they are not read.
    """
    searched = planned.searched
    if searched:
        table = WantedClips(
            b"".join(planned.wanted), planned.label_ids, annotated=bool(config.annotations)
        )
        labels = sorted(planned.label_ids)
        wants_any = table.wants_any
        needed = [
            archive
            for archive in searched
            if wants_any
            and (
                (label := class_of_archive(config.dataset, archive.path, labels)) is None
                or table.wants_class(label)
            )
        ]
    else:
        needed = []
    named = list(planned.archives.values())
    sizes = dict(zip([*searched, *named], _sizes([*searched, *named]), strict=True))
    to_read = [*needed, *named]
    return Archives(
        len(sizes),
        tuple(archive._replace(size=sizes[archive]) for archive in to_read),
        sum(size or 0 for size in sizes.values()),
        sum(sizes[archive] or 0 for archive in to_read),
        sum(size is None for size in sizes.values()),
    )


def _sizes(archives: Sequence[Archive]) -> list[int | None]:
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(_size_of, archives))


def _size_of(archive: Archive) -> int | None:
    """The size of an archive in bytes; None if nobody tells; its reading will say why."""
    if archive.size is None:
        with suppress(OSError):
            return files.size_of(archive.path)
    return archive.size


def _notes(planned: PlannedClips, config: Config, kinds: "Counter[Kind]") -> Iterator[str]:
    """What a run would note of what is known now."""
    results = {split: SplitResults(split) for split in config.splits}
    for kind, count in kinds.items():
        result = results.get(kind.split or ALL)
        if result is None:
            continue
        exists = kind.status in (MAKE, *UNCERTAIN)
        result.counts["resized" if exists else kind.status, kind.reason] += count
        if kind.label is None and config.annotations and kind.reason != "conflicting_annotations":
            result.unlabelled += count
        if exists or kind.status in LISTED:
            result.classes[UNLABELLED_FOLDER if kind.label is None else kind.label] += count
    archives = archives_summary(None, planned.read, planned.unannotated.members)
    unannotated = planned.unannotated.files
    yield from sorted({*planned.notes})
    if planned.merged is not None:
        yield from merge_notes(planned.merged)
    if config.shard is None:
        yield from warnings_about(
            list(results.values()), config, planned.label_ids, unannotated, planned.passed_over,
            archives, is_written=False,
        )  # fmt: skip
    else:
        yield f"this is what part {config.shard} makes; clips of other parts are in no count"
