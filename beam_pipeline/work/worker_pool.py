"""The processes and threads that make clips on one machine."""


RETRIES = "retries"


READ_AHEAD = 2
"""Clips that are read or written while every child is busy with another."""


class CrewFn(beam.DoFn):
    """Feeds a crew; rows come out as clips get done, in any order."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def setup(self) -> None:
        self._crew = Crew.join(self._config)

    def start_bundle(self) -> None:
        self._work = Work(self._crew)

    def finish_bundle(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        yield from self._work.finish()

    def teardown(self) -> None:
        self._crew.leave()


class Crew:
    """What makes clips in this process: children that hold codecs, threads that feed them.

    All stages of a run share it.
    """

    _crews: ClassVar[dict[str, "Crew"]] = {}
    _joining: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, config: Config) -> None:
        workers = config.workers or usable_cores()
        self.config = config
        self.pool = CodecPool(workers)
        self.log = RowLog(config.output)
        self.in_flight = workers + READ_AHEAD
        self.threads = ThreadPoolExecutor(self.in_flight)
        self._stages = 0

    @classmethod
    def join(cls, config: Config) -> "Crew":
        """The crew of a run; as often as it is joined it has to be left."""
        with cls._joining:
            name = config.output.url(config.output.state)
            crew = cls._crews.get(name) or cls._crews.setdefault(name, cls(config))
            crew._stages += 1
            return crew

    def leave(self) -> None:
        """End it, if this was its last stage."""
        with self._joining:
            self._stages -= 1
            if not self._stages:
                del self._crews[self.config.output.url(self.config.output.state)]
                self.pool.close()
                self.threads.shutdown(wait=False, cancel_futures=True)


class Work:
    """The clips of one bundle that are under way."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._pending: set[Future[Made]] = set()

    def submit(self, make: Callable[..., Made], *about: Any) -> "Future[Made]":
        """Have ``make(*about, crew)`` done by a thread of the crew."""
        future = self._crew.threads.submit(make, *about, self._crew)
        self._pending.add(future)
        return future

    def done(self, most: int | None = None) -> list[Row]:
        """Rows of finished clips; waits until fewer than ``most`` are under way."""
        rows = []
        while len(self._pending) >= (most or self._crew.in_flight):
            done, self._pending = wait(self._pending, return_when=FIRST_COMPLETED)
            for future in done:
                row, cpu_seconds = future.result()
                metrics.worked(row, cpu_seconds)
                rows.append(row)
        return rows

    def finish(self) -> Iterator[WindowedValue | pvalue.TaggedOutput]:
        """All rows that are left, and the retries there have been, for ``finish_bundle``."""
        while self._pending:
            for row in self.done(1):
                yield at_the_end(row)
        self._crew.log.close()
        times = retries.RETRIES.take()
        metrics.retried(times)
        yield pvalue.TaggedOutput(RETRIES, at_the_end(times))


def at_the_end(element: Any) -> WindowedValue:
    """What ``finish_bundle`` may yield: an element with a window."""
    return WindowedValue(element, MIN_TIMESTAMP, (GlobalWindow(),))


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
