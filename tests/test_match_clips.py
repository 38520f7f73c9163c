"""Which file is which clip."""

import random
from collections import Counter
from collections.abc import Iterable

import apache_beam as beam
import pytest
from apache_beam import pvalue
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.elements import Annotation, ResizeTask, Row, Unannotated, Video
from beam_pipeline.errors import InputError, message_of
from beam_pipeline.plan.candidates import find_candidates, group_of
from beam_pipeline.plan.decide import decide, finished_rows
from beam_pipeline.plan.match_clips import (
    ROWS,
    UNANNOTATED,
    MatchClips,
    add_unannotated,
    base_name,
)
from beam_pipeline.plan.resolve_annotations import resolve_annotations
from beam_pipeline.sources.find_sources import check_found
from tests.kinetics import configured, on_beam

LABEL_IDS = {"abseiling": 0, "zumba": 1}


def stated(
    clip_id: str, label: str | None = "abseiling", split: str = "val",
    place: tuple[int, str, int] = (0, "f.csv", 1),
) -> Annotation:  # fmt: skip
    youtube_id, start, end = clip_id.rsplit("_", 2)
    return Annotation(youtube_id, int(start), int(end), label, split, (*place, 0))


def decided(
    annotations: Iterable[Annotation], videos: Iterable[Video | str] = ()
) -> dict[str, ResizeTask | Row]:
    """What is decided for each clip."""
    clips = resolve_annotations(annotations, LABEL_IDS)
    files = [video if isinstance(video, Video) else Video(video, 0, 1) for video in videos]
    candidates = find_candidates(clips, files)
    decisions = {
        resolved.clip.clip_id: decide(resolved, candidates, "", None) for resolved in clips
    }
    assert len(decisions) == len(clips)
    return decisions


def sources(decision: ResizeTask | Row) -> list[str]:
    assert isinstance(decision, ResizeTask)
    return [path for path, _ in decision.sources]


def count_unannotated(annotations: Iterable[Annotation], *paths: str) -> int:
    videos = [Video(path, rank, 1) for rank, path in enumerate(paths)]
    return find_candidates(resolve_annotations(annotations, LABEL_IDS), videos).unannotated.files


# What is stated


def test_a_clip_stated_again_alike_counts_once() -> None:
    again = stated("abc_000001_000011", place=(1, "g.csv", 9))
    (resolved,) = resolve_annotations([stated("abc_000001_000011"), again], LABEL_IDS)
    assert resolved.conflict is None
    assert (resolved.clip.label, resolved.clip.label_id) == ("abseiling", 0)


@pytest.mark.parametrize("labels", [(None, "zumba"), ("zumba", None)])
def test_a_stated_label_beats_none(labels: tuple[str | None, ...]) -> None:
    (resolved,) = resolve_annotations(
        [stated("abc_000001_000011", label) for label in labels], LABEL_IDS
    )
    assert (resolved.clip.label, resolved.clip.label_id) == ("zumba", 1)
    assert resolved.conflict is None


def test_a_clip_without_any_label_has_the_id_minus_one() -> None:
    (resolved,) = resolve_annotations([stated("abc_000001_000011", None)], LABEL_IDS)
    assert (resolved.clip.label, resolved.clip.label_id) == (None, -1)


def test_two_labels_are_a_conflict_whose_detail_names_both_places() -> None:
    row = decided(
        [
            stated("abc_000001_000011", "zumba", place=(0, "val.csv", 7)),
            stated("abc_000001_000011", "abseiling", place=(1, "more.csv", 3)),
        ],
        ["/v/abc_000001_000011.mp4"],
    )["abc_000001_000011"]
    assert isinstance(row, Row)
    assert (row.status, row.reason, row.label) == ("failed", "conflicting_annotations", None)
    assert row.detail == "zumba in val.csv line 7; abseiling in more.csv line 3"


def test_two_splits_are_a_conflict_that_stands_in_the_one_stated_first() -> None:
    first = stated("abc_000001_000011", split="test", place=(0, "z.csv", 5))
    second = stated("abc_000001_000011", split="train", place=(1, "a.csv", 2))
    row = decided([second, first])["abc_000001_000011"]
    assert isinstance(row, Row)
    assert (row.status, row.reason, row.split, row.label) == (
        "failed", "conflicting_annotations", "test", None,
    )  # fmt: skip
    assert "test in z.csv line 5" in row.detail


@pytest.mark.parametrize(
    "places", [((0, "a", 2), (0, "a", 10)), ((0, "a", 9), (0, "b", 1)), ((2, "z", 1), (10, "a", 1))]
)
def test_first_is_by_argument_then_file_then_line(places: tuple) -> None:
    first, second = places
    both = [
        stated("abc_000001_000011", split="train", place=second),
        stated("abc_000001_000011", split="test", place=first),
    ]
    (resolved,) = resolve_annotations(both, LABEL_IDS)
    assert resolved.clip.split == "test"


def test_two_segments_of_one_video_are_two_clips_whatever_their_labels() -> None:
    clips = resolve_annotations(
        [stated("abc_000001_000011"), stated("abc_000030_000040", "zumba")], LABEL_IDS
    )
    assert [resolved.conflict for resolved in clips] == [None, None]


# Which file


@pytest.mark.parametrize("extension", ["mp4", "MP4", "mkv", "WebM", "avi", "mov"])
def test_a_file_is_matched_by_its_base_name_in_any_folder(extension: str) -> None:
    path = f"/videos/any where/abc_000001_000011.{extension}"
    assert sources(decided([stated("abc_000001_000011")], [path])["abc_000001_000011"]) == [path]


@pytest.mark.parametrize("youtube_id", ["--nQbRBEz2s", "a_b_c", "_", "abc_000001_000002", "123456"])
def test_any_id_is_matched_in_full_and_bare(youtube_id: str) -> None:
    clip_id = f"{youtube_id}_000001_000011"
    for name in (clip_id, youtube_id):
        assert sources(decided([stated(clip_id)], [f"/v/{name}.mp4"])[clip_id]) == [
            f"/v/{name}.mp4"
        ]


def test_times_of_seven_digits_are_matched() -> None:
    clip_id = "abc_1000000_1000010"
    assert sources(decided([stated(clip_id)], [f"/v/{clip_id}.mp4"])[clip_id])


def test_another_segment_of_the_video_is_not_the_clip() -> None:
    decision = decided([stated("abc_000001_000011")], ["/v/abc_000001_000012.mp4"])
    assert decision["abc_000001_000011"].status == "missing"
    assert count_unannotated([stated("abc_000001_000011")], "/v/abc_000001_000012.mp4") == 1


def test_names_are_matched_exactly() -> None:
    row = decided([stated("abc_000001_000011")], ["/v/ABC_000001_000011.mp4", "/v/xabc.mp4"])
    assert row["abc_000001_000011"].status == "missing"


def test_a_clip_without_a_file_is_missing() -> None:
    row = decided([stated("abc_000001_000011")])["abc_000001_000011"]
    assert (row.status, row.reason, row.label, row.label_id) == (
        "missing",
        "no_file",
        "abseiling",
        0,
    )


def test_a_bare_id_of_two_clips_is_ambiguous_for_both() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000030_000040")]
    for row in decided(both, ["/v/abc.mp4"]).values():
        assert (row.status, row.reason, row.source) == ("failed", "ambiguous", "/v/abc.mp4")
        assert row.clip_id in row.detail
    assert count_unannotated(both, "/v/abc.mp4") == 0


def test_a_full_name_settles_what_the_bare_id_leaves_open() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000030_000040")]
    decisions = decided(both, ["/v/abc.mp4", "/v/abc_000001_000011.mp4"])
    assert sources(decisions["abc_000001_000011"]) == ["/v/abc_000001_000011.mp4"]
    assert decisions["abc_000030_000040"].reason == "ambiguous"


def test_a_bare_id_is_ambiguous_also_between_splits() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000030_000040", None, "test")]
    assert {row.reason for row in decided(both, ["/v/abc.mp4"]).values()} == {"ambiguous"}


def test_a_name_that_is_one_clips_and_another_clips_bare_id_is_the_former() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000001_000011_000005_000015")]
    decisions = decided(both, ["/v/abc_000001_000011.mp4"])
    assert sources(decisions["abc_000001_000011"]) == ["/v/abc_000001_000011.mp4"]
    assert decisions["abc_000001_000011_000005_000015"].status == "missing"


def test_of_several_files_rank_wins_then_the_full_name_then_the_smallest_path() -> None:
    files = [
        Video("/b/abc_000001_000011.mp4", 1, 10),
        Video("/a/abc.mp4", 1, 10),
        Video("/c/abc_000001_000011.mkv", 1, 10),
        Video("/z/abc.mp4", 0, 10),
        Video("/a/abc_000001_000011.mp4", 2, 10),
    ]
    assert sources(decided([stated("abc_000001_000011")], files)["abc_000001_000011"]) == [
        "/z/abc.mp4", "/b/abc_000001_000011.mp4", "/c/abc_000001_000011.mkv", "/a/abc.mp4",
        "/a/abc_000001_000011.mp4",
    ]  # fmt: skip


def test_of_equal_names_a_common_extension_goes_first() -> None:
    clips = resolve_annotations([stated("abc_000001_000011")], LABEL_IDS)
    paths = ["/a/abc_000001_000011.flv", "/b/abc_000001_000011.mp4", "/a/abc.mp4"]
    candidates = find_candidates(clips, [Video(path, 0, 1) for path in paths])
    (sources,) = candidates.sources.values()
    assert [video.path for video in sources] == [paths[1], paths[0], paths[2]]


def test_a_file_that_two_arguments_name_is_tried_once() -> None:
    files = [Video("/a/abc.mp4", 1, 10), Video("/a/abc.mp4", 0, 10)]
    assert sources(decided([stated("abc_000001_000011")], files)["abc_000001_000011"]) == [
        "/a/abc.mp4"
    ]


def test_a_file_that_two_arguments_name_is_unannotated_once() -> None:
    assert count_unannotated([], "/v/abc.mp4", "/v/abc.mp4", "/w/abc.mp4") == 2


def test_conflicting_annotations_leave_their_file_annotated() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000001_000011", "zumba")]
    assert count_unannotated(both, "/v/abc_000001_000011.mp4") == 0


# What was made before

MADE = Row(
    "abc_000001_000011", "abc", "val", "abseiling", "resized", label_id=0, bytes=7,
    path="videos/val/abseiling/abc_000001_000011.mp4", seconds=1.5, source="/v/abc.mp4",
)  # fmt: skip


@pytest.mark.parametrize(("size", "finished"), [(7, True), (6, False), (None, False)])
def test_a_clip_is_finished_if_its_output_has_just_the_rows_bytes(
    size: int | None, finished: bool
) -> None:
    output = configured().output
    made = Video(output.url(MADE.path), 0, size)
    assert finished_rows([MADE], [made], output) == ({MADE.path: MADE} if finished else {})


def test_a_row_without_its_output_is_nothing() -> None:
    failed = Row("def_000001_000011", "def", "val", None, "failed", reason="timeout")
    assert finished_rows([MADE, failed], [], configured().output) == {}


def test_a_clip_whose_rows_tell_of_two_sources_is_made_again() -> None:
    output = configured().output
    there = [Video(output.url(str(MADE.path)), 0, MADE.bytes)]
    other = MADE._replace(source="/b.tar/abc.mp4", sha256="other", bytes=8)
    assert finished_rows([MADE, other], there, output) == {}
    for same in (other._replace(sha256=MADE.sha256), other._replace(source=MADE.source)):
        assert finished_rows([MADE, same], there, output) == {MADE.path: MADE}


def test_a_finished_clip_is_reused_under_what_is_annotated_now() -> None:
    (resolved,) = resolve_annotations([stated("abc_000001_000011", "zumba")], LABEL_IDS)
    candidates = find_candidates([resolved], [Video("/v/abc.mp4", 0, 1)])
    row = decide(resolved, candidates, MADE.path, MADE)
    assert isinstance(row, Row)
    assert (row.status, row.label, row.label_id, row.seconds) == ("reused", "zumba", 1, None)
    assert (row.path, row.bytes, row.source) == (MADE.path, 7, "/v/abc.mp4")


def test_contradicting_annotations_are_not_overruled_by_an_output() -> None:
    both = [stated("abc_000001_000011"), stated("abc_000001_000011", "zumba")]
    (resolved,) = resolve_annotations(both, LABEL_IDS)
    assert decide(resolved, find_candidates([resolved], []), MADE.path, MADE).status == "failed"


# The key


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("--nQbRBEz2s_000104_000114", "--nQbRBEz2s"),
        ("--nQbRBEz2s", "--nQbRBEz2s"),
        ("a_12345", "a_12345"),
        ("a_000001_000011_000005_000015", "a"),
    ],
)
def test_a_clip_and_its_video_share_a_group(name: str, group: str) -> None:
    assert group_of(name) == group


# Properties. The ids are few and nasty, so that names meet in every way.

youtube_ids = st.sampled_from(
    ["a", "a_b", "-", "a_000001_000002", "a_000001", "000001_000002", "_"]
)
segments = st.sampled_from([(0, 1), (1, 2), (1, 3)])
annotation_lists = st.lists(
    st.builds(
        lambda youtube_id, segment, label, split, place: Annotation(
            youtube_id, *segment, label, split, (*place, 0)
        ),
        youtube_ids, segments, st.sampled_from(["abseiling", "zumba", None]),
        st.sampled_from(["train", "val"]),
        st.tuples(st.integers(0, 1), st.sampled_from("fg"), st.integers(1, 30)),
    ),
    max_size=6, unique_by=lambda annotation: annotation.place,
)  # fmt: skip
names = st.one_of(
    youtube_ids,
    st.builds(lambda i, s: f"{i}_{s[0]:06d}_{s[1]:06d}", youtube_ids, segments),
    st.sampled_from(["b", "a_1_2"]),
)
video_lists = st.lists(
    st.builds(
        lambda folder, name, extension, rank: Video(f"/{folder}/{name}{extension}", rank, 1),
        st.sampled_from("xy"), names, st.sampled_from([".mp4", ".MKV"]), st.integers(0, 2),
    ),
    max_size=8, unique_by=lambda video: video.path,
)  # fmt: skip


@given(annotation_lists, video_lists)
def test_every_clip_gets_one_decision_and_every_file_one_use(
    annotations: list[Annotation], videos: list[Video]
) -> None:
    clips = resolve_annotations(annotations, LABEL_IDS)
    assert [s.clip.clip_id for s in clips] == sorted({a.clip_id for a in annotations})
    candidates = find_candidates(clips, videos)
    uses = Counter(
        video.path
        for files in (*candidates.sources.values(), *candidates.ambiguous.values())
        for video in files
    )
    assert set(uses.values()) <= {1}
    assert len(uses) + candidates.unannotated.files == len(videos)


@given(annotation_lists, video_lists)
def test_each_decision_follows_the_rule_as_it_is_stated(
    annotations: list[Annotation], videos: list[Video]
) -> None:
    clips_of: dict[str, set[str]] = {}
    for annotation in annotations:
        clips_of.setdefault(annotation.youtube_id, set()).add(annotation.clip_id)
    clip_ids = set().union(*clips_of.values()) if clips_of else set()
    for clip_id, decision in decided(annotations, videos).items():
        mine = [a for a in annotations if a.clip_id == clip_id]
        youtube_id = mine[0].youtube_id
        full = [v for v in videos if base_name(v.path) == clip_id]
        bare = [v for v in videos if base_name(v.path) == youtube_id and youtube_id not in clip_ids]
        alone = len(clips_of[youtube_id]) == 1
        expected = sorted(
            [(v.rank, False, v.path) for v in full]
            + [(v.rank, True, v.path) for v in bare if alone]
        )
        if len({a.label for a in mine} - {None}) > 1 or len({a.split for a in mine}) > 1:
            assert (decision.status, decision.reason) == ("failed", "conflicting_annotations")
            assert decision.label is None
        elif expected:
            assert sources(decision) == [path for _, _, path in expected]
        elif bare:
            assert (decision.status, decision.reason) == ("failed", "ambiguous")
        else:
            assert (decision.status, decision.reason) == ("missing", "no_file")
        decided_on = decision.clip if isinstance(decision, ResizeTask) else decision
        assert decided_on.split == min(mine, key=lambda a: a.place).split


@given(annotation_lists, video_lists, st.randoms(use_true_random=False))
def test_the_order_in_which_a_shuffle_brings_them_does_not_matter(
    annotations: list[Annotation], videos: list[Video], shuffle: random.Random
) -> None:
    before = decided(annotations, videos)
    shuffle.shuffle(annotations)
    shuffle.shuffle(videos)
    assert decided(annotations, videos) == before


@given(annotation_lists, video_lists)
def test_groups_can_be_decided_apart(annotations: list[Annotation], videos: list[Video]) -> None:
    groups = {group_of(a.youtube_id) for a in annotations}
    apart: dict[str, ResizeTask | Row] = {}
    for group in groups:
        apart |= decided(
            [a for a in annotations if group_of(a.youtube_id) == group],
            [v for v in videos if group_of(base_name(v.path)) == group],
        )
    assert apart == decided(annotations, videos)


# On Beam


def run_match(
    annotations: list[Annotation], videos: list[Video], check, *flags: str, found: int = 1,
    rows: Iterable[Row] = (), outputs: Iterable[Video] = (),
) -> None:  # fmt: skip
    """Run the transform and hand its outputs to ``check``."""
    with on_beam() as pipeline:
        check(
            {
                "annotations": pipeline
                | "A" >> beam.Create(annotations).with_output_types(Annotation),
                "videos": pipeline | "V" >> beam.Create(videos).with_output_types(Video),
                "members": pipeline | "I" >> beam.Create([]).with_output_types(Video),
                "rows": pipeline | "R" >> beam.Create(list(rows)).with_output_types(Row),
                "outputs": pipeline | "M" >> beam.Create(list(outputs)).with_output_types(Video),
            }
            | MatchClips(
                configured(*flags),
                pvalue.AsSingleton(pipeline | "L" >> beam.Create([LABEL_IDS])),
                pvalue.AsSingleton(pipeline | "F" >> beam.Create([found])),
                pvalue.AsSingleton(pipeline | "N" >> beam.Create([None])),
                pvalue.AsSingleton(pipeline | "K" >> beam.Create([[]])),
                pvalue.AsSingleton(pipeline | "S" >> beam.Create([{}])),
            )
        )


def test_tasks_rows_and_strangers_come_out_of_beam() -> None:
    annotations = [
        stated("abc_000001_000011"),
        stated("def_000001_000011", "zumba"),
        stated("ghi_000001_000011", None, "train"),
    ]
    videos = [
        Video("/v/abc_000001_000011.mp4", 0, 7),
        Video("/v/abc.mkv", 0, None),
        Video("/v/stranger.mp4", 0, 7),
        Video("/v/abc_000009_000011.mp4", 0, 7),
        Video("/v/ghi.mp4", 0, 7),
    ]

    def check(candidates: pvalue.DoOutputsTuple) -> None:
        tasks = candidates.tasks | beam.Map(
            lambda task: (task.clip.clip_id, task.clip.label_id, task.sources)
        )
        assert_that(
            tasks,
            equal_to(
                [("abc_000001_000011", 0, (("/v/abc_000001_000011.mp4", 7), ("/v/abc.mkv", None)))]
            ),
        )
        rows = candidates[ROWS] | "Of rows" >> beam.Map(lambda row: (row.clip_id, row.status))
        assert_that(rows, equal_to([("def_000001_000011", "missing")]), "rows")
        total = candidates[UNANNOTATED] | beam.CombineGlobally(add_unannotated)
        assert_that(total, equal_to([Unannotated(2)]), "unannotated")

    run_match(annotations, videos, check, "--splits", "val")


def test_no_video_at_all_is_an_error_that_names_the_folders() -> None:
    with pytest.raises(InputError, match="no video under /v, /w"):
        check_found(0, ["/v", "/w"])
    assert check_found(5, ["/v"]) == 5


def test_a_path_with_the_separator_in_it_is_an_error_that_names_the_flag() -> None:
    with pytest.raises(Exception, match="separator") as caught:
        run_match([stated("a b_000001_000011")], [], lambda candidates: None)
    said = message_of(caught.value)
    assert "a b_000001_000011" in said
    assert "--separator" in said
