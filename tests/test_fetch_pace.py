"""How often the site is asked, by a clock of the tests' own."""

import pytest

from beam_pipeline.fetch.pace import BACK_OFF, MAX_IN_A_ROW, MAX_WAIT, Pace
from beam_pipeline.fetch.reasons import Unavailable


class Clock:
    """A time that passes only in ``sleep``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace((5, 10), clock, clock.sleep)


def limited(**changes) -> Unavailable:
    return Unavailable("rate_limited", "HTTP Error 429", **changes)


def test_there_is_no_pause_before_the_first_request(pace: Pace, clock: Clock) -> None:
    pace.wait()
    assert clock.slept == []


def test_the_pauses_are_random_and_within_their_bounds(pace: Pace, clock: Clock) -> None:
    for _ in range(20):
        pace.succeeded()
        pace.wait()
    assert all(5 <= pause <= 10 for pause in clock.slept)
    assert len({*clock.slept}) == 20


def test_what_was_done_meanwhile_counts(pace: Pace, clock: Clock) -> None:
    pace.succeeded()
    clock.now += 4
    pace.wait()
    assert clock.slept[0] <= 6
    pace.succeeded()
    clock.now += 11
    pace.wait()
    assert len(clock.slept) == 1


def test_there_is_a_pause_after_a_video_that_cannot_be_had(pace: Pace, clock: Clock) -> None:
    assert not pace.failed(Unavailable("private", "Private video"))
    pace.wait()
    assert len(clock.slept) == 1


def test_too_many_requests_are_waited_for_longer_each_time_and_then_end_it(
    pace: Pace, clock: Clock
) -> None:
    for factor in BACK_OFF:
        assert pace.failed(limited())
        pace.wait()
        assert 5 * factor <= clock.slept[-1] <= 10 * factor
    assert pace.stopped is None
    assert not pace.failed(limited())
    assert "HTTP Error 429" in pace.stopped


def test_a_success_begins_the_waits_anew(pace: Pace) -> None:
    for _ in range(3 * len(BACK_OFF)):
        assert pace.failed(limited())
        pace.succeeded()
    assert pace.stopped is None


def test_the_site_may_ask_for_a_longer_wait(pace: Pace, clock: Clock) -> None:
    assert pace.failed(limited(retry_after=300))
    pace.wait()
    assert clock.slept == [300]
    assert not pace.failed(limited(retry_after=MAX_WAIT + 1))
    assert pace.stopped


def test_a_block_ends_it_at_once(pace: Pace) -> None:
    assert not pace.failed(limited(is_block=True))
    assert "blocks" in pace.stopped


@pytest.mark.parametrize("reason", ["network", "fetch_failed"])
def test_what_fails_for_every_video_ends_it(pace: Pace, reason: str) -> None:
    for _ in range(MAX_IN_A_ROW):
        assert pace.stopped is None
        assert not pace.failed(Unavailable(reason, "no route"))
    assert "no route" in pace.stopped


def test_an_answer_that_an_earlier_run_got_ends_nothing(pace: Pace, clock: Clock) -> None:
    for _ in range(MAX_IN_A_ROW - 1):
        pace.failed(Unavailable("network", "no route"))
    for _ in range(MAX_IN_A_ROW):
        assert not pace.failed(Unavailable("fetch_failed", "again"), is_known=True)
        pace.wait()
    assert pace.stopped is None
    assert len(clock.slept) == MAX_IN_A_ROW
    pace.failed(Unavailable("network", "no route"))
    assert pace.stopped


def test_any_number_of_videos_that_cannot_be_had_ends_nothing(pace: Pace) -> None:
    for _ in range(MAX_IN_A_ROW):
        pace.failed(Unavailable("network", "no route"))
        pace.failed(Unavailable("removed", "Video unavailable"))
    assert pace.stopped is None
