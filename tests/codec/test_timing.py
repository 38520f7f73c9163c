"""The rate that the H.264 header states: readers that trust it find the right frame."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from tests.codec import made_of, opened, outcome_of, times_of
from tests.make_clips import clip, tagged, timed

RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30),
    Fraction(50), Fraction(60000, 1001), Fraction(120), Fraction(1, 10),
]  # fmt: skip


def at(rate: Fraction, frames: int = 12, container: str = "mp4", **more) -> bytes:
    """A clip of that constant rate."""
    tick = Fraction(1, 1000) if container == "matroska" else Fraction(1, rate.numerator)
    times = [round(number / rate / tick) for number in range(frames)]
    return clip(container, size=(96, 64), frames=frames, times=times, tick=tick, **more)


def stated_rate(made: bytes) -> Fraction:
    """Frames a second as the H.264 header itself has them: half its ticks a second."""
    with opened(made) as container:
        next(container.decode(video=0))
        return Fraction(container.streams.video[0].codec_context.framerate)


def packet_durations(made: bytes) -> set[Fraction]:
    with opened(made) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return {(packet.duration or 0) * packet.time_base for packet in packets[:-1]}


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_the_header_states_a_constant_rate(rate: Fraction) -> None:
    made = made_of(at(rate), short_edge=32)
    assert stated_rate(made) == rate
    assert packet_durations(made) == {1 / rate}
    assert times_of(made) == [number / rate for number in range(12)]


def test_a_rate_that_milliseconds_hide_is_stated() -> None:
    made = made_of(at(Fraction(30), 40, "matroska"), short_edge=32)
    assert stated_rate(made) == 30
    assert times_of(made)[:3] == [0, Fraction(33, 1000), Fraction(67, 1000)]


def test_the_header_states_the_average_of_a_variable_rate() -> None:
    times = [0, 1, 2, 10, 11, 12, 20, 21]
    made = made_of(clip(size=(96, 64), frames=8, times=times, tick=Fraction(1, 25)), short_edge=32)
    assert stated_rate(made) == pytest.approx(8 / Fraction(22, 25), rel=0.01)
    assert times_of(made) == [Fraction(time, 25) for time in times]


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(30000, 1001)], ids=str)
def test_the_header_states_the_rate_that_is_asked_for(fps: Fraction) -> None:
    assert stated_rate(made_of(at(Fraction(25), 50), short_edge=32, fps=fps)) == fps


@pytest.mark.parametrize("kind", [
    lambda ready: ready, lambda ready: tagged(ready, tick_rate=24576),
], ids=["right", "wrong"])  # fmt: skip
def test_a_copied_clip_states_its_rate_too(kind: Callable[[bytes], bytes]) -> None:
    ready = clip(size=(96, 64), frames=25, options={"preset": "veryfast"})
    outcome = outcome_of(kind(ready), short_edge=64)
    assert outcome.status == "copied"
    assert outcome.output is not None
    assert stated_rate(outcome.output) == 25
    assert len(times_of(outcome.output)) == 25


@pytest.mark.parametrize(
    "times", [[10, 11, 50], [0, 5, 10, 15, 20, 25, 26, 27, 60], [*range(30), 75, 76]]
)
def test_a_clip_of_variable_rate_is_as_long_as_its_pictures_are_shown(times: list[int]) -> None:
    """Also where the last packet is a picture that is shown before others."""
    outcome = outcome_of(timed("matroska", times), short_edge=32)
    assert outcome.output is not None
    with opened(outcome.output) as container:
        track = container.streams.video[0]
        stated = float((track.duration or 0) * (track.time_base or 0))
    assert stated == pytest.approx((times[-1] + 1 - times[0]) / 25)
    assert stated == pytest.approx(outcome.facts.duration)
