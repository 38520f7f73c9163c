"""Which of a video's formats is fetched."""

import pytest

from beam_pipeline.fetch.formats import choose_formats
from tests.standin import both, pictures_only, sound_only


def chosen(*formats: dict, short_edge: int = 256, with_sound: bool = True) -> list[str]:
    """The ids of the chosen formats, the pictures first."""
    streams = choose_formats(formats, short_edge, with_sound)
    return [each["format_id"] for each in streams.values()]


def test_the_smallest_that_reaches_the_short_edge() -> None:
    formats = both("240", (426, 240)), both("1080", (1920, 1080)), both("360", (640, 360))
    assert chosen(*formats) == ["360"]
    assert chosen(*formats, short_edge=240) == ["240"]
    assert chosen(*formats, short_edge=480) == ["1080"]


def test_else_the_largest_there_is() -> None:
    assert chosen(both("144", (256, 144)), both("240", (426, 240))) == ["240"]


def test_the_short_edge_of_an_upright_video_is_its_width() -> None:
    assert chosen(both("a", (144, 256)), both("b", (240, 426)), both("c", (360, 640))) == ["c"]


@pytest.mark.parametrize("turned", [False, True])
def test_one_with_both_streams_before_two_that_have_to_be_joined(turned: bool) -> None:
    formats = [
        pictures_only("p", (640, 360), filesize=10), sound_only("s", 128),
        both("b", (640, 360), filesize=1000),
    ]  # fmt: skip
    assert chosen(*(reversed(formats) if turned else formats)) == ["b"]


def test_less_is_fetched_where_only_larger_ones_have_both_streams() -> None:
    formats = pictures_only("p", (640, 360)), sound_only("s", 128), both("b", (1280, 720))
    assert chosen(*formats) == ["p", "s"]


def test_without_sound_it_is_the_one_with_fewest_bytes() -> None:
    formats = (
        pictures_only("p", (640, 360), filesize=10), sound_only("s", 128),
        both("b", (640, 360), filesize=1000),
    )  # fmt: skip
    assert chosen(*formats, with_sound=False) == ["p"]


def test_of_the_same_size_the_one_with_fewer_bytes_by_whatever_tells_it() -> None:
    one, other = both("a", (640, 360), filesize=9), both("b", (640, 360), filesize_approx=8)
    assert chosen(one, other) == ["b"]
    assert chosen(both("a", (640, 360), tbr=700), both("b", (640, 360), tbr=600)) == ["b"]


def test_the_sound_is_the_smallest_that_is_good_enough() -> None:
    sounds = [sound_only("low", 48), sound_only("good", 128), sound_only("best", 160)]
    assert chosen(pictures_only("p", (640, 360)), *sounds) == ["p", "good"]
    assert chosen(pictures_only("p", (640, 360)), sound_only("a", 48), sound_only("b", 64)) == [
        "p", "b",
    ]  # fmt: skip


def test_the_sound_is_in_the_language_of_the_video() -> None:
    dubbed = sound_only("dubbed", 128, language_preference=-1)
    own = sound_only("own", 160, language_preference=10)
    assert chosen(pictures_only("p", (640, 360)), dubbed, own) == ["p", "own"]


def test_a_video_without_any_sound_is_fetched_without() -> None:
    assert chosen(pictures_only("p", (640, 360))) == ["p"]


def test_nothing_that_cannot_be_fetched() -> None:
    assert chosen(both("drm", (640, 360), has_drm=True)) == []
    assert chosen(both("rtmp", (640, 360), protocol="rtmp")) == []
    assert chosen(both("pictures", (640, 360), protocol="mhtml", vcodec="none")) == []
    assert chosen(sound_only("s", 128)) == []
    assert chosen() == []


def test_one_of_unknown_size_only_where_no_other_is_known() -> None:
    unknown = both("unknown", (0, 0))
    assert chosen(unknown, both("144", (256, 144))) == ["144"]
    assert chosen(unknown) == ["unknown"]


def test_what_the_site_enlarged_or_damaged_is_not_fetched() -> None:
    good, large = both("18", (640, 360)), both("22", (1280, 720))
    enlarged = both("136-sr", (960, 540))
    damaged = both("135", (854, 480), preference=-10)
    assert choose_formats([enlarged, damaged, good, large], 400, True) == {"video": large}
    assert choose_formats([enlarged, damaged], 400, True) == {}


def test_standard_dynamic_range_is_before_others() -> None:
    hdr = both("334", (640, 360), dynamic_range="HDR10", filesize=1)
    plain = pictures_only("134", (640, 360), dynamic_range="SDR", filesize=9)
    assert choose_formats([hdr, plain], 256, True) == {"video": plain}
    assert choose_formats([hdr], 256, True) == {"video": hdr}
