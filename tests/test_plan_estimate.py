"""What ``plan`` makes of its sample: pure functions of numbers."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.commands.plan.estimate import (
    STANDARD_ERRORS,
    Figure,
    Made,
    Reading,
    Sample,
    add,
    bytes_of,
    chosen_clips,
    estimate,
    total_of,
)
from beam_pipeline.commands.plan.forecast import Room, on_dataflow
from beam_pipeline.commands.plan.outcome import outcome_of, worst_classes
from beam_pipeline.commands.plan.planned_clips import MAKE, Kind, PlannedClips
from beam_pipeline.commands.plan.sampling import Population, Reservoir, draw_archives
from beam_pipeline.commands.plan.try_sample import Tried, archives_for, share_of_archives
from beam_pipeline.elements import Archive, Clip, ResizeTask, Row
from beam_pipeline.engines.dataflow_cost import (
    REQUESTS_PRICE,
    Machines,
    cost_of,
    default_machines,
    machines_of,
)
from beam_pipeline.output.output_folder import Output
from beam_pipeline.work.try_clips import Glance
from tests.kinetics import configured

NOBODY = Sample(Population(0, 0, 0, 0.0), [])
NO_ARCHIVES = Reading(0, None)


def task(number: int, size: int | None) -> ResizeTask:
    name = f"clip{number:06d}"
    clip = Clip(f"{name}_000000_000010", name, 0, 10, "train", "zumba", 0)
    return ResizeTask(clip, f"videos/{name}.mp4", ((f"/v/{name}.mp4", size),))


def made(size: int = 100, seconds: float | None = 10.0, **changes) -> Made:
    values = {"codec_seconds": 1.0, "source_seconds": 0.0, "cpu_seconds": 1.0, "written": 50}
    return Made(size, seconds, **values, failed=False)._replace(**changes)


def reservoir(sizes: list[int | None], most: int, order: int = 0) -> Reservoir:
    tasks = [task(number, size) for number, size in enumerate(sizes)]
    random.Random(order).shuffle(tasks)
    of_all = Reservoir(most)
    for each in tasks:
        of_all.add(each)
    return of_all


# The sample


def test_the_sample_depends_on_the_clips_not_on_their_order() -> None:
    sizes: list[int | None] = [1000 * number for number in range(300)]
    first, second = (reservoir(sizes, 20, order).draw(20) for order in (1, 2))
    assert first == second
    assert len({each.clip.clip_id for each in first}) == 20


def test_the_sample_is_spread_over_the_sizes() -> None:
    sizes: list[int | None] = [10_000] * 250 + [1_000_000] * 100 + [30_000_000] * 50
    drawn = Counter(each.sources[0][1] for each in reservoir(sizes, 40).draw(40))
    assert drawn == {10_000: 25, 1_000_000: 10, 30_000_000: 5}


@pytest.mark.parametrize(("clips", "count"), [(5, 40), (40, 40), (41, 40), (1, 1), (0, 3)])
def test_no_more_are_drawn_than_there_are(clips: int, count: int) -> None:
    sizes: list[int | None] = [7**number % 10_007 for number in range(clips)]
    assert len(reservoir(sizes, 40).draw(count)) == min(clips, count)


def test_the_population_is_all_clips() -> None:
    assert reservoir([5, 7, None], 1).population == Population(3, 12, 1, 30.0)


def test_without_annotated_times_there_are_no_seconds() -> None:
    of_all = reservoir([5], 1)
    of_all.add(ResizeTask(Clip("a/b"), "videos/a/b.mp4", (("/v/a/b.mp4", 3),)))
    assert of_all.population == Population(2, 8, 0, None)


def test_archives_are_drawn_by_chance_but_always_the_same() -> None:
    archives = [Archive(f"/a/{number}.tar", 0, 5) for number in range(50)]
    drawn = draw_archives(archives, 8)
    assert drawn == draw_archives(reversed(archives), 8)
    assert drawn != archives[:8]
    assert len(draw_archives(archives, 80)) == 50


def test_the_sample_of_archives_is_from_several() -> None:
    assert [archives_for(clips) for clips in (0, 1, 10, 100)] == [0, 1, 4, 13]


@pytest.mark.parametrize(
    ("count", "loose", "in_archives", "from_archives"),
    [(100, 300, 100, 25), (100, 0, 7, 100), (100, 7, 0, 0), (100, 9999, 1, 2), (100, 1, 9999, 98),
     (3, 1, 9999, 2), (1, 5, 5, 0), (1, 0, 5, 1)],
)  # fmt: skip
def test_some_of_the_sample_are_of_files_and_some_of_archives(
    count: int, loose: int, in_archives: int, from_archives: int
) -> None:
    assert share_of_archives(count, loose, in_archives) == from_archives


def test_what_the_estimate_leaves_out_is_said() -> None:
    glance = Glance(Archive("/a.tar", 0, 5), 0, 0, 0, 0.1, "it ends early")
    nothing = Tried([], [], [glance], [], Population(7, 0, 7, None), 0.0)
    unread, files, archives = nothing.remarks(5)
    assert unread == "/a.tar could not be read: it ends early"
    assert files.startswith("5 clips of files are not in the estimate")
    assert archives.startswith("7 clips of archives are not in the estimate")
    tried = Tried([made()], [made()], [], [], Population(7, 0, 7, None), 0.0)
    assert list(tried.remarks(5)) == []


# Sums over all


def test_what_goes_with_bytes_is_estimated_by_bytes() -> None:
    sample = Sample(Population(100, 50_000, 0, 1000.0), [made(100), made(300), made(700)])
    figure = total_of(sample, lambda each: each.bytes / 2)
    assert figure == pytest.approx((25_000, 25_000, 25_000))


def test_what_goes_with_seconds_is_estimated_by_seconds() -> None:
    sample = Sample(
        Population(100, 50_000, 0, 900.0), [made(3, 10.0), made(900, 4.0), made(50, 6.0)]
    )
    assert total_of(sample, lambda each: 3 * (each.seconds or 0)).value == pytest.approx(2700)


def test_sizes_that_no_listing_tells_are_not_counted_on() -> None:
    sample = Sample(Population(100, 100, 99, None), [made(100, None), made(300, None)])
    assert total_of(sample, lambda each: float(each.bytes)).value == pytest.approx(20_000)


def test_a_sample_of_all_has_no_error() -> None:
    sample = Sample(Population(2, 400, 0, 20.0), [made(100, written=7), made(300, written=9)])
    assert total_of(sample, lambda each: each.written) == Figure(16, 16, 16)


def test_a_sample_of_one_has_no_range() -> None:
    sample = Sample(Population(10, 1000, 0, 100.0), [made(written=7)])
    assert total_of(sample, lambda each: each.written) == Figure(70, None, None)


def test_the_range_holds_the_truth_of_nearly_all_samples() -> None:
    chance = random.Random(7)
    clips = [made(1, written=int(chance.lognormvariate(10, 0.8))) for _ in range(2000)]
    truth = sum(each.written for each in clips)
    held = 0
    for _ in range(200):
        drawn = chance.sample(clips, 100)
        found = total_of(
            Sample(Population(2000, 2000, 0, None), drawn), lambda each: float(each.written)
        )
        held += (found.low or 0) <= truth <= (found.high or 0)
    assert held >= 175


def test_errors_that_have_nothing_to_do_with_each_other_are_added_as_such() -> None:
    both = add([Figure.around(100, 3), Figure.around(50, 4)])
    assert both == pytest.approx((150, 150 - STANDARD_ERRORS * 5, 150 + STANDARD_ERRORS * 5))
    assert add([Figure.exactly(1), Figure.around(5, None)]) == Figure(6, None, None)


def test_bytes_are_known_where_a_listing_tells_them() -> None:
    assert bytes_of(Sample(Population(9, 4321, 0, None), [made(8)])) == Figure(4321, 4321, 4321)
    unknown = bytes_of(Sample(Population(12, 50, 10, None), [made(8), made(12)]))
    assert unknown.value == 50 + 10 * 10
    assert unknown.low is not None
    assert unknown.high is not None
    assert unknown.low < unknown.value < unknown.high


@pytest.mark.parametrize(("most", "expected"), [(None, 200), (1000, 200), (150, 150)])
def test_archives_hold_no_more_clips_than_are_wanted(most: int | None, expected: int) -> None:
    assert chosen_clips(2, 1_000_000, 100_000_000, most) == expected


def test_packed_archives_hold_no_fewer_clips_than_were_seen() -> None:
    assert chosen_clips(48, 32_000_000, 31_000_000, None) == 48


# Time


def loose(count: int = 100, **changes) -> Sample:
    return Sample(Population(count, 100 * count, 0, None), [made(100, None, **changes)] * 10)


def test_workers_share_the_time_of_the_codecs() -> None:
    found = estimate(loose(codec_seconds=2.0), NOBODY, NO_ARCHIVES, 4, 3.0)
    assert found.seconds == pytest.approx((53, 47.7, 58.3))
    assert (found.clips, found.bytes_read.value, found.bytes_written.value) == (100, 10_000, 5000)


def test_a_run_takes_no_less_than_its_longest_clip() -> None:
    found = estimate(loose(12, codec_seconds=2.0), NOBODY, NO_ARCHIVES, 64, 0.0)
    assert found.seconds.value == pytest.approx(2)


def test_slow_storage_is_what_takes_the_time() -> None:
    slow = loose(codec_seconds=1.0, source_seconds=9.0)
    found = estimate(slow, NOBODY, NO_ARCHIVES, 2, 0.0)
    assert found.seconds.value == pytest.approx(100 * 10 / (2 + 2))


def test_a_run_takes_no_less_than_the_download_of_its_archives() -> None:
    packed = Sample(Population(10, 0, 10, None), [made(100, None)] * 2)
    found = estimate(NOBODY, packed, Reading(10**9, 10**6), 8, 5.0)
    assert found.seconds.value == pytest.approx(1005)
    assert found.bytes_read.value == 10**9
    assert found.clips == 10


def test_failures_are_extrapolated_too() -> None:
    sample = Sample(Population(100, 0, 100, None), [made(failed=True), made(), made(), made()])
    assert estimate(sample, NOBODY, NO_ARCHIVES, 1, 0.0).failed.value == pytest.approx(25)


def test_a_run_with_nothing_to_make_only_starts() -> None:
    found = estimate(NOBODY, NOBODY, NO_ARCHIVES, 2, 2.5)
    assert found.seconds == pytest.approx((2.5, 2.25, 2.75))
    assert found.clips == 0


def test_a_time_that_every_clip_was_tried_for_is_not_known_exactly() -> None:
    assert Figure(100, 100, 100).as_time() == pytest.approx((100, 90, 110))
    assert Figure(100, 90, 110).as_time() == pytest.approx((100, 100 - 200**0.5, 100 + 200**0.5))
    assert Figure(100, None, None).as_time() == Figure(100, None, None)
    found = estimate(loose(10, cpu_seconds=3.0), NOBODY, NO_ARCHIVES, 2, 0.0)
    assert found.cpu_seconds == pytest.approx((30, 27, 33))
    assert found.bytes_written == Figure(500, 500, 500)  # as the run will


@pytest.mark.parametrize(
    ("free", "needed", "short"),
    [(100, Figure(90, 80, 99), False), (100, Figure(90, 70, 110), True),
     (100, Figure(101, None, None), True)],
)  # fmt: skip
def test_room_on_the_disk(free: int, needed: Figure, short: bool) -> None:
    assert Room(free, needed).is_short is short


# Counts


def test_a_clip_that_is_to_be_made_counts_once_whatever_rows_it_has() -> None:
    for rows_first in (True, False):
        planned = PlannedClips(configured(), Reservoir(1))
        each = task(1, 5)
        row = Row.of(each.clip, "missing", reason="no_file")
        if rows_first:
            planned.add_row(row)
        planned.add_task(each)
        planned.add_row(row)
        assert planned.kinds() == {Kind("train", "zumba", MAKE): 1}


def test_what_the_site_will_be_asked_for_is_no_loss_yet() -> None:
    clip = task(1, 5).clip
    rows = [Row.of(clip, "missing", reason="no_file"), Row.of(clip, "missing", reason="private")]
    fetching = configured("--fetch", "youtube")
    statuses = []
    for config in (configured(), fetching, replace(fetching, videos=())):
        for row in rows:
            planned = PlannedClips(config, Reservoir(1))
            planned.add_row(row)
            outcome = outcome_of(planned, config)
            statuses.append((dict(outcome.total), outcome.failure is None))
    asked = ({"may_be_fetched": 1}, True)
    lost = ({"missing": 1}, False)
    assert statuses == [lost, lost, asked, lost, asked, lost]


def test_what_may_be_in_an_archive_is_not_asked_for_yet() -> None:
    config = configured("--fetch", "youtube")
    planned = PlannedClips(config, Reservoir(1), searched=[Archive("/a.tar", 0, 5)])
    planned.add_row(Row.of(task(1, 5).clip, "missing", reason="no_file"))
    assert outcome_of(planned, config).total == {"may_be_in_archives": 1}


def test_classes_that_lose_most_come_first() -> None:
    kinds = Counter(
        {
            Kind("train", "few", "missing", "no_file"): 1,
            Kind("train", "few", MAKE): 1,
            Kind("val", "many", "missing", "no_file"): 3,
            Kind("train", "many", "failed", "ambiguous"): 2,
            Kind("train", "many", MAKE): 7,
            Kind("train", "whole", MAKE): 9,
        }
    )
    assert [tuple(loss) for loss in worst_classes(kinds)] == [("few", 2, 1, 0), ("many", 12, 3, 2)]


# Dataflow


@pytest.mark.parametrize(
    ("flags", "machines"),
    [
        ((), Machines(25, 4, 16)),
        (("--num_workers=50", "--machine_type=t2d-standard-8"), Machines(50, 8, 32)),
        (("--max_num_workers=5", "--machine_type=n2-highmem-2"), Machines(5, 2, 16)),
        (("--machine_type=e2-highcpu-16",), Machines(25, 16, 16)),
        (("--machine_type=custom-6-1024",), None),
    ],
)
def test_the_machines_that_options_name(flags, machines: Machines | None) -> None:
    assert machines_of(PipelineOptions(list(flags))) == machines


def test_the_cost_of_a_job() -> None:
    cost = cost_of(1000, 36_000, Machines(5, 4, 16))
    assert cost.machine_hours == pytest.approx(10 * 1.6 * 1.25 / 4)
    assert cost.hours == pytest.approx(cost.machine_hours / 5)
    assert cost.dollars == pytest.approx(
        cost.machine_hours * (4 * 0.056 + 16 * 0.003557) + 1000 * REQUESTS_PRICE
    )
    packed = cost_of(1000, 36_000, Machines(5, 4, 16), in_archives=True)
    assert packed.hours == pytest.approx(1.08 * cost.hours)


DATAFLOW = ("--runner=DataflowRunner", "--region=europe-west4", "--machine_type=custom-6-1024")


def test_a_job_on_dataflow_is_priced_where_one_may_want_it() -> None:
    found = estimate(loose(cpu_seconds=36.0), NOBODY, NO_ARCHIVES, 2, 0.0)
    nothing = PipelineOptions([])
    assert on_dataflow(found, Output("/data/o", ""), nothing, False) is None
    in_bucket = on_dataflow(found, Output("gs://b/o", ""), nothing, False)
    assert in_bucket is not None
    assert in_bucket.dollars.value == pytest.approx(cost_of(100, 3600, default_machines()).dollars)
    assert in_bucket.remarks == []
    asked = on_dataflow(found, Output("/data/o", ""), PipelineOptions(list(DATAFLOW)), False)
    assert asked is not None
    assert asked.machines == default_machines()
    assert ["--machine_type" in asked.remarks[0], "europe-west4" in asked.remarks[1]] == [True] * 2
