"""The stages of a run in a bucket whose answers fail, break off, or come late."""

import random
import tempfile
from functools import cache
from pathlib import Path

from beam_pipeline.storage import file_systems
from beam_pipeline.storage.file_systems import parse_options
from tests.buckets import BUCKET, Buckets, Call, Fault
from tests.campaign.stages import data, run_stages, settings
from tests.faults.runs import assert_same

FAULTS: tuple[Fault, ...] = (500, 502, 503, 504, 429, 408, "reset", "cut", "slow")


def bucket_faults(seed: int) -> int:
    """Fail a share of the requests of one run; it ends as if all had been answered."""
    chance = random.Random(seed)
    share = chance.uniform(0.02, 0.25)
    buckets, tasks = _buckets(), data().tasks

    def fault(call: Call) -> Fault | None:
        return chance.choice(FAULTS) if chance.random() < share else None

    prefix = f"seed{seed}"
    file_systems.configure(parse_options(buckets.flags[1]))
    buckets.reset()
    buckets.fault = fault
    run_stages(settings(f"gs://{BUCKET}/{prefix}", *buckets.flags), tasks)
    faults = buckets.injected
    buckets.reset()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in buckets.files(prefix).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert_same(Path(folder), data().undisturbed)
    return faults


@cache
def _buckets() -> Buckets:
    return Buckets().__enter__()
