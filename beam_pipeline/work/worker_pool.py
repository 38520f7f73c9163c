"""The worker pool of a process: codec children, the threads that feed them, and a row log."""

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, ClassVar, NamedTuple

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.batches import in_global_window
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.config import Config
from beam_pipeline.elements import ResizeTask, Row
from beam_pipeline.output.leases import acquire_lease
from beam_pipeline.output.row_log import RowLog
from beam_pipeline.output.rows_of_run import RowsOfRun
from beam_pipeline.output.thumbnails import ThumbnailLog
from beam_pipeline.progress import metrics
from beam_pipeline.storage.retries import RETRY_COUNT
from beam_pipeline.work.budget import Budget

ROWS, NEXT, RETRIES = "rows", "next", "retries"
"""Names of the outputs of a stage that makes clips: rows, tasks whose sources were no good, and
the number of retried storage requests."""

READ_AHEAD = 2
"""Extra clips that are read or written while every child is busy."""

MAX_IN_FLIGHT = 128 * 1024**2
"""Bytes in memory of sources that are being made into clips; with many workers more, see below."""

BYTES_PER_WORKER = 16 * 1024**2
"""What a worker may need of it to stay busy: several clips of usual size."""

MAX_ON_DISK = 4 * 1024**3
"""Bytes in temporary files of such sources, per process."""


class ClipResult(NamedTuple):
    """The row of a finished clip, and its processor time.

    ``cpu_seconds`` is None if unknown. ``failed`` is the task if none of its sources is any good.
    ``shares_source`` if the file was read for another clip too, whose result counts its bytes.
    """

    row: Row
    cpu_seconds: float | None
    failed: ResizeTask | None = None
    shares_source: bool = False


class WorkerPool:
    """A pool per run and process, shared by all stages that make clips."""

    _pools: ClassVar[dict[str, "WorkerPool"]] = {}
    _acquiring: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, config: Config) -> None:
        workers = config.workers or usable_cores()
        self.config = config
        self.codecs = CodecPool(workers)
        self.row_log = RowLog(config.output)
        self.thumbnails = ThumbnailLog(config.output)
        self.rows_of_run = RowsOfRun(config.output)
        self.workers = workers
        self.max_in_flight = workers + READ_AHEAD
        self.threads = ThreadPoolExecutor(self.max_in_flight)
        self.memory = Budget(memory_for(workers))
        self.disk = Budget(MAX_ON_DISK)
        # Of loose sources, which threads wait for. Members hold theirs before they get a thread:
        # with one budget for both, all threads could wait for members that wait for a thread.
        self.loose_memory = Budget(memory_for(workers))
        self.loose_disk = Budget(MAX_ON_DISK)
        self._users = 0

    @classmethod
    def acquire(cls, config: Config) -> "WorkerPool":
        """The pool of a run. Call ``release`` once for each call.

        Raises:
            InputError, OutputError: the output cannot be seen or written here.
        """
        if config.output.is_local:  # in a bucket one heartbeat is enough, and many would collide
            acquire_lease(config.output)
        with cls._acquiring:
            name = config.output.url(config.output.state)
            pool = cls._pools.get(name) or cls._pools.setdefault(name, cls(config))
            pool._users += 1
            return pool

    def release(self) -> None:
        """Stop using the pool; the last user closes it."""
        with self._acquiring:
            self._users -= 1
            if not self._users:
                del self._pools[self.config.output.url(self.config.output.state)]
                self.codecs.close()
                self.threads.shutdown(wait=False, cancel_futures=True)


class PooledDoFn(beam.DoFn):
    """A DoFn that runs its work in the pool. It yields rows as clips finish, in any order."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        self._pool = WorkerPool.acquire(self._config)

    def start_bundle(self) -> None:
        self._clips = ClipsInFlight(self._pool)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        for element in tagged(self._clips.drain()):
            if isinstance(element, pvalue.TaggedOutput):
                yield pvalue.TaggedOutput(element.tag, in_global_window(element.value))
            else:
                yield in_global_window(element)
        retries = RETRY_COUNT.read_and_reset()
        metrics.count_retries(retries)
        yield pvalue.TaggedOutput(RETRIES, in_global_window(retries))

    def teardown(self) -> None:
        self._pool.release()


class ClipsInFlight:
    """The clips of one bundle that are being made."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._pending: set[Future[ClipResult]] = set()

    def submit(self, make: Callable[..., ClipResult], *arguments: Any) -> "Future[ClipResult]":
        """Call ``make(*arguments, pool)`` in a thread of the pool."""
        future = self._pool.threads.submit(make, *arguments, self._pool)
        self._pending.add(future)
        return future

    def collect(self, limit: int | None = None) -> list[ClipResult]:
        """Results of finished clips; waits until fewer than ``limit`` clips are in flight.

        The default limit is the pool's ``max_in_flight``.
        """
        results = []
        while len(self._pending) >= (limit or self._pool.max_in_flight):
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                metrics.count_finished(result.row, result.cpu_seconds, result.shares_source)
                results.append(result)
        return results

    def drain(self) -> Iterator[ClipResult]:
        """Yield the results of all remaining clips, then flush the logs and sync the clips."""
        while self._pending:
            yield from self.collect(1)
        # The rows of a part are all that will tell of its clips, so they are as durable.
        self._pool.row_log.close(synced=self._pool.config.shard is not None)
        self._pool.thumbnails.close()
        self._pool.config.output.sync()


def tagged(results: Iterable[ClipResult]) -> Iterator[Row | pvalue.TaggedOutput]:
    """Results as outputs of a stage: rows, and the ``next`` tasks for clips that failed."""
    for result in results:
        yield result.row
        if result.failed is not None:
            yield pvalue.TaggedOutput(NEXT, result.failed.next())


def memory_for(workers: int) -> int:
    """Bytes that sources may take in the memory of a process."""
    return max(MAX_IN_FLIGHT, workers * BYTES_PER_WORKER)


SLURM_CORES = "SLURM_CPUS_PER_TASK"
"""The variable in which SLURM tells a task how many cores it was given."""


def usable_cores() -> int:
    """The number of cores that this process may use.

    Where SLURM does not confine its tasks, each sees all cores of the machine, and only a variable
    says how many are its own.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    given = os.environ.get(SLURM_CORES, "")
    return min(cores, int(given)) if re.fullmatch("0*[1-9][0-9]{0,5}", given) else cores
