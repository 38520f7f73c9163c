"""What a run takes, with all that its numbers are drawn from: the sample, the disk, the prices."""

import shutil
from typing import NamedTuple

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from beam_pipeline.commands.plan.estimate import Estimate, Figure
from beam_pipeline.commands.plan.shards import Shards
from beam_pipeline.earlier.check_output import nearest_folder
from beam_pipeline.elements import Row
from beam_pipeline.engines.dataflow_cost import (
    Cost,
    Machines,
    cost_of,
    default_machines,
    machines_of,
)
from beam_pipeline.engines.engine import is_runner
from beam_pipeline.output.output_folder import Output
from beam_pipeline.storage import urls

PRICED_REGION = "us-central1"
"""The region whose prices are known here."""


class Room(NamedTuple):
    """Bytes that are free on the disk of the output, and those that a run needs."""

    free: int
    needed: Figure

    @property
    def is_short(self) -> bool:
        """Whether the disk may be full before the run ends."""
        return self.most > self.free

    @property
    def most(self) -> int:
        """The bytes that may be needed."""
        return round(max(self.needed.value, self.needed.high or 0.0))


class OnDataflow(NamedTuple):
    """A job on Dataflow: its machines, and what it takes. ``remarks`` say what was assumed."""

    machines: Machines
    hours: Figure
    machine_hours: Figure
    dollars: Figure
    remarks: list[str]


class Forecast(NamedTuple):
    """What a run takes, and the sample that says so.

    ``rows`` are those of the sample's clips, which took ``sample_seconds``. ``start_seconds`` is
    what a run takes without any clip. ``room`` is None for a bucket, ``dataflow`` if nobody asks.
    ``shards`` is None if the run packs none.
    """

    estimate: Estimate
    rows: list[Row]
    sample_seconds: float
    start_seconds: float
    workers: int
    room: Room | None
    dataflow: OnDataflow | None
    shards: Shards | None


def room_for(needed: Figure, output: Output) -> Room | None:
    """The room on the disk of an output, of which so many bytes are needed; None for a bucket."""
    if not output.is_local:
        return None
    folder = nearest_folder(urls.local_path(output.root))
    return Room(shutil.disk_usage(folder).free, needed)


def on_dataflow(
    found: Estimate, output: Output, options: PipelineOptions, in_archives: bool
) -> OnDataflow | None:
    """The job on Dataflow; None unless one is asked for or the output is in Google's bucket.

    ``in_archives`` is whether most clips are.
    """
    if not (is_runner(options, "dataflow") or urls.protocol_of(output.root) == urls.GOOGLE):
        return None
    remarks = []
    machines = machines_of(options)
    if machines is None:
        machines = default_machines()
        remarks.append("the prices of that --machine_type are not known; the default is assumed")
    region = options.view_as(GoogleCloudOptions).region
    if region is not None and region != PRICED_REGION:
        remarks.append(f"prices are those of {PRICED_REGION}, not of {region}")

    def cost(cpu_seconds: float) -> Cost:
        return cost_of(found.clips, cpu_seconds, machines, in_archives)

    seconds = found.cpu_seconds
    return OnDataflow(
        machines,
        seconds.map(lambda cpu: cost(cpu).hours),
        seconds.map(lambda cpu: cost(cpu).machine_hours),
        seconds.map(lambda cpu: cost(cpu).dollars),
        remarks,
    )
