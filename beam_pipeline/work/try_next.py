"""Make clips whose best sources were no good from what comes next."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.batches import batch_by_key, bucket_of, unpack
from beam_pipeline.config import Config
from beam_pipeline.elements import ReadArchive, ResizeTask, Row
from beam_pipeline.work.make_clip import resize_clip
from beam_pipeline.work.resize_members import READ, archive_of, resize_members
from beam_pipeline.work.worker_pool import NEXT, RETRIES, ROWS, PooledDoFn, tagged


class TryNextSources(beam.PTransform):
    """Run tasks until their clips are made or no source is left.

    The outputs are those of ``ResizeMembers``; a ``next`` task has no sources. Tasks of one archive
    are together, so that it is read once for all of them.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(self, tasks: beam.PCollection[ResizeTask]) -> pvalue.DoOutputsTuple:
        types = {NEXT: ResizeTask, READ: ReadArchive, RETRIES: int}
        return (
            tasks
            | "By archive" >> batch_by_key(str, _together)
            | "Tasks of an archive" >> beam.GroupByKey()
            | "Resize"
            >> beam.ParDo(_TryNext(self._config))
            .with_output_types(Row, **types)
            .with_outputs(*types, main=ROWS)
        )


def _together(task: ResizeTask) -> str:
    """A key of tasks that are run together."""
    return archive_of(task) or str(bucket_of(task.path))


class _TryNext(PooledDoFn):
    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Row | pvalue.TaggedOutput]:
        _, batches = element
        tasks = list(unpack(ResizeTask, batches))
        while tasks:
            failed = []
            for output in self._run(tasks):
                if isinstance(output, pvalue.TaggedOutput) and output.tag == NEXT:
                    failed.append(output.value)
                else:
                    yield output
            tasks = [task for task in failed if task.sources]
            yield from (pvalue.TaggedOutput(NEXT, task) for task in failed if not task.sources)

    def _run(self, tasks: list[ResizeTask]) -> Iterator[Row | pvalue.TaggedOutput]:
        """Run tasks with the sources that are next; yields the outputs of ``ResizeMembers``."""
        for archive, together in groupby(sorted(tasks, key=archive_of), archive_of):
            if archive:
                yield from resize_members(list(together), self._clips, self._pool)
            else:
                for task in together:
                    self._clips.submit(resize_clip, task)
                    yield from tagged(self._clips.collect())
        yield from tagged(self._clips.collect(1))
