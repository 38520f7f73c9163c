"""Step 5, work: make every planned clip from loose files and archives."""

from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_annotations import Annotations
from beam_pipeline.batches import Gather
from beam_pipeline.config import Config
from beam_pipeline.elements import ReadArchive, ResizeTask, Row
from beam_pipeline.errors import InputError
from beam_pipeline.plan.plan_work import Plan
from beam_pipeline.plan.wanted_clips import key_of
from beam_pipeline.sources.find_sources import Sources
from beam_pipeline.work.fetch_clips import FetchClips
from beam_pipeline.work.resize_clips import ResizeClips
from beam_pipeline.work.resize_members import READ, ResizeMembers
from beam_pipeline.work.search_archives import SEARCHED, SearchAgain, SearchArchives
from beam_pipeline.work.try_next import TryNextSources
from beam_pipeline.work.worker_pool import NEXT, RETRIES, ROWS


class Work(NamedTuple):
    """The results of the work.

    rows: one collection of Row per stage, in order; a clip may have rows in several stages.
    archives: one element, the list of archives that were read (ReadArchive).
    retries: one element, the number of retried storage requests; empty without any work.
    notes: for the user (str); a collection of each stage that may have some.
    """

    rows: tuple[beam.PCollection[Row], ...]
    archives: beam.PCollection[list[ReadArchive]]
    retries: beam.PCollection[int]
    notes: tuple[beam.PCollection[str], ...]


class MakeClips(beam.PTransform):
    """Make clips from planned tasks and archives; returns ``Work``.

    First every clip is made from its best source: a loose file, a member of an archive whose names
    are known, or whichever other archive turns out to hold it. All of this goes on at once. The
    few clips whose sources were no good are tried again with what comes next, and then are
    searched for in the other archives. What is found nowhere is fetched at last, with ``--fetch``.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, steps: tuple[Annotations, Sources, Plan]) -> Work:
        annotations, sources, plan = steps
        tables = (
            pvalue.AsSingleton(annotations.label_ids),
            pvalue.AsSingleton(plan.class_sizes),
            pvalue.AsList(plan.wanted),
        )
        # Not a Partition, which loses the type of the tasks and with it their coder.
        loose = plan.tasks | "Loose" >> beam.Filter(lambda task: task.archive is None)
        in_archives = plan.tasks | "In archives" >> beam.Filter(
            lambda task: task.archive is not None
        )
        clips = loose | "Clips" >> ResizeClips(self._config)
        members = in_archives | "Members" >> ResizeMembers(self._config)
        searched = sources.archives.searched | "Archives" >> SearchArchives(self._config, *tables)
        left = (clips[NEXT], members[NEXT]) | "Left" >> beam.Flatten()
        others = (
            left
            | "With sources" >> beam.Filter(lambda task: bool(task.sources))
            | "Others" >> TryNextSources(self._config)
        )
        failed = (
            (left, others[NEXT])
            | "Tried" >> beam.Flatten()
            | "Failed" >> beam.FlatMap(_key_of_failed).with_output_types(bytes)
        )
        again = searched[SEARCHED] | "Archives again" >> SearchAgain(
            self._config, *tables, pvalue.AsList(failed)
        )
        stages = [clips, members, searched, others, again]
        rows = [stage[ROWS] for stage in stages]
        retries = [stage[RETRIES] for stage in stages]
        notes: tuple[beam.PCollection[str], ...] = ()
        if self._config.fetch is not None:
            class_sizes = pvalue.AsSingleton(plan.class_sizes)
            fetched = (plan.rows, *rows) | "Fetch" >> FetchClips(self._config, class_sizes)
            rows.append(fetched.rows)
            retries.append(fetched.retries)
            notes = (fetched.notes,)
        return Work(
            tuple(rows),
            (sources.archives.read, *(stage[READ] for stage in stages[1:]))
            | "Read archives" >> beam.Flatten()
            | "All read archives" >> Gather()
            | "Check archives" >> beam.Map(check_archives, pvalue.AsSingleton(sources.count)),
            retries
            | "Retries" >> beam.Flatten()
            | "Count retries" >> beam.CombineGlobally(sum).without_defaults(),
            notes,
        )


def _key_of_failed(task: ResizeTask) -> list[bytes]:
    return [] if task.sources else [key_of(task.clip)]


def check_archives(read: Sequence[ReadArchive], sources: int) -> list[ReadArchive]:
    """The archives that were read, each once, sorted by path.

    ``sources`` is the number of archives and loose files found.

    Raises:
        InputError: all sources are archives and none could be read.
    """
    by_path: dict[str, ReadArchive] = {}
    for archive in read:
        known = by_path.setdefault(archive.path, archive)
        by_path[archive.path] = known._replace(
            videos=max(known.videos, archive.videos),
            unannotated=max(known.unannotated, archive.unannotated),
            broken=known.broken or archive.broken,
            is_doubtful=known.is_doubtful or archive.is_doubtful,
            goes_on=known.goes_on or archive.goes_on,
        )
    archives = sorted(by_path.values(), key=lambda archive: archive.path)
    none_read = all(each.broken and not each.videos for each in archives)
    if archives and len(archives) == sources and none_read:
        first = archives[0]
        raise InputError(
            f"no archive could be read; {first.path}: {first.broken}; check "
            "that this address is right and reachable, then run the same command again"
        )
    return archives
