"""The table of clips that archives are searched for."""

import pytest

from beam_pipeline.elements import Clip, Row
from beam_pipeline.plan.wanted_clips import (
    RECORD,
    Match,
    WantedClips,
    key_of,
    record_of,
    split_keys,
)

LABEL_IDS = {"air drumming": 3, "zumba": 399}


def clip(clip_id: str, label: str | None = "zumba", split: str = "val") -> Clip:
    youtube_id, start, end = clip_id.rsplit("_", 2)
    label_id = -1 if label is None else LABEL_IDS[label]
    return Clip(clip_id, youtube_id, int(start), int(end), split, label, label_id)


ALONE = clip("alone_000001_000011", "air drumming", "train")
UNLABELLED = clip("-_d_000007_000017", None, "test")
ONE, TWO = clip("two_000001_000011"), clip("two_000020_000030")
MADE = clip("made_000001_000011")
LIKE_TIMES = clip("odd_000001_000002_000003_000013")  # the id ends like the times of a clip


def table(*made: Clip) -> WantedClips:
    records = [
        record_of(ALONE, True, True),
        record_of(UNLABELLED, True, True),
        record_of(ONE, True, False),
        record_of(TWO, True, False),
        record_of(MADE, False, True),
        record_of(LIKE_TIMES, True, True),
    ]
    searched = WantedClips(b"".join(records), LABEL_IDS)
    for each in made:
        searched.mark_made(each)
    return searched


def test_a_clip_takes_at_most_32_bytes() -> None:
    assert len(record_of(ALONE, True, True)) == RECORD.itemsize <= 32


@pytest.mark.parametrize("whole", [ALONE, UNLABELLED, ONE, TWO, LIKE_TIMES])
def test_a_full_name_gives_the_clip_as_it_was(whole: Clip) -> None:
    assert table().find(f"any/folder/{whole.clip_id}.mp4") == Match((whole,), True)


@pytest.mark.parametrize("whole", [ALONE, UNLABELLED, LIKE_TIMES])
def test_the_bare_id_of_a_video_with_one_clip_gives_it(whole: Clip) -> None:
    assert table().find(f"{whole.youtube_id}.webm") == Match((whole,), True)


def test_the_bare_id_of_a_video_with_several_clips_is_ambiguous() -> None:
    found = table().find("two.mp4")
    assert set(found.clips) == {ONE, TWO}
    assert found.ambiguous
    assert table(ONE).find("two.mp4") == Match((TWO,), True, True)


@pytest.mark.parametrize(
    "name", ["nobody.mp4", "alone_000001_000012.mp4", "alone_1_11.mp4", "alone_000001_000011_.mp4"]
)
def test_other_names_are_unknown(name: str) -> None:
    assert table().find(name) == Match((), False)


def test_what_is_made_is_known_and_not_wanted() -> None:
    assert table().find("made_000001_000011.mp4") == Match((), True)
    row = Row.of(ALONE, "resized")
    searched = table(ONE)
    searched.mark_made(row)
    assert searched.find("alone.mp4") == Match((), True)
    assert len(searched) == 3
    searched.mark_made(row)
    searched.mark_made(TWO)
    assert len(searched) == 2


def test_it_tells_which_classes_are_wanted() -> None:
    searched = table()
    assert searched.wants_class("air drumming")
    searched.mark_made(ALONE)
    assert not searched.wants_class("air drumming")
    assert searched.wants_class("zumba")
    assert not searched.wants_class("no such class")


def test_where_nothing_is_annotated_everything_is_wanted_that_is_not_made() -> None:
    done, sourced = Clip("a/done"), Clip("b/sourced")
    records = record_of(done, False, False) + record_of(sourced, True, True, has_source=True)
    searched = WantedClips(records, {}, annotated=False)
    assert searched.find("a/done") == Match((), True)
    assert searched.find("b/sourced") == Match((), True, passed=(key_of(sourced),))
    assert searched.find("a/new") == Match((Clip("a/new"),), True)
    searched.mark_made(Clip("a/new"))
    assert searched.find("a/new").clips == ()
    assert searched.wants_any
    searched.want_only([key_of(sourced)])
    assert searched.find("b/sourced").clips == (sourced,)
    assert searched.find("a/other").clips == ()


def test_what_has_another_source_is_passed_until_that_has_failed() -> None:
    records = [record_of(ALONE, True, True, has_source=True), record_of(LIKE_TIMES, True, True)]
    searched = WantedClips(b"".join(records), LABEL_IDS)
    assert len(searched) == 1
    for name in ("alone.mp4", f"{ALONE.clip_id}.mp4"):
        assert searched.find(name) == Match((), True, passed=(key_of(ALONE),))
    searched.want_only([key_of(ALONE)])
    assert len(searched) == 1
    assert searched.find("alone.mp4") == Match((ALONE,), True)
    assert searched.find(f"{LIKE_TIMES.clip_id}.mp4") == Match((), True)


def test_an_empty_table_wants_nothing() -> None:
    assert not WantedClips(b"", LABEL_IDS).wants_any
    assert WantedClips(b"", {}).find("alone.mp4") == Match((), False)


def test_keys_are_told_apart_again() -> None:
    keys = [key_of(ALONE), key_of(ONE), key_of(Clip("a/b"))]
    assert list(split_keys([keys[0] + keys[1], keys[2]])) == keys


def test_the_table_knows_whether_a_clip_is_doubtful() -> None:
    clip = Clip("a_000001_000011", "a", 1, 11, "val", "zumba", 0)
    sound, doubtful = record_of(clip, True, True), record_of(clip, True, True, True)
    assert not WantedClips(sound, {"zumba": 0}).has_doubtful
    table = WantedClips(doubtful, {"zumba": 0})
    assert table.has_doubtful
    assert table.find("a_000001_000011.mp4").clips == (clip,)
