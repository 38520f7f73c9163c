"""Files that are no clips, and files that would have the program open something else."""

import gzip
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.codec import outcome_of, size_of
from tests.make_clips import clip, cover, declaring, ffmpeg, remuxed, sound_only

NO_VIDEOS = {
    "a web page": b"<!DOCTYPE html><html><body>Video unavailable</body></html>" * 40,
    "a storage error": b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
    "json": b'{"error": "private video"}',
    "text": b"This video is private.\n" * 100,
    "one byte": b"a",
    "zeros": bytes(100_000),
    "ones": b"\xff" * 100_000,
    "random bytes": random.Random(1).randbytes(100_000),
    "subtitles": b"1\n00:00:00,000 --> 00:00:01,000\nhello\n\n",
    "gzip": gzip.compress(random.Random(2).randbytes(5_000)),
    "a tar archive": b"name\0".ljust(512, b"\0") * 20,
    "a picture": ffmpeg(
        "-f", "lavfi", "-i", "testsrc2", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"
    ),
    "a photo": ffmpeg(
        "-f", "lavfi", "-i", "testsrc2", "-frames:v", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-"
    ),
    "a wave file": ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", "-f", "wav", "-"),
}  # fmt: skip


def test_an_empty_file_is_called_so() -> None:
    assert outcome_of(b"").reason == "empty_file"


@pytest.mark.parametrize("kind", NO_VIDEOS)
def test_what_is_no_video_is_called_so(kind: str) -> None:
    outcome = outcome_of(NO_VIDEOS[kind])
    assert (outcome.status, outcome.reason) == ("failed", "not_a_video")
    assert outcome.detail


@pytest.mark.parametrize("with_cover", [False, True])
def test_sound_alone_has_no_video_stream(with_cover: bool) -> None:
    outcome = outcome_of(sound_only(with_cover=with_cover))
    assert (outcome.status, outcome.reason) == ("failed", "no_video_stream")


# Scripts that name something else

SCRIPTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{0}\n#EXT-X-ENDLIST\n",
    "m3u8 master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1280000\n{0}\n",
    "m3u8 with a map": '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MAP:URI="{0}"\n#EXTINF:9,\n{0}\n',
    "m3u8 with a key": (
        '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n#EXTINF:9,\n{0}\n'
    ),
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\nduration 1\n",
    "concat": "file '{0}'\nfile '{0}'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
        'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static" '
        'mediaPresentationDuration="PT1S" minBufferTime="PT1S"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000" '
        'codecs="avc1.42c01e" width="160" height="120"><BaseURL>{0}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    ),
    "imf": (
        '<?xml version="1.0"?><CompositionPlaylist '
        'xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>urn:uuid:{0}</Id>'
        "</CompositionPlaylist>"
    ),
    "asx": '<ASX version="3"><Entry><Ref href="{0}"/></Entry></ASX>',
    "reference": "[Reference]\nRef1={0}\nRef2={0}\n",
    "smil": '<smil><body><video src="{0}"/></body></smil>',
    "image list": "{0}\n",
}
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {0} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of this machine that somebody might be led to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def nobody_called(server: socket.socket) -> bool:
    """Whether no connection waits; one that was made is there at once on this machine."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("form", ["{0}", "file:{0}", "file://{0}"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_does_not_open_the_clip_that_it_names(
    script: str, form: str, tmp_path: Path
) -> None:
    named = tmp_path / "other.ts"
    named.write_bytes(clip("mpegts", frames=5))
    assert outcome_of(named.read_bytes()).status == "resized", "the named clip itself is fine"

    outcome = outcome_of(SCRIPTS[script].format(form.format(named)).encode())

    assert (outcome.status, outcome.reason) == ("failed", "not_a_video")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_does_not_reach_the_network(script: str, listener: socket.socket) -> None:
    host, port = listener.getsockname()

    outcome = outcome_of(SCRIPTS[script].format(f"http://{host}:{port}/clip.ts").encode())

    assert (outcome.status, outcome.reason) == ("failed", "not_a_video")
    assert nobody_called(listener)


def test_a_session_description_opens_no_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as claimed:
        claimed.bind(("127.0.0.1", 0))
        outcome = outcome_of(SDP.format(claimed.getsockname()[1]).encode())
    assert (outcome.status, outcome.reason) == ("failed", "not_a_video")


def test_a_movie_whose_samples_are_in_another_file_does_not_read_them(tmp_path: Path) -> None:
    """QuickTime's data reference may name a file; here the movie's own is renamed to do so."""
    secret = tmp_path / "secret"
    movie = clip("mov", "mjpeg", frames=3, pix_fmt="yuvj420p")
    secret.write_bytes(movie)
    entry = b"\0\0\0\x0curl \0\0\0\1"  # "the samples are in this very file"
    assert entry in movie
    outcome = outcome_of(movie.replace(entry, b"\0\0\0\x0calis\0\0\0\0"))
    assert outcome.reason is None or outcome.output is None


# Sizes


@pytest.mark.parametrize("size", [(10_000, 10_000), (64, 9_000), (8_193, 48)])
def test_a_header_that_declares_a_huge_picture_is_too_large(size: tuple[int, int]) -> None:
    outcome = outcome_of(declaring(*size))
    assert (outcome.status, outcome.reason) == ("failed", "too_large")
    assert f"{size[0]}x{size[1]}" in outcome.detail


@pytest.mark.parametrize("size", [(1024, 16), (16, 1024)])
def test_a_strip_that_would_grow_past_the_limit_is_too_large(size: tuple[int, int]) -> None:
    outcome = outcome_of(clip("matroska", "ffv1", size, frames=2))
    assert (outcome.status, outcome.reason) == ("failed", "too_large")
    assert "16384" in outcome.detail


def test_a_strip_that_stays_within_the_limit_is_resized() -> None:
    outcome = outcome_of(clip("matroska", "ffv1", (1024, 32), frames=2))
    assert outcome.status == "resized"
    assert size_of(outcome.output) == (8192, 256)


# One picture only


def test_a_single_motion_jpeg_picture_is_judged_without_an_accident() -> None:
    assert outcome_of(cover()).reason in (None, "not_a_video")


def test_a_video_without_a_packet_has_a_reason() -> None:
    nothing = remuxed(clip(frames=5), options=["-frames:v", "0"], container="matroska")
    outcome = outcome_of(nothing)
    assert outcome.status == "failed"
    assert outcome.reason in ("undecodable", "no_video_stream", "truncated", "not_a_video")
