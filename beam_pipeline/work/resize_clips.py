"""Loose files to clips."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import ResizeTask, Row
from beam_pipeline.plan.wanted_clips import key_of, split_keys
from beam_pipeline.work.make_clip import resize_clip
from beam_pipeline.work.worker_pool import RETRIES, ROWS, PooledDoFn


class ResizeClips(beam.PTransform):
    """Tasks to ``rows`` (Row), as many at once as there are cores, and ``retries`` (int).

    ``retries`` counts every request to storage that a process of this stage has retried.
    ``made`` are keys of clips that earlier phases have made: they are left alone.

    The shuffle in front spreads the tasks evenly over the workers. It is also where a runner
    starts again when a worker dies, so that nothing before it is done twice.
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


class _Resize(PooledDoFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._made: frozenset[bytes] | None = None

    def process(self, task: ResizeTask, made: list[bytes]) -> Iterator[Row]:
        if self._made is None:
            self._made = frozenset(split_keys(made))
        if not self._made or key_of(task.clip) not in self._made:
            self._clips.submit(resize_clip, task)
            yield from self._clips.collect()
