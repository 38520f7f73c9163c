"""A source that is right already is copied, packet by packet; nothing else is."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from tests.codec import codecs_of, frames_of, opened, outcome_of, size_of, times_of
from tests.make_clips import Sound, clip, remuxed, spoilt_picture

RIGHT = (342, 256)
MILLISECOND = Fraction(1, 1000)


def right(container: str = "mp4", **changed: object) -> bytes:
    """What the resize would make, but for its encoder."""
    wanted: dict = {"size": RIGHT, "frames": 12, "options": {"preset": "veryfast"}}
    return clip(container, **(wanted | changed))


def pictures(clip: bytes) -> list[bytes]:
    with opened(clip) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_source_that_is_right_is_copied_packet_by_packet() -> None:
    source = right()
    outcome = outcome_of(source)
    assert outcome.status == "copied"
    assert outcome.detail is None
    assert pictures(outcome.output) == pictures(source)
    assert times_of(outcome.output) == times_of(source)


def test_the_facts_of_a_copy_are_complete() -> None:
    facts = outcome_of(right(sounds=[Sound(seconds=0.5)])).facts
    assert (facts.width, facts.height) == (facts.source_width, facts.source_height) == RIGHT
    assert (facts.frames, facts.fps, facts.decode_errors) == (12, 25.0, 0)
    assert facts.duration == facts.source_duration == pytest.approx(12 / 25)
    assert facts.has_audio is True
    assert facts.bytes
    assert facts.sha256


RIGHT_KINDS: dict[str, Callable[[], bytes]] = {
    "portrait": lambda: right(size=(256, 342)),
    "square": lambda: right(size=(256, 256)),
    "uneven times": lambda: right(times=[0, 1, 2, 5, 6, 7, 8, 20, 21, 22, 23, 24]),
    "long gop": lambda: right(options={"g": "250", "crf": "40"}),
    "other samples": lambda: right(ratio=Fraction(64, 51)),
    "mkv": lambda: right("matroska"),
    "ts": lambda: right("mpegts"),
    "fragments": lambda: right(muxer={"movflags": "frag_keyframe+empty_moov"}),
    "bt.709": lambda: right(tags={"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
    "main profile": lambda: right(options={"profile": "main"}),
    "late": lambda: right(start=Fraction(8, 25), sounds=[Sound(seconds=0.5)]),
}


@pytest.mark.parametrize("kind", RIGHT_KINDS)
def test_many_sources_are_right(kind: str) -> None:
    source = RIGHT_KINDS[kind]()
    outcome = outcome_of(source)
    assert outcome.status == "copied"
    made, expected = frames_of(outcome.output), frames_of(source)
    assert [frame.to_ndarray().tobytes() for frame in made] == [
        frame.to_ndarray().tobytes() for frame in expected
    ]
    with opened(source) as container:
        start = Fraction(container.start_time or 0, 1_000_000)
        ratio = container.streams.video[0].sample_aspect_ratio
    for ours, theirs in zip(times_of(outcome.output), times_of(source), strict=True):
        assert abs(ours - (theirs - start)) < MILLISECOND
    with opened(outcome.output) as container:
        assert container.streams.video[0].sample_aspect_ratio == ratio


def damaged() -> bytes:
    return right(packets=spoilt_picture(6))


WRONG_KINDS: dict[str, Callable[[], bytes]] = {
    "other size": lambda: right(size=(344, 258)),
    "odd size": lambda: right(size=(343, 256), pix_fmt="yuv444p"),
    "rotated": lambda: right(rotation=90),
    "upside down": lambda: right(rotation=180),
    "mirrored": lambda: right(hflip=True),
    "full range": lambda: right(pix_fmt="yuvj420p", tags={"color_range": 2}),
    "full range by the container's word": lambda: remuxed(
        right(), options=["-color_range", "pc"], container="matroska"
    ),
    "ten bits": lambda: right(pix_fmt="yuv420p10le"),
    "4:2:2": lambda: right(pix_fmt="yuv422p"),
    "lossless": lambda: right(options={"qp": "0"}),
    "damaged": damaged,
    "container and pictures differ on the samples": lambda: remuxed(
        right(), options=["-aspect", "16:9"]
    ),
    "hevc": lambda: right(codec="libx265", options={}),
    "mpeg4": lambda: right(codec="mpeg4", options={}),
    "size changes": lambda: right("mpegts") + right("mpegts", size=(256, 342), start=Fraction(1)),
}


@pytest.mark.parametrize("kind", WRONG_KINDS)
def test_anything_else_is_encoded(kind: str) -> None:
    outcome = outcome_of(WRONG_KINDS[kind]())
    assert outcome.status == "resized"
    with opened(outcome.output) as container:
        context = container.streams.video[0].codec_context
        assert context.profile == "High"
        assert context.pix_fmt == "yuv420p"
    assert min(size_of(outcome.output)) == 256


def test_a_damaged_source_of_the_right_size_keeps_its_count_of_errors() -> None:
    outcome = outcome_of(damaged())
    assert outcome.facts.decode_errors == 1
    assert outcome.facts.frames == len(frames_of(outcome.output)) == 12


def test_another_short_edge_makes_the_same_source_wrong() -> None:
    assert outcome_of(right(), short_edge=128).status == "resized"


def test_the_resize_copies_what_it_made_itself() -> None:
    made = outcome_of(clip(sounds=[Sound()])).output
    again = outcome_of(made)
    assert again.status == "copied"
    assert outcome_of(again.output).output == again.output


def test_sound_that_mp4_cannot_hold_is_encoded_beside_copied_pictures() -> None:
    source = right("matroska", sounds=[Sound("pcm_u8", seconds=0.5)])
    outcome = outcome_of(source)
    assert outcome.status == "copied"
    assert codecs_of(outcome.output) == ["h264", "aac"]
    assert pictures(outcome.output) == pictures(outcome_of(source, audio="drop").output)


def test_sound_can_be_dropped_from_a_copy() -> None:
    outcome = outcome_of(right(sounds=[Sound(seconds=0.5)]), audio="drop")
    assert outcome.status == "copied"
    assert codecs_of(outcome.output) == ["h264"]
    assert outcome.facts.has_audio is False


def test_broken_sound_is_dropped_from_a_copy_and_said() -> None:
    def nonsense(number: int, payload: bytes) -> bytes:
        return bytes(byte ^ 0x5A for byte in payload)

    outcome = outcome_of(right(sounds=[Sound(seconds=0.5, spoil=nonsense)]))
    assert outcome.status == "copied"
    assert codecs_of(outcome.output) == ["h264"]
    assert "sound dropped" in outcome.detail
