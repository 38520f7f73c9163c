"""Which streams a clip keeps, and what the file around them looks like."""

import hashlib
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from beam_pipeline.codec.request import Request, handle_request
from beam_pipeline.codec.settings import ClipSettings
from tests.codec import codecs_of, made_of, opened, outcome_of
from tests.make_clips import (
    Sound,
    clip,
    ffmpeg_shows,
    late_sound,
    remuxed,
    sound_only,
    telling,
    two_streams,
    with_cover,
)

RIGHT = {"size": (342, 256), "frames": 12}


def boxes(clip: bytes) -> Iterator[str]:
    """The names of an MP4's outermost boxes."""
    at = 0
    while at < len(clip):
        length, name = struct.unpack_from(">I4s", clip, at)
        assert length >= 8
        yield name.decode()
        at += length


@pytest.mark.parametrize("default", [0, 1])
def test_of_two_streams_the_one_is_kept_that_ffmpeg_picks(default: int) -> None:
    source = two_streams(default=default)
    outcome = outcome_of(source)
    stored = outcome.facts.source_width * outcome.facts.source_height
    assert stored * 3 // 2 == ffmpeg_shows(source)[0].bytes
    assert codecs_of(outcome.output) == ["h264"]


def test_a_stream_without_a_packet_is_not_picked() -> None:
    """ffmpeg prefers a stream of which it has seen something, whatever its header promises."""
    large, small = clip(size=(200, 100), frames=5), clip(size=(64, 48), frames=5)
    source = remuxed(
        large, small, container="matroska",
        options=["-bsf:v:0", "noise=drop=1", "-disposition:v", "default"],
    )  # fmt: skip
    assert ffmpeg_shows(source)[0].bytes == 64 * 48 * 3 // 2

    outcome = outcome_of(source)

    assert outcome.status == "resized"
    assert outcome.facts.source_width == 64


def test_a_stream_that_turns_up_late_is_left_out() -> None:
    outcome = outcome_of(late_sound())
    assert outcome.output is not None, f"{outcome.reason}: {outcome.detail}"
    assert codecs_of(outcome.output) == ["h264"]
    assert outcome.facts.frames == 600


def unknown(clip: bytes, codec: bytes) -> bytes:
    """The clip with one codec's four letters changed to some that no decoder answers to."""
    assert codec in clip
    return clip.replace(codec, b"zzzz")


def test_pictures_that_no_decoder_knows_have_a_reason() -> None:
    outcome = outcome_of(unknown(clip(frames=5), b"avc1"))
    assert outcome.status == "failed"
    assert outcome.reason in ("undecodable", "no_video_stream", "not_a_video")


@pytest.mark.parametrize("shape", [{"frames": 12}, RIGHT], ids=["resized", "copied"])
def test_sound_that_no_decoder_knows_costs_the_sound_alone(shape: dict) -> None:
    source = clip(**shape, sounds=[Sound("ac3", 48000, seconds=0.5)])
    outcome = outcome_of(unknown(source, b"ac-3"))
    assert outcome.output is not None, f"{outcome.reason}: {outcome.detail}"
    assert codecs_of(outcome.output) == ["h264"]
    assert outcome.facts.has_audio is False
    assert outcome.facts.frames == 12
    assert outcome.detail is not None
    assert "sound" in outcome.detail


def test_a_cover_picture_is_no_video() -> None:
    source = with_cover()
    outcome = outcome_of(source)
    assert (outcome.facts.source_width, outcome.facts.frames) == (64, 5)
    assert outcome_of(sound_only(with_cover=True)).reason == "no_video_stream"


@pytest.mark.parametrize("shape", [{"frames": 5}, RIGHT])
def test_the_video_stream_comes_first_and_only_once(shape: dict) -> None:
    video, tone = clip(**shape), clip(frames=5, sounds=[Sound(seconds=0.3)])
    source = remuxed(tone, video, options=["-map", "-0:v"], container="matroska")
    assert codecs_of(source) == ["aac", "h264"]
    made = made_of(source)
    with opened(made) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_subtitles_and_data_are_left_out(tmp_path: Path) -> None:
    words = b"1\n00:00:00,000 --> 00:00:01,000\nSECRET\n\n"
    source = remuxed(clip(frames=5), words, options=["-c:s", "mov_text"])
    assert codecs_of(source) == ["h264", "mov_text"]
    made = made_of(source)
    assert codecs_of(made) == ["h264"]
    assert b"SECRET" not in made


@pytest.mark.parametrize("shape", [{"frames": 12}, RIGHT], ids=["resized", "copied"])
def test_the_index_comes_before_the_pictures(shape: dict) -> None:
    outcome = outcome_of(clip(**shape, sounds=[Sound(seconds=0.5)]))
    assert outcome.status == ("copied" if shape is RIGHT else "resized")
    order = list(boxes(outcome.output))
    assert order[0] == "ftyp"
    assert order.index("moov") < order.index("mdat")
    assert order.count("mdat") == 1


@pytest.mark.parametrize("audio", ["keep", "drop"])
def test_nothing_that_the_source_says_of_itself_is_kept(audio: str) -> None:
    source = telling()
    assert b"SECRET" in source
    assert b"+27.5916" in source
    made = made_of(source, audio=audio)
    for word in (b"SECRET", b"27.59", b"2019", b"com.apple", b"Lavf", b"01:02:03"):
        assert word not in made
    with opened(made) as container:
        assert not container.metadata.keys() & {"title", "comment", "creation_time", "location"}
        for stream in container.streams:
            assert "creation_time" not in stream.metadata
            assert stream.metadata.get("language", "und") == "und"
            assert "timecode" not in stream.metadata


def test_nothing_that_a_copied_source_says_of_itself_is_kept() -> None:
    source = remuxed(
        clip(**RIGHT, metadata={"title": "SECRET", "creation_time": "2019-07-04T12:00:00Z"}),
        options=["-metadata:s:v", "handler_name=SECRET", "-metadata:s:v", "language=deu"],
    )
    outcome = outcome_of(source)
    assert outcome.status == "copied"
    assert b"SECRET" in source
    assert b"SECRET" not in outcome.output
    with opened(outcome.output) as container:
        assert "creation_time" not in container.metadata
        assert container.streams[0].metadata.get("language", "und") == "und"


def test_copied_sound_does_not_say_its_language_or_title() -> None:
    said = ["-metadata:s:a", "language=deu", "-metadata:s:a", "title=SECRET"]
    source = remuxed(
        clip(frames=12, sounds=[Sound(seconds=0.5)]), options=said, container="matroska"
    )
    with opened(source) as container:
        assert container.streams.audio[0].metadata["language"] == "deu"
    made = made_of(source)
    assert b"SECRET" not in made
    with opened(made) as container:
        assert container.streams.audio[0].metadata.get("language", "und") == "und"


def test_the_date_of_making_is_not_written() -> None:
    made = made_of(clip(frames=3))
    header = made.index(b"mvhd") + 4
    version, created, modified = struct.unpack_from(">III", made, header)
    assert (version >> 24, created, modified) == (0, 0, 0)


# The same in, the same out


SOURCES = {
    "resized": lambda: clip(sounds=[Sound()]),
    "copied": lambda: clip(**RIGHT, sounds=[Sound(seconds=0.5)]),
    "sound encoded": lambda: clip("matroska", sounds=[Sound("pcm_u8")]),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_clip_gives_the_same_bytes(kind: str) -> None:
    source = SOURCES[kind]()
    assert made_of(source) == made_of(source)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_clip_in_a_file_gives_the_same_bytes_as_one_in_memory(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(SOURCES[kind]())
    target = tmp_path / "target"
    target.write_bytes(b"something longer than the clip " * 20_000)  # must be emptied first

    outcome = handle_request(Request(str(source), str(target), ClipSettings()))
    in_memory = outcome_of(source.read_bytes())

    assert outcome.output is None
    assert target.read_bytes() == in_memory.output
    assert outcome.facts == in_memory.facts


@pytest.mark.parametrize("kind", SOURCES)
def test_the_facts_name_the_output_s_size_and_hash(kind: str) -> None:
    outcome = outcome_of(SOURCES[kind]())
    assert outcome.facts.bytes == len(outcome.output)
    assert outcome.facts.sha256 == hashlib.sha256(outcome.output).hexdigest()


def test_settings_change_the_bytes() -> None:
    source = clip(frames=12)
    kinds = [
        {},
        {"crf": 30},
        {"gop": 4},
        {"preset": "ultrafast"},
        {"tune": "none"},
        {"coder": "cabac"},
    ]
    assert len({made_of(source, **settings) for settings in kinds}) == len(kinds)


def test_a_source_in_a_file_is_not_written_to(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(clip(frames=5))
    source.chmod(0o444)
    before = source.read_bytes(), source.stat().st_mtime_ns
    target.touch()
    handle_request(Request(str(source), str(target), ClipSettings()))
    assert (source.read_bytes(), source.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_a_frame_rate_that_nobody_can_mean_costs_no_clip() -> None:
    source = clip("matroska", frames=5, tick=Fraction(1, 1000), times=[0, 1, 2, 3, 4])
    assert outcome_of(source).facts.frames == 5


def test_a_sample_aspect_ratio_that_no_picture_can_have_costs_no_clip() -> None:
    source = clip(codec="mpeg4", frames=3, ratio=Fraction(3, 2))
    place = source.index(b"pasp") + 4
    source = source[:place] + struct.pack(">II", 2**31 - 1, 1) + source[place + 8 :]
    outcome = outcome_of(source)
    assert (outcome.status, outcome.facts.frames) == ("resized", 3)
