"""Step 5, work: make every planned clip from loose files and archives."""

from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, ReadArchive, ResizeTask, Row
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.file_names import is_video
from beam_pipeline.plan.plan_work import Plan
from beam_pipeline.plan.wanted_clips import key_of
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.work.order_archives import OrderArchives
from beam_pipeline.work.resize_clips import ResizeClips
from beam_pipeline.work.resize_members import READ, ResizeMembers
from beam_pipeline.work.worker_pool import RETRIES, ROWS


class Work(NamedTuple):
    """The results of the work.

    rows: one collection of Row per stage, in order; a clip may have rows in several stages.
    archives: one element, the list of archives that were read (ReadArchive).
    retries: one element, the number of retried storage requests; empty without any work.
    """

    rows: tuple[beam.PCollection[Row], ...]
    archives: beam.PCollection[list[ReadArchive]]
    retries: beam.PCollection[int]


class MakeClips(beam.PTransform):
    """Make clips from planned tasks and archives; returns ``Work``.

    The work runs in phases, see ``order_archives.py``. Without archives there is one phase, for
    loose files.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, Plan]) -> Work:
        annotations, sources, plan = steps
        label_ids = pvalue.AsSingleton(annotations.label_ids)
        wanted = pvalue.AsList(plan.wanted)
        archives = sources.archives | OrderArchives(self._config)
        # Only individually named files can have a lower priority than the last archives.
        phases = len(archives) + any(map(is_video, self._config.videos))
        tasks = plan.tasks | "Phases of tasks" >> beam.Partition(phase_of, phases)
        keys = plan.tasks.pipeline | "Nothing made" >> beam.Create([]).with_output_types(bytes)
        stages: list[pvalue.DoOutputsTuple] = []
        read: list[beam.PCollection[ReadArchive]] = []
        for phase, phase_tasks in enumerate(tasks):
            if phase:
                keys = (keys, stages[-1][ROWS]) | f"Made from archives {phase}" >> AddMadeKeys()
            clips = phase_tasks | f"Clips {phase}" >> ResizeClips(self._config, pvalue.AsList(keys))
            stages.append(clips)
            if phase < len(archives):
                keys = (keys, clips[ROWS]) | f"Made from files {phase}" >> AddMadeKeys()
                members = archives[phase] | f"Members {phase}" >> ResizeMembers(
                    self._config, label_ids, wanted, pvalue.AsList(keys)
                )
                stages.append(members)
                read.append(members[READ])
        return Work(
            tuple(stage[ROWS] for stage in stages),
            read
            | "Read archives" >> beam.Flatten()
            | "All read archives" >> Gather()
            | "Check archives" >> beam.Map(check_archives, pvalue.AsSingleton(sources.count)),
            [stage[RETRIES] for stage in stages]
            | "Retries" >> beam.Flatten()
            | "Count retries" >> beam.CombineGlobally(sum).without_defaults(),
        )


class AddMadeKeys(beam.PTransform):
    """Add the keys of clips made in some rows to the keys of clips made before.

    An element of keys is bytes, several keys joined.
    """

    def expand(
        self, keys_and_rows: tuple[beam.PCollection[bytes], beam.PCollection[Row]]
    ) -> beam.PCollection[bytes]:
        made_keys, rows = keys_and_rows
        keys = (
            rows
            | "Made" >> beam.Filter(lambda row: row.status in LISTED)
            | "Key" >> beam.Map(key_of).with_output_types(bytes)
            | "All keys"
            >> beam.CombineGlobally(b"".join).without_defaults().with_output_types(bytes)
        )
        return (made_keys, keys) | "Add" >> beam.Flatten()


def phase_of(task: ResizeTask, phases: int) -> int:
    """The index of a task's phase, below ``phases``."""
    return min(task.phase, phases - 1)


def check_archives(read: Sequence[ReadArchive], sources: int) -> list[ReadArchive]:
    """The archives that were read, sorted by path.

    ``sources`` is the number of archives and loose files found.

    Raises:
        InputError: all sources are archives and none could be read.
    """
    if len(read) == sources and all(archive.broken and not archive.videos for archive in read):
        first = min(read)
        raise InputError(
            f"none of {len(read)} archives could be read; {first.path}: {first.broken}; check "
            "that this address is right and reachable, then run the same command again"
        )
    return sorted(read, key=lambda archive: archive.path)
