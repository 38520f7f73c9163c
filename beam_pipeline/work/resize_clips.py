"""Make clips from loose files."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import ResizeTask, Row
from beam_pipeline.plan.wanted_clips import key_of, split_keys
from beam_pipeline.work.make_clip import resize_clip
from beam_pipeline.work.worker_pool import RETRIES, ROWS, PooledDoFn


class ResizeClips(beam.PTransform):
    """Run tasks, one per core at a time. Outputs ``rows`` (Row) and ``retries`` (int).

    ``retries`` counts the storage requests that the processes of this stage have retried.
    ``made_keys`` holds the keys of clips that earlier phases made; these are skipped.

    The shuffle in front spreads the tasks evenly over the workers. A runner also restarts from it
    when a worker dies, so nothing before it is repeated.
    """

    def __init__(self, config: Config, made_keys: pvalue.AsList) -> None:
        super().__init__()
        self._config = config
        self._made_keys = made_keys

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "Spread the work" >> beam.Reshuffle()
            | "Resize"
            >> beam.ParDo(_Resize(self._config), self._made_keys)
            .with_output_types(Row, **{RETRIES: int})
            .with_outputs(RETRIES, main=ROWS)
        )


class _Resize(PooledDoFn):
    def start_bundle(self) -> None:
        super().start_bundle()
        self._made_keys: frozenset[bytes] | None = None

    def process(self, task: ResizeTask, made_keys: list[bytes]) -> Iterator[Row]:
        if self._made_keys is None:
            self._made_keys = frozenset(split_keys(made_keys))
        if not self._made_keys or key_of(task.clip) not in self._made_keys:
            self._clips.submit(resize_clip, task)
            yield from self._clips.collect()
