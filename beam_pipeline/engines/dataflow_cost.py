"""The machines of a job on Dataflow, and what it costs by the processor time of its clips here.

The numbers are assumptions and prices, not bills: ``docs/dataflow.md`` lists them for users.
"""

import re
from typing import NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions

NUM_WORKERS = 25
"""Machines. Their 100 cores resize Kinetics-400 in an hour or two, at the cost of one machine."""

MACHINE_TYPE = "n2d-standard-4"
"""It has 4 GB per core: a clip may need 2 GB, and there is one codec child per core."""

SHARED_CORE = 1.6
"""Slowdown of a clip when two share a physical core. Google counts threads as cores."""

OVERHEAD = 1.25
"""Factor for time without resizing: start-up, the join, the merge, the last clips."""

ARCHIVES = 1.08
"""Factor for archives, which spread worse than loose files: see ``benchmarks/spread.py``."""

CORE_PRICE, MEMORY_PRICE = 0.056, 0.003557
"""Dollars per hour for a core and for a gigabyte: batch jobs in us-central1, from
https://cloud.google.com/dataflow/pricing."""

REQUESTS_PRICE = (0.0050 + 0.0004) / 1000
"""Dollars to write one object and read one."""

_MEMORY_GB = {"standard": 4, "highmem": 8, "highcpu": 1}
"""Gigabytes per core of Google's kinds of machines."""

_MACHINE_TYPE = re.compile(rf"[a-z0-9]+-({'|'.join(_MEMORY_GB)})-([0-9]{{1,3}})")


class Machines(NamedTuple):
    """So many equal machines, each with its cores and its memory in gigabytes."""

    number: int
    cores: int
    memory_gb: int

    @classmethod
    def of_type(cls, count: int, machine_type: str) -> "Machines | None":
        """So many machines of Google's type; None if the type does not tell what they have."""
        known = _MACHINE_TYPE.fullmatch(machine_type)
        if known is None:
            return None
        cores = int(known[2])
        return cls(count, cores, cores * _MEMORY_GB[known[1]])


class Cost(NamedTuple):
    """What a job takes: hours from start to end, hours of all machines together, and dollars."""

    hours: float
    machine_hours: float
    dollars: float


def default_machines() -> Machines:
    """The machines of a job for which no flag names others."""
    machines = Machines.of_type(NUM_WORKERS, MACHINE_TYPE)
    assert machines is not None
    return machines


def machines_of(options: PipelineOptions) -> Machines | None:
    """The machines that the options name; None if their type does not tell what they have."""
    workers = options.view_as(WorkerOptions)
    count = workers.num_workers or min(NUM_WORKERS, workers.max_num_workers or NUM_WORKERS)
    return Machines.of_type(count, workers.machine_type or MACHINE_TYPE)


def cost_of(clips: int, cpu_seconds: float, machines: Machines, in_archives: bool = False) -> Cost:
    """The cost of so many clips, which together take ``cpu_seconds`` of processor time here."""
    work = cpu_seconds / 3600 * SHARED_CORE * OVERHEAD * (ARCHIVES if in_archives else 1)
    machine_hours = work / machines.cores
    price = machines.cores * CORE_PRICE + machines.memory_gb * MEMORY_PRICE
    dollars = machine_hours * price + clips * REQUESTS_PRICE
    return Cost(machine_hours / machines.number, machine_hours, dollars)
