"""The work: tasks to clips in the output, and a row for each."""

import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.progress import metrics
from beam_pipeline.storage import retries
from beam_pipeline.storage import files
from beam_pipeline.storage import urls
from beam_pipeline.codec.child import Request
from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.timestamps import Segment
from beam_pipeline.config import Config
from beam_pipeline.elements import Clip, ResizeTask, Row
from beam_pipeline.kinetics.file_names import base_name
from beam_pipeline.plan.match_clips import ROWS
from beam_pipeline.output.output_folder import refusals
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.plan.wanted_clips import key_of, split_keys








class ResizeClips(beam.PTransform):
    """Tasks to ``rows`` (Row), as many at once as there are cores, and ``retries`` (int).

    The latter are all that the processes of this stage have asked storage again, for whatever.
    ``made`` are keys of clips that turns before have made: they are left alone.

    The shuffle in front spreads the tasks evenly over the workers, and is where a runner takes
    up again when a worker dies: what comes before is not done twice.
    """

    def __init__(self, config: Config, made: pvalue.AsList) -> None:
        super().__init__()
        self._config = config
        self._made = made

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "Spread the work" >> beam.Reshuffle()
            | "Resize"
            >> beam.ParDo(_Resize(self._config), self._made)
            .with_output_types(Row, **{RETRIES: int})
            .with_outputs(RETRIES, main=ROWS)
        )





class _Resize(CrewFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._made: frozenset[bytes] | None = None

    def process(self, task: ResizeTask, made: list[bytes]) -> Iterator[Row]:
        if self._made is None:
            self._made = frozenset(split_keys(made))
        if not self._made or key_of(task.clip) not in self._made:
            self._work.submit(resize_clip, task)
            yield from self._work.done()

































