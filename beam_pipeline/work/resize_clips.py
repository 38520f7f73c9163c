"""Make clips from loose files."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.config import Config
from beam_pipeline.elements import ResizeTask, Row
from beam_pipeline.work.make_clip import resize_clip
from beam_pipeline.work.worker_pool import NEXT, RETRIES, ROWS, PooledDoFn, tagged


class ResizeClips(beam.PTransform):
    """Run tasks, one per core at a time. Outputs ``rows``, ``next`` and ``retries``.

    The shuffle in front spreads the tasks evenly over the workers. A runner also restarts from it
    when a worker dies, so nothing before it is repeated.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        return (
            tasks
            | "Spread the work" >> beam.Reshuffle()
            | "Resize"
            >> beam.ParDo(_Resize(self._config))
            .with_output_types(Row, **{NEXT: ResizeTask, RETRIES: int})
            .with_outputs(NEXT, RETRIES, main=ROWS)
        )


class _Resize(PooledDoFn):
    def process(self, task: ResizeTask) -> Iterator[Row | pvalue.TaggedOutput]:
        self._clips.submit(resize_clip, task)
        yield from tagged(self._clips.collect())
