"""What a run would do with each clip: steps 1 to 4 of the job, run here, with nothing written."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline import pipeline
from beam_pipeline.commands.plan.sampling import Reservoir
from beam_pipeline.config import Config
from beam_pipeline.elements import (
    Archive,
    Clip,
    MergedReleases,
    ReadArchive,
    ResizeTask,
    Row,
    Split,
    Status,
    Unannotated,
)
from beam_pipeline.engines.local import LocalEngine
from beam_pipeline.errors import DamagedError
from beam_pipeline.output.output_folder import manifest_of
from beam_pipeline.results.merge_splits import clips_in, refuse_lost
from beam_pipeline.sources.passed_over import NOTHING

MAKE: Literal["make"] = "make"

MAY_BE_FETCHED: Literal["may_be_fetched"] = "may_be_fetched"
"""The outcome of a clip that the site will be asked for, if no archive holds it."""


class Kind(NamedTuple):
    """What is known of a clip, and what becomes of it: a row's status, or it is to be made."""

    split: Split | None
    label: str | None
    status: "Status | Literal['make', 'may_be_fetched']"
    reason: str | None = None


@dataclass
class PlannedClips:
    """What the first four steps have found out for a run with this ``config``.

    clips: each clip by its id.
    loose: the clips to make from files, as far as a sample may be drawn of them.
    members: by the path of a member of an archive, the clip to make of it.
    archives: the archives that these are in.
    searched: the archives whose names are unknown until they are read, in order.
    read: the archives whose names were read.
    wanted: parts of the table of clips to look for in these.
    merged: what became of the clips of several releases; None if there is one.
    reused_bytes: the bytes of the clips of each split that are made already.
    """

    config: Config
    loose: Reservoir
    clips: dict[str, Kind] = field(default_factory=dict)
    members: dict[str, Clip] = field(default_factory=dict)
    archives: dict[str, Archive] = field(default_factory=dict)
    searched: list[Archive] = field(default_factory=list)
    read: list[ReadArchive] = field(default_factory=list)
    wanted: list[bytes] = field(default_factory=list)
    label_ids: dict[str, int] = field(default_factory=dict)
    unannotated: Unannotated = field(default_factory=Unannotated)
    passed_over: dict[str, Any] = field(default_factory=lambda: dict(NOTHING))
    notes: list[str] = field(default_factory=list)
    merged: MergedReleases | None = None
    reused_bytes: Counter[Split | None] = field(default_factory=Counter)
    _kinds: dict[Kind, Kind] = field(default_factory=dict)

    def add_task(self, task: ResizeTask) -> None:
        """Count a clip to make, whatever row there is of it."""
        self.clips[task.clip.clip_id] = self._one(Kind(task.clip.split, task.clip.label, MAKE))
        if task.archive is None:
            self.loose.add(task)
            return
        self.archives[task.archive.path] = task.archive
        # The first of its members that is any good counts; usually there is one.
        self.members[task.sources[0][0]] = task.clip

    def add_row(self, row: Row) -> None:
        """Count a clip that needs no work or cannot be made, unless it is to be made after all."""
        status = MAY_BE_FETCHED if self.config.fetches(row) else row.status
        if row.clip_id in self.clips:
            return
        self.clips[row.clip_id] = self._one(Kind(row.split, row.label, status, row.reason))
        if row.status == "reused":
            self.reused_bytes[row.split] += row.bytes or 0

    def _one(self, kind: Kind) -> Kind:
        """The same tuple for all clips of a kind: there may be 650,000 of them."""
        return self._kinds.setdefault(kind, kind)

    def kinds(self) -> Counter[Kind]:
        """The number of clips of each kind."""
        return Counter(self.clips.values())


class _Keep(beam.DoFn):
    """Hands every element to a method of ``PlannedClips``.

    The graph runs in this process and nothing of it is repeated, so it needs no shuffle.
    """

    kept: ClassVar[dict[str, PlannedClips]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, run: str, name: str) -> None:
        self._run, self._name = run, name

    def process(self, element: Any) -> None:
        with self.lock:
            planned = self.kept[self._run]
            match self._name:
                case "tasks":
                    planned.add_task(element)
                case "rows":
                    planned.add_row(element)
                case "read" | "wanted" | "notes":
                    getattr(planned, self._name).append(element)
                case _:
                    setattr(planned, self._name, element)


def plan_clips(config: Config, sample: int) -> PlannedClips:
    """Run the first four steps here, with nothing written.

    ``sample`` is the largest number of loose files that will be drawn.

    Raises:
        RunError: what the run would raise, also as text in an error of the runner.
    """
    engine = LocalEngine(PipelineOptions([]))  # whatever --runner says
    job = engine.pipeline()
    annotations, sources, earlier, plan = pipeline.build_plan(job, config, writes=False)
    kept = {
        "tasks": plan.tasks,
        "rows": plan.rows,
        "wanted": plan.wanted,
        "unannotated": plan.unannotated,
        "label_ids": annotations.label_ids,
        "searched": sources.archives.searched,
        "read": sources.archives.read,
        "passed_over": sources.passed_over,
        "notes": earlier.notes,
    }
    if annotations.merge:
        notes = (earlier.notes, annotations.merge.notes)
        kept["notes"] = notes | "Notes" >> beam.Flatten()
        kept["merged"] = annotations.merge.merged
    run = uuid.uuid4().hex
    planned = _Keep.kept[run] = PlannedClips(config, Reservoir(sample))
    try:
        for name, collection in kept.items():
            collection | f"Keep {name}" >> beam.ParDo(_Keep(run, name))
        engine.run(job, config)
    finally:
        del _Keep.kept[run]
    _refuse_to_shrink(config, planned.clips)
    return planned


def _refuse_to_shrink(config: Config, clip_ids: Iterable[str]) -> None:
    """Raise InputError if the run would refuse at its end to make the output smaller."""
    if config.shrink or config.shard is not None or not config.annotations:
        return
    known = {*clip_ids}
    for split in config.splits:
        with suppress(FileNotFoundError, DamagedError):  # it tells nothing of earlier clips
            earlier = clips_in(config.output, [manifest_of(split)])
            refuse_lost([clip_id for clip_id, _ in earlier if clip_id not in known], split, config)
