"""Sound: copied where MP4 can hold it, else AAC, in step with the picture, or left out."""

import random
import subprocess
from collections.abc import Callable
from fractions import Fraction

import imageio_ffmpeg
import pytest

from tests.codec import codecs_of, made_beep_time, made_of, opened, outcome_of, times_of
from tests.make_clips import Sound, beep_time, clip, ffmpeg_sound, remuxed, sound_only

LATE = Fraction(8, 25)
IN_STEP = 0.005
"""Seconds. An AAC frame is 0.02; a delay that nobody took out of account is at least one."""

COPIED: dict[str, Callable[..., bytes]] = {
    "aac": lambda **sound: clip(sounds=[Sound("aac", **sound)]),
    "aac in ts": lambda **sound: clip("mpegts", sounds=[Sound("aac", **sound)]),
    "mp3": lambda **sound: clip(sounds=[Sound("libmp3lame", **sound)]),
    "mp3 in avi": lambda **sound: clip("avi", "mpeg4", sounds=[Sound("libmp3lame", **sound)]),
    "ac3": lambda **sound: clip(sounds=[Sound("ac3", 48000, **sound)]),
    "opus": lambda **sound: clip("webm", "libvpx", sounds=[Sound("libopus", 48000, **sound)]),
    "flac": lambda **sound: clip("matroska", sounds=[Sound("flac", **sound)]),
}
ENCODED: dict[str, Callable[..., bytes]] = {
    "wma": lambda **sound: clip("asf", "mpeg4", sounds=[Sound("wmav2", **sound)]),
    "pcm u8": lambda **sound: clip("matroska", sounds=[Sound("pcm_u8", **sound)]),
    "pcm u8 at 7 kHz": lambda **sound: clip("matroska", sounds=[Sound("pcm_u8", 7000, **sound)]),
    "adpcm": lambda **sound: clip("avi", "mpeg4", sounds=[Sound("adpcm_ms", **sound)]),
    "pcm u8 5.1": lambda **sound: clip("matroska", sounds=[Sound("pcm_u8", layout="5.1", **sound)]),
}


def payloads(clip: bytes) -> list[bytes]:
    """The sound's packets; AAC without the 7-byte header that each has in a transport stream."""
    with opened(clip) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    return [packet[7:] if packet.startswith(b"\xff\xf1") else packet for packet in packets]


@pytest.mark.parametrize("kind", COPIED)
def test_sound_that_mp4_can_hold_is_copied_bit_by_bit(kind: str) -> None:
    source = COPIED[kind]()
    outcome = outcome_of(source)
    assert outcome.output is not None
    assert payloads(outcome.output) == payloads(source)
    assert outcome.facts.has_audio
    assert outcome.detail is None


@pytest.mark.parametrize("kind", ENCODED)
def test_sound_that_mp4_cannot_hold_becomes_aac(kind: str) -> None:
    outcome = outcome_of(ENCODED[kind]())
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264", "aac"]
    assert outcome.facts.has_audio


@pytest.mark.parametrize("start", [Fraction(0), LATE])
@pytest.mark.parametrize("kind", [*COPIED, *ENCODED])
def test_sound_stays_in_step_with_the_picture(kind: str, start: Fraction) -> None:
    source = (COPIED | ENCODED)[kind](beep=0.5, start=start)
    expected = beep_time(ffmpeg_sound(source))
    assert expected > 0.4, "the test's own clip beeps too early"

    made = made_of(source)

    assert made_beep_time(made) == pytest.approx(expected, abs=IN_STEP)


def test_a_late_picture_keeps_its_distance_to_the_sound() -> None:
    source = clip(start=LATE, sounds=[Sound(beep=0.5)])
    made = made_of(source)
    assert made_beep_time(made) == pytest.approx(0.5, abs=IN_STEP)
    assert times_of(made)[0] == LATE


@pytest.mark.parametrize("codec", ["aac", "pcm_u8"])
def test_sound_of_a_file_that_starts_late_starts_with_the_picture(codec: str) -> None:
    late = Fraction(5)
    source = clip("matroska", start=late, sounds=[Sound(codec, beep=0.5, start=late)])
    assert made_beep_time(made_of(source)) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("codec", ["aac", "pcm_u8"])
def test_a_gap_in_the_sound_does_not_bring_the_rest_forward(codec: str) -> None:
    source = clip("matroska", sounds=[Sound(codec, beep=0.7, lost=range(8, 20))])
    expected = beep_time(ffmpeg_sound(source))
    assert expected > 0.65, "the test's own clip beeps too early"
    assert made_beep_time(made_of(source)) == pytest.approx(expected, abs=IN_STEP)


def test_no_sound_where_none_is_wanted() -> None:
    outcome = outcome_of(clip(sounds=[Sound()]), audio="drop")
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264"]
    assert outcome.facts.has_audio is False
    assert outcome.detail is None


def test_no_sound_where_there_is_none() -> None:
    outcome = outcome_of(clip())
    assert outcome.facts.has_audio is False
    assert outcome.detail is None


def nonsense(number: int, payload: bytes) -> bytes:
    return random.Random(number).randbytes(len(payload))


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"])
def test_broken_sound_is_dropped_and_said(codec: str) -> None:
    outcome = outcome_of(clip(sounds=[Sound(codec, spoil=nonsense)]))
    assert outcome.status == "resized"
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264"]
    assert outcome.facts.has_audio is False
    assert outcome.facts.decode_errors == 0
    assert outcome.detail is not None
    assert "sound dropped" in outcome.detail


def test_broken_sound_says_nothing_against_the_pictures() -> None:
    with_sound = outcome_of(clip(sounds=[Sound(spoil=nonsense)]))
    without = outcome_of(clip())
    assert with_sound.output == without.output


def test_a_scratch_in_the_sound_is_no_reason_to_drop_it() -> None:
    def scratch(number: int, payload: bytes) -> bytes:
        return nonsense(number, payload) if number == 10 else payload

    outcome = outcome_of(clip(sounds=[Sound(spoil=scratch)]))
    assert outcome.facts.has_audio is True
    assert outcome.facts.decode_errors == 0


def one_bit_off(number: int, payload: bytes) -> bytes:
    """A packet with a wrong bit, which its decoder finds by the checksum if at all."""
    changed = bytearray(payload)
    if changed:  # FLAC ends with an empty one
        changed[len(payload) // 2] ^= 8
    return bytes(changed)


def complaints(clip: bytes) -> bytes:
    """What ffmpeg says of the sound, checksums and all."""
    return subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-err_detect", "crccheck", "-i", "-",
         "-map", "0:a", "-f", "null", "-"],
        input=clip, stderr=subprocess.PIPE, check=True,
    ).stderr  # fmt: skip


@pytest.mark.parametrize("codec", ["ac3", "flac"])
def test_sound_with_errors_that_its_decoder_conceals_is_encoded_anew_and_said(codec: str) -> None:
    def spoil(number: int, payload: bytes) -> bytes:
        return one_bit_off(number, payload) if number % 5 == 4 else payload

    source = clip("matroska", sounds=[Sound(codec, 48000, spoil=spoil)])
    assert complaints(source), "the test's own clip is sound"

    outcome = outcome_of(source)

    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264", "aac"]
    assert outcome.facts.decode_errors == 0
    assert outcome.detail is not None
    assert "sound encoded again" in outcome.detail
    assert "sound packets do not decode" in outcome.detail
    assert complaints(outcome.output) == b""


@pytest.mark.parametrize("codec", ["ac3", "flac"])
def test_sound_that_has_an_error_in_every_packet_is_not_dropped_if_it_decodes(codec: str) -> None:
    source = clip("matroska", sounds=[Sound(codec, 48000, spoil=one_bit_off)])
    outcome = outcome_of(source)
    assert outcome.output is not None
    assert codecs_of(outcome.output) == ["h264", "aac"]
    assert "sound encoded again" in outcome.detail


def test_sound_much_longer_than_the_picture_is_kept() -> None:
    outcome = outcome_of(clip(frames=12, sounds=[Sound(seconds=3)]))
    assert outcome.status == "resized"
    assert outcome.facts.duration == pytest.approx(12 / 25)
    assert outcome.facts.has_audio is True


def test_sound_alone_is_no_video() -> None:
    assert outcome_of(sound_only()).reason == "no_video_stream"


def test_the_track_with_the_most_channels_is_kept() -> None:
    made = made_of(
        remuxed(
            clip(frames=12),
            sound_of(Sound(seconds=0.5)), sound_of(Sound(seconds=0.5, layout="stereo")),
            options=["-disposition:a", "0"], container="matroska",
        )
    )  # fmt: skip
    with opened(made) as container:
        assert [stream.codec_context.channels for stream in container.streams.audio] == [2]


def sound_of(sound: Sound) -> bytes:
    return remuxed(
        clip("matroska", frames=12, sounds=[sound]), options=["-map", "-0:v"], container="matroska"
    )
