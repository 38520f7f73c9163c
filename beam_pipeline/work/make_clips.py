"""The work in turns: loose files, then archives, then what comes behind those archives.

What an archive holds shows only when it is read. So there is a turn for each rank that has
archives: the loose files of ranks up to it, then the archives themselves. What a turn has made
is no longer looked for in the next. Without archives there is one turn, for all loose files.
"""

from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import LISTED, Archive, ReadArchive, ResizeTask, Row
from beam_pipeline.kinetics.file_names import is_video
from beam_pipeline.plan.match_clips import ROWS
from beam_pipeline.work.make_clips import check_read
from beam_pipeline.work.resize_clips import ResizeClips
from beam_pipeline.work.worker_pool import RETRIES
from beam_pipeline.work.resize_members import READ, ResizeMembers
from beam_pipeline.plan.wanted_clips import key_of


class Worked(NamedTuple):
    """What has come of the work.

    rows: a collection of Row for each stage, in their order; a clip may have a row in several.
    read: one element, the list of archives that were read (ReadArchive).
    retries: one element, how often storage was asked again.
    """

    rows: tuple[beam.PCollection, ...]
    read: beam.PCollection
    retries: beam.PCollection


class TakeTurns(beam.PTransform):
    """``tasks`` (ResizeTask), and the archives of each turn, to rows: see ``Worked``.

    ``wanted`` is the table of clips that archives are searched for, ``found`` counts the files and
    archives there are.
    """

    def __init__(
        self,
        config: Config,
        archives: Sequence[beam.PCollection[Archive]],
        label_ids: pvalue.AsSingleton,
        wanted: pvalue.AsList,
        found: pvalue.AsSingleton,
    ) -> None:
        super().__init__()
        self._config = config
        self._archives = archives
        self._side_inputs = (label_ids, wanted)
        self._found = found

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> Worked:
        # Behind the last archives there can be nothing but files that are named one by one.
        turns = len(self._archives) + any(map(is_video, self._config.videos))
        in_turns = tasks | "Turns of tasks" >> beam.Partition(turn_of, turns)
        made = tasks.pipeline | "Nothing made" >> beam.Create([]).with_output_types(bytes)
        work: list[pvalue.DoOutputsTuple] = []
        read: list[beam.PCollection[ReadArchive]] = []
        for turn, its_tasks in enumerate(in_turns):
            if turn:
                made = (made, work[-1][ROWS]) | f"Made by archives {turn}" >> AddMade()
            clips = its_tasks | f"Clips {turn}" >> ResizeClips(self._config, pvalue.AsList(made))
            work.append(clips)
            if turn < len(self._archives):
                made = (made, clips[ROWS]) | f"Made by clips {turn}" >> AddMade()
                members = self._archives[turn] | f"Members {turn}" >> ResizeMembers(
                    self._config, *self._side_inputs, pvalue.AsList(made)
                )
                work.append(members)
                read.append(members[READ])
        return Worked(
            tuple(stage[ROWS] for stage in work),
            read
            | "Read archives" >> beam.Flatten()
            | "All read archives" >> beam.combiners.ToList()
            | "Check archives" >> beam.Map(check_read, self._found),
            [stage[RETRIES] for stage in work]
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


def turn_of(task: ResizeTask, turns: int) -> int:
    """The number of a task's turn, of so many."""
    return min(task.turn, turns - 1)
