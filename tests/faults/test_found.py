"""What fuzzing has found, each by the smallest clip that shows it."""

import struct
from fractions import Fraction

import pytest

from tests.codec import codecs_of, frames_of, outcome_of, times_of
from tests.faults.fuzzing import SIZE, with_field
from tests.make_clips import Sound, clip, cut, late_sound, spoilt_picture


def test_a_video_stream_that_nobody_can_decode_is_undecodable() -> None:
    unknown = clip("matroska", "mjpeg", SIZE, 5, pix_fmt="yuvj420p").replace(b"V_MJPEG", b"V_NOBDY")
    outcome = outcome_of(unknown)
    assert (outcome.status, outcome.reason) == ("failed", "undecodable")


def test_a_sound_stream_that_nobody_can_decode_costs_the_sound_alone() -> None:
    heard = clip("matroska", size=SIZE, frames=5, sounds=[Sound("libopus", 48000)])
    outcome = outcome_of(heard.replace(b"A_OPUS", b"A_NOBD"))
    assert (outcome.status, outcome.facts.has_audio) == ("resized", False)


def test_sound_that_decodes_without_error_to_nothing_is_dropped_and_said() -> None:
    """A decoder of WMA gives a packet's sound with the next one: of a single one comes none."""
    short = clip("asf", "mpeg4", SIZE, 5, sounds=[Sound("wmav2", seconds=0.03)])
    outcome = outcome_of(short, short_edge=64)
    assert (outcome.status, outcome.facts.has_audio) == ("resized", False)
    assert outcome.detail == "sound dropped: its packets decode to nothing"


def test_a_stream_that_appears_in_the_middle_of_a_transport_stream_does_no_harm() -> None:
    outcome = outcome_of(late_sound(), short_edge=64, preset="ultrafast")
    assert outcome.status == "resized", outcome.detail
    assert outcome.facts.frames == 600


@pytest.mark.parametrize("hours", [1, 24, 20_000])
def test_sound_whose_times_leap_by_hours_is_dropped_and_the_pictures_kept(hours: int) -> None:
    """To fill the gap with silence would take memory and time without end."""
    first, then = (
        clip("matroska", "libx264", SIZE, 10, sounds=[Sound("pcm_s16le", 8000, start=start)])
        for start in (Fraction(0), Fraction(hours * 3600))
    )
    cluster = b"\x1f\x43\xb6\x75"
    leaping = first + then[then.index(cluster) :]
    outcome = outcome_of(leaping, short_edge=64)
    assert outcome.status == "resized", outcome.detail
    assert len(outcome.output or b"") < 1_000_000


def test_what_is_said_of_one_clip_does_not_spoil_the_next() -> None:
    """FFmpeg's log holds a line back that repeats, until another comes: with the next clip."""
    lost = cut(clip(size=SIZE), 0.5)
    damaged = clip("flv", "flv", (96, 64), packets=spoilt_picture(3))
    alone = outcome_of(damaged, short_edge=64)
    for _ in range(3):
        assert outcome_of(lost).reason == "truncated"
    assert outcome_of(damaged, short_edge=64) == alone


def test_every_picture_is_shown_also_where_the_file_says_it_starts_later() -> None:
    """FFmpeg takes the first keyframe for this stream's start; the pictures before it decode."""
    late = clip("m4v", "mpeg4", SIZE, options={"g": "12", "bf": "0"}, packets=lambda made: made[1:])
    outcome = outcome_of(late, short_edge=64)
    assert outcome.status == "resized", outcome.detail
    assert len(frames_of(outcome.output)) == outcome.facts.frames
    assert times_of(outcome.output)[0] == 0


@pytest.mark.parametrize("ticks", [2**31, 2449474048, 2**32 - 1])
def test_a_picture_that_claims_to_last_longer_than_mp4_can_say_costs_no_clip(ticks: int) -> None:
    outcome = outcome_of(_lasting(ticks), short_edge=64)
    assert outcome.reason in (None, "truncated", "undecodable"), outcome.detail


def _lasting(ticks: int) -> bytes:
    return with_field(b"stts", 12, ">I", ticks)


def test_sound_that_changes_its_headers_on_the_way_leaves_a_clip_that_opens() -> None:
    """A second AAC header that makes no sense: copied, no reader would open the whole file."""
    outcome = outcome_of(_with_second_header(), short_edge=64)
    assert outcome.status == "resized", outcome.detail
    assert codecs_of(outcome.output)[0] == "h264"
    assert len(frames_of(outcome.output)) == outcome.facts.frames


def _with_second_header() -> bytes:
    made = clip("flv", size=SIZE, sounds=[Sound()])
    at, tags = 13, []
    while at + 11 <= len(made):
        end = at + 15 + int.from_bytes(made[at + 1 : at + 4], "big")
        tags.append(made[at:end])
        at = end
    sound = [number for number, tag in enumerate(tags) if tag[0] == 8]
    header = tags[sound[0]]
    assert header[12] == 0, "an AAC header, not a frame"
    nonsense = header[:13] + struct.pack(">H", 0x1278) + header[15:]
    middle = sound[len(sound) // 2]
    later = nonsense[:4] + tags[middle][4:8] + nonsense[8:]
    return made[:13] + b"".join([*tags[:middle], later, *tags[middle:]])
