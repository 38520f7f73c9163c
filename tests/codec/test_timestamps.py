"""The clock that says when each frame is shown, as arithmetic."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.codec.timestamps import (
    MAX_FRAME_TICKS,
    MAX_GAP_TICKS,
    MAX_TIMESCALE,
    FrameClock,
    frame_rate,
    output_time_base,
    to_ticks,
)

TICK = Fraction(1, 25)
STAMP = st.none() | st.integers(-1_000_000, 1_000_000)
TIME_BASES = st.builds(Fraction, st.integers(1, 2000), st.integers(1, 10**9)).filter(
    lambda tick: tick <= 1
)


def clock(tick: Fraction = TICK, *, start: Fraction = Fraction(0)) -> FrameClock:
    return FrameClock(tick, tick, start, nominal=TICK)


def times(ticking: FrameClock, stamps: list[tuple[int | None, int | None]]) -> list[int]:
    return [ticking.next(pts, dts, 1)[0] for pts, dts in stamps]


def test_presentation_times_are_used_where_they_advance() -> None:
    assert times(clock(), [(0, -2), (1, -1), (2, 0), (5, 1)]) == [0, 1, 2, 5]


def test_the_start_is_taken_off() -> None:
    assert times(clock(start=Fraction(2)), [(50, 50), (51, 51)]) == [0, 1]


def test_decoding_times_are_used_where_there_are_no_others() -> None:
    assert times(clock(), [(None, 0), (None, 1), (None, 4)]) == [0, 1, 4]


def test_decoding_times_are_used_once_the_others_have_run_backwards() -> None:
    assert times(clock(), [(10, 0), (9, 11), (8, 12), (7, 13)]) == [10, 11, 12, 13]


def test_a_frame_that_is_not_later_moves_to_one_tick_after_the_one_before() -> None:
    assert times(clock(), [(0, None), (3, None), (3, None), (3, None), (9, None)]) == [
        0,
        3,
        4,
        5,
        9,
    ]


def test_a_duration_that_no_mp4_could_hold_does_not_move_the_next_frame_there() -> None:
    ticking = clock()
    ticking.next(0, None, MAX_FRAME_TICKS)
    assert ticking.next(None, None, 1)[0] == MAX_GAP_TICKS


def test_frames_half_an_hour_apart_have_a_rate() -> None:
    hour = 3600 * TICK.denominator
    assert frame_rate([0, hour], 2 * hour, TICK, Fraction(30), TICK) == Fraction(1, 3600)


def test_a_time_that_no_mp4_could_hold_is_not_believed() -> None:
    assert times(clock(), [(0, 0), (1, 1), (MAX_FRAME_TICKS, MAX_FRAME_TICKS), (3, 3)]) == [
        0,
        1,
        2,
        3,
    ]


def test_frames_without_any_time_follow_at_the_duration_of_the_one_before() -> None:
    ticking = clock()
    assert [ticking.next(None, None, 2) for _ in range(3)] == [(0, 2), (2, 2), (4, 2)]


def test_a_frame_that_declares_no_duration_lasts_the_nominal_one() -> None:
    assert clock(Fraction(1, 1000)).next(0, 0, 0) == (0, 40)


def test_span_and_cover_count_the_last_frame_s_duration() -> None:
    ticking = clock()
    times(ticking, [(0, 0), (1, 1), (2, 2)])
    assert ticking.frames == 3
    assert ticking.span == ticking.covered == Fraction(3, 25)


def test_a_hole_spans_time_but_covers_none() -> None:
    ticking = clock()
    times(ticking, [(0, 0), (1, 1), (101, 101)])
    assert ticking.span == Fraction(102, 25)
    assert ticking.covered == Fraction(3, 25)


def test_a_frame_without_a_duration_covers_until_the_next() -> None:
    ticking = clock()
    for stamp in (0, 10, 20):
        ticking.next(stamp, stamp, 0)
    assert ticking.covered == Fraction(21, 25)


@given(st.lists(st.tuples(STAMP, STAMP, st.integers(0, 10_000)), min_size=1), TIME_BASES)
def test_times_increase_whatever_the_source_says(
    stamps: list[tuple[int | None, int | None, int]], tick: Fraction
) -> None:
    ticking = clock(tick)
    made = [ticking.next(*stamp) for stamp in stamps]
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(made))
    assert all(duration >= 1 for _, duration in made)
    assert ticking.frames == len(stamps)
    assert ticking.span > 0
    assert ticking.covered > 0


@given(st.lists(st.integers(0, 1_000_000), min_size=1, unique=True).map(sorted), TIME_BASES)
def test_times_that_increase_come_out_to_the_nearest_tick(
    stamps: list[int], tick: Fraction
) -> None:
    ticking = clock(tick)
    before = -1
    for stamp in stamps:
        made, _ = ticking.next(stamp, stamp, 1)
        exact = stamp * tick / ticking.output_tick
        assert abs(made - exact) <= Fraction(1, 2) or made == before + 1
        before = made


@given(TIME_BASES)
def test_the_output_ticks_in_whole_parts_of_a_second(tick: Fraction) -> None:
    made = output_time_base(tick)
    assert made.numerator == 1
    assert made.denominator <= MAX_TIMESCALE
    if tick.denominator <= MAX_TIMESCALE:
        assert (tick / made).denominator == 1


@pytest.mark.parametrize(
    ("tick", "made"),
    [
        (Fraction(1, 90_000), Fraction(1, 90_000)),
        (Fraction(1001, 30_000), Fraction(1, 30_000)),
        (Fraction(1, 10**9), Fraction(1, 10**6)),
        (Fraction(1, 25), Fraction(1, 12_800)),
        (Fraction(1, 1), Fraction(1, 16_384)),
    ],
)
def test_ticks_of_common_sources(tick: Fraction, made: Fraction) -> None:
    assert output_time_base(tick) == made


def test_a_time_is_told_in_the_nearest_tick() -> None:
    assert to_ticks(Fraction(3, 5), Fraction(1, 2)) == 1
