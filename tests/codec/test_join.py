"""Pictures and sound that come in two files are joined, without a change to either."""

import errno
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Join, Request, join_files
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment
from tests.codec import made_beep_time, times_of
from tests.make_clips import Sound, clip, cut, remuxed

BEEP = 1.5


def with_beep(container: str = "mp4", codec: str = "aac") -> bytes:
    sound = Sound(codec, 48000, seconds=4, beep=BEEP)
    return clip(container, size=(96, 64), frames=100, sounds=[sound])


def apart(container: str, codec: str, sound: str, suffix: str) -> tuple[bytes, bytes]:
    """The pictures and the sound of a video, in a file each."""
    silent = clip(container, codec, size=(96, 64), frames=100)
    heard = remuxed(with_beep("matroska", sound), options=["-vn"], container=suffix)
    return silent, heard


def joined(tmp_path: Path, pictures: bytes, sound: bytes) -> tuple[Outcome, bytes]:
    """What comes of joining, in this process."""
    paths = [tmp_path / name for name in ("video", "sound", "joined")]
    for path, content in zip(paths, (pictures, sound, b"before"), strict=True):
        path.write_bytes(content)
    files = [os.open(path, os.O_RDWR) for path in paths]
    try:
        return join_files(*files), paths[2].read_bytes()
    finally:
        for file in files:
            os.close(file)


@pytest.mark.parametrize(
    ("pictures", "sound"),
    [
        (("mp4", "libx264"), ("aac", "mp4")),
        (("webm", "libvpx-vp9"), ("libopus", "webm")),
        (("mp4", "libsvtav1"), ("libopus", "webm")),
        (("webm", "libvpx"), ("libopus", "webm")),
    ],
    ids=lambda kind: kind[0] if kind[1] in ("mp4", "webm") else kind[1],
)  # fmt: skip
def test_the_sound_stays_in_time_with_the_pictures(
    pictures: tuple[str, str], sound: tuple[str, str], tmp_path: Path
) -> None:
    silent, heard = apart(*pictures, *sound)
    outcome, made = joined(tmp_path, silent, heard)
    assert outcome.status == "joined", outcome.detail
    assert times_of(made) == pytest.approx(times_of(silent), abs=0.001)
    assert made_beep_time(made) == pytest.approx(BEEP, abs=0.05)


def test_no_packet_is_changed(tmp_path: Path) -> None:
    silent, heard = apart("mp4", "libx264", "aac", "mp4")
    _, made = joined(tmp_path, silent, heard)
    (tmp_path / "made.mp4").write_bytes(made)
    for kind, source in (("video", silent), ("audio", heard)):
        (tmp_path / "source").write_bytes(source)
        assert payloads(tmp_path / "made.mp4", kind) == payloads(tmp_path / "source", kind)


def payloads(path: Path, kind: str) -> list[bytes]:
    with av.open(str(path)) as container:
        (stream,) = (each for each in container.streams if each.type == kind)
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_a_child_joins_and_then_cuts_the_clip_out_of_it(tmp_path: Path) -> None:
    silent, heard = apart("webm", "libvpx-vp9", "libopus", "webm")
    paths = {name: tmp_path / name for name in ("video", "sound", "joined", "clip")}
    for path, content in zip(paths.values(), (silent, heard, b"", b""), strict=True):
        path.write_bytes(content)
    video, sound, both, made = map(str, paths.values())
    pool = CodecPool(1)
    try:
        assert pool.run(Join(video, sound, both), 60).status == "joined"
        segment = Segment(Fraction(1), Fraction(3), of_whole_video=True)
        outcome = pool.run(Request(both, made, ClipSettings(short_edge=64), segment), 60)
    finally:
        pool.close()
    assert (outcome.status, outcome.facts.has_audio) == ("resized", True)
    assert outcome.facts.duration == pytest.approx(2, abs=0.05)
    assert made_beep_time(paths["clip"].read_bytes()) == pytest.approx(BEEP - 1, abs=0.05)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda silent, heard: (b"<html>", heard), "not_a_video"),
        (lambda silent, heard: (silent, b"<html>"), "not_a_video"),
        (lambda silent, heard: (heard, heard), "no_video_stream"),
        (lambda silent, heard: (silent, silent), "not_a_video"),
        (lambda silent, heard: (cut(silent, 0.3), heard), "truncated"),
    ],
    ids=["no pictures", "no sound", "two sounds", "two pictures", "cut"],
)
def test_what_cannot_be_joined_fails_with_a_reason(spoil, reason: str, tmp_path: Path) -> None:
    outcome, _ = joined(tmp_path, *spoil(*apart("mp4", "libx264", "aac", "mp4")))
    assert (outcome.status, outcome.reason) == ("failed", reason)
    assert outcome.detail


def test_a_child_says_so_too_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"<html>")
    (tmp_path / "b").touch()
    pool = CodecPool(1)
    try:
        bad = pool.run(Join(str(tmp_path / "a"), str(tmp_path / "a"), str(tmp_path / "b")), 60)
        gone = pool.run(Join(str(tmp_path / "x"), str(tmp_path / "a"), str(tmp_path / "b")), 60)
        good = pool.run(Request(clip(frames=3), None, ClipSettings(short_edge=64)), 60)
    finally:
        pool.close()
    assert (bad.reason, gone.reason, good.status) == ("not_a_video", "unreadable", "resized")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has it")
def test_a_full_disk_is_no_fault_of_the_video(tmp_path: Path) -> None:
    silent, heard = apart("mp4", "libx264", "aac", "mp4")
    (tmp_path / "video").write_bytes(silent)
    (tmp_path / "sound").write_bytes(heard)
    files = [os.open(path, os.O_RDWR) for path in (tmp_path / "video", tmp_path / "sound")]
    files.append(os.open("/dev/full", os.O_RDWR))
    try:
        outcome = join_files(*files)
    finally:
        for file in files:
            os.close(file)
    assert outcome.write_error is not None
    assert outcome.write_error.errno in (errno.ENOSPC, errno.EINVAL)


def test_a_short_video_that_is_known_to_be_whole_is_cut_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "video").write_bytes(clip(size=(96, 64), frames=100))
    (tmp_path / "clip").touch()
    pool = CodecPool(1)
    try:
        for is_whole, duration in ((True, 2), (False, 4)):
            segment = Segment(Fraction(2), Fraction(12), of_whole_video=is_whole)
            settings = ClipSettings(short_edge=64)
            request = Request(str(tmp_path / "video"), str(tmp_path / "clip"), settings, segment)
            assert pool.run(request, 60).facts.duration == pytest.approx(duration, abs=0.05)
    finally:
        pool.close()
