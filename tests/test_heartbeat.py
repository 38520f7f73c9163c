"""Heartbeats in a bucket, where a worker on another machine may end the run."""

import time
from collections.abc import Iterator

import pytest

from beam_pipeline.output import heartbeat, leases
from beam_pipeline.output.output_folder import SETTINGS, Output
from beam_pipeline.storage import file_systems
from tests.buckets import BUCKET, Buckets, Call


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.1)
    monkeypatch.setattr(heartbeat, "REMOVAL_TIME", 0.5)
    with Buckets() as buckets:
        monkeypatch.setattr(file_systems, "_options", file_systems.parse_options(buckets.flags[1]))
        yield buckets


def wait_for_beats(buckets: Buckets, beats: int) -> None:
    until = time.monotonic() + 60
    while sum(is_beat(call) for call in buckets.calls) < beats:
        assert time.monotonic() < until
        time.sleep(0.02)


def is_beat(call: Call) -> bool:
    return call.kind == "write" and call.name.endswith("/alive")


def test_heartbeats_continue_until_the_run_ends(buckets: Buckets) -> None:
    output = Output(f"gs://{BUCKET}/out", "0" * 32)
    output.write(SETTINGS, b"{}")
    leases.acquire_lease(output)
    wait_for_beats(buckets, 3)
    assert len(buckets.get(output.url(f"{output.state}/alive"))) >= 2
    leases.remove_state(output)
    assert not buckets.files("out")
    beats = sum(is_beat(call) for call in buckets.calls)
    time.sleep(1)
    assert sum(is_beat(call) for call in buckets.calls) == beats


def test_a_heartbeat_after_the_end_is_removed(buckets: Buckets) -> None:
    output = Output(f"gs://{BUCKET}/out", "0" * 32)
    output.write(SETTINGS, b"{}")

    def end_the_run(call: Call) -> None:
        if is_beat(call) and call.before:  # it was read, and is about to be written again
            for path in buckets.direct().find(f"{BUCKET}/out"):
                buckets.direct().rm_file(path)

    buckets.fault = end_the_run
    leases.acquire_lease(output)
    wait_for_beats(buckets, 2)
    lease = leases._leases.pop(output.url(output.state))
    lease._thread.join(60)
    assert not lease._thread.is_alive()
    assert not buckets.files("out")


def test_a_second_process_of_the_run_lets_the_heartbeat_grow(buckets: Buckets) -> None:
    """A size that was seen before would be that of a dead run."""
    output = Output(f"gs://{BUCKET}/out", "0" * 32)
    output.write(SETTINGS, b"{}")
    output.write(f"{output.state}/alive", b"." * 7)
    leases.acquire_lease(output)
    assert len(buckets.get(output.url(f"{output.state}/alive"))) > 7
    leases.remove_state(output)


def test_who_leaves_a_run_that_goes_on_elsewhere_leaves_its_heartbeat(buckets: Buckets) -> None:
    output = Output(f"gs://{BUCKET}/out", "0" * 32, shared=True)
    output.write(SETTINGS, b"{}")
    leases.begin_shared_run(output)
    leases.release_all(60)
    assert buckets.get(output.url(f"{output.state}/alive"))
    leases.release_lease(output)
    assert not [name for name in buckets.files("out") if name.endswith("/alive")]
