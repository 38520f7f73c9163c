"""Step 5, work: every planned clip is made, from loose files and from archives."""

from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
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
    """What the work has given.

    rows: a collection of Row for each stage, in order; a clip may have a row in several.
    archives: one element, the list of archives that were read (ReadArchive).
    retries: one element, how many requests to storage were retried.
    """

    rows: tuple[beam.PCollection[Row], ...]
    archives: beam.PCollection[list[ReadArchive]]
    retries: beam.PCollection[int]


class MakeClips(beam.PTransform):
    """Planned tasks, and archives with wanted clips, to clips in the output: see ``Work``.

    Works in the phases that ``order_archives.py`` explains. Without archives there is one phase,
    of loose files.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, Plan]) -> Work:
        annotations, sources, plan = steps
        label_ids = pvalue.AsSingleton(annotations.label_ids)
        wanted = pvalue.AsList(plan.wanted)
        archives = sources.archives | OrderArchives(self._config)
        # Only files that are named one by one can come behind the last archives.
        phases = len(archives) + any(map(is_video, self._config.videos))
        tasks = plan.tasks | "Phases of tasks" >> beam.Partition(phase_of, phases)
        made = plan.tasks.pipeline | "Nothing made" >> beam.Create([]).with_output_types(bytes)
        stages: list[pvalue.DoOutputsTuple] = []
        read: list[beam.PCollection[ReadArchive]] = []
        for phase, its_tasks in enumerate(tasks):
            if phase:
                made = (made, stages[-1][ROWS]) | f"Made from archives {phase}" >> AddMade()
            clips = its_tasks | f"Clips {phase}" >> ResizeClips(self._config, pvalue.AsList(made))
            stages.append(clips)
            if phase < len(archives):
                made = (made, clips[ROWS]) | f"Made from files {phase}" >> AddMade()
                members = archives[phase] | f"Members {phase}" >> ResizeMembers(
                    self._config, label_ids, wanted, pvalue.AsList(made)
                )
                stages.append(members)
                read.append(members[READ])
        return Work(
            tuple(stage[ROWS] for stage in stages),
            read
            | "Read archives" >> beam.Flatten()
            | "All read archives" >> beam.combiners.ToList()
            | "Check archives" >> beam.Map(check_archives, pvalue.AsSingleton(sources.count)),
            [stage[RETRIES] for stage in stages]
            | "Retries" >> beam.Flatten()
            | "Count retries" >> beam.CombineGlobally(sum),
        )


class AddMade(beam.PTransform):
    """Keys of made clips (bytes, many in one), and rows, to the keys of all of them."""

    def expand(
        self, made_and_rows: tuple[beam.PCollection[bytes], beam.PCollection[Row]]
    ) -> beam.PCollection[bytes]:
        made, rows = made_and_rows
        keys = (
            rows
            | "Made" >> beam.Filter(lambda row: row.status in LISTED)
            | "Key" >> beam.Map(key_of).with_output_types(bytes)
            | "All keys" >> beam.CombineGlobally(b"".join).without_defaults()
        )
        return (made, keys) | "Add" >> beam.Flatten()


def phase_of(task: ResizeTask, phases: int) -> int:
    """The number of a task's phase, out of ``phases``."""
    return min(task.phase, phases - 1)


def check_archives(read: Sequence[ReadArchive], found: int) -> list[ReadArchive]:
    """The archives that were read, sorted; ``found`` counts them and all loose files.

    Raises:
        InputError: there is nothing else, and none of them could be read.
    """
    if len(read) == found and all(archive.broken and not archive.videos for archive in read):
        first = min(read)
        raise InputError(
            f"none of {len(read)} archives could be read; {first.path}: {first.broken}; see "
            "whether that address is right and answers, and run the same command again"
        )
    return sorted(read, key=lambda archive: archive.path)
