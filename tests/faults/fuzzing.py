"""Clips that nobody would make on purpose: real ones damaged at random, and headers that lie."""

import random
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tests.kinetics import SHARED
from tests.make_clips import Sound, clip, ffmpeg

SIZE = (64, 48)
REAL_FORMS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
SMALL = 130_000
"""Bytes; real clips up to this size are damaged as they are, of larger ones a second is."""


# What is damaged


@cache
def healthy() -> tuple[bytes, ...]:
    """A clip of every container and codec that is around, own ones and the shared real ones."""
    mp3, aac, opus = Sound("mp3"), Sound("aac"), Sound("libopus", 48000)
    fragmented = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    own = (
        clip(size=SIZE, sounds=[aac]),
        clip(size=SIZE, sounds=[aac], muxer={"movflags": "faststart"}),
        clip(size=SIZE, sounds=[aac], muxer=fragmented),
        clip(size=(96, 64), frames=10),  # its streams are copied
        clip(size=SIZE, codec="libx265", frames=12),
        clip(size=SIZE, codec="libsvtav1", frames=12),
        clip("mov", "mjpeg", SIZE, pix_fmt="yuvj420p", rotation=90),
        clip("mov", "png", SIZE, frames=6, pix_fmt="rgb24"),
        clip("avi", "mpeg4", SIZE, sounds=[mp3]),
        clip("avi", "mjpeg", SIZE, pix_fmt="yuvj420p", sounds=[Sound("pcm_s16le", 22050)]),
        clip("webm", "libvpx-vp9", SIZE, sounds=[opus]),
        clip("webm", "libvpx", SIZE, sounds=[opus]),
        clip("matroska", "libx264", SIZE, sounds=[Sound("flac")]),
        clip("matroska", "ffv1", SIZE, frames=6),
        clip("mpeg", "mpeg1video", SIZE, sounds=[Sound("mp2")]),
        clip("mpegts", "libx264", SIZE, sounds=[aac]),
        clip("mpegts", "mpeg2video", SIZE, sounds=[Sound("ac3", 48000)]),
        clip("flv", "flv", SIZE, sounds=[mp3]),
        clip("flv", "libx264", SIZE, sounds=[aac]),
        clip("asf", "wmv2", SIZE, sounds=[Sound("wmav2")]),
        clip("mxf", "mpeg2video", SIZE),
        clip("nut", "mpeg4", SIZE),
        clip("gif", "gif", SIZE, frames=6, pix_fmt="rgb8"),
    )
    return own + tuple(_real_clips())


def _real_clips() -> list[bytes]:
    found = []
    for path in sorted((SHARED / "clips").glob("*.*")):
        if path.suffix in REAL_FORMS:
            small = path.stat().st_size <= SMALL
            found.append(path.read_bytes() if small else _first_second(path))
    return found


def _first_second(path: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder, "cut")
        ffmpeg(
            "-t", "1", "-i", str(path), "-map", "0:v?", "-map", "0:a?", "-c", "copy",
            "-f", REAL_FORMS[path.suffix], str(cut),
        )  # fmt: skip
        return cut.read_bytes()


# Damage at random

NUMBERS = (0, 1, 2, 8, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def whole_videos() -> tuple[bytes, ...]:
    """Five seconds of a few kinds, which clips are cut out of."""
    slow = {"size": SIZE, "rate": 5}
    aac = Sound(seconds=5.0)
    return (
        clip(sounds=[aac], options={"preset": "medium", "g": "10"}, **slow),
        clip(sounds=[aac], muxer={"movflags": "frag_keyframe+empty_moov"}, **slow),
        clip("matroska", options={"preset": "medium", "g": "100"}, sounds=[aac], **slow),
        clip("webm", "libvpx-vp9", sounds=[Sound("libopus", 48000, seconds=5.0)], **slow),
        clip("webm", "libvpx", muxer={"live": "1"}, **slow),
        clip("avi", "mpeg4", options={"bf": "2"}, **slow),
        clip("mpegts", sounds=[aac], **slow),
        clip("flv", "flv", **slow),
    )


def damaged(seed: int, healthy: Callable[[], Sequence[bytes]] = healthy) -> bytes:
    """A clip with a few injuries; the same one for the same number."""
    chance = random.Random(seed)
    clips = healthy()
    data = bytearray(chance.choice(clips))
    for _ in range(chance.randint(1, 4)):
        if data:
            chance.choice(INJURIES)(chance, data, clips)
    return bytes(data)


def _cut(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data)) :]


def _lose(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    del data[at : at + _length(chance)]


def _flip(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    for _ in range(chance.choice([1, 10, 200])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_header(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    for _ in range(chance.choice([1, 5, 20])):
        data[chance.randrange(min(len(data), 2048))] = chance.randrange(256)


def _splice(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    other = chance.choice(clips)
    at, there, length = chance.randrange(len(data)), chance.randrange(len(other)), _length(chance)
    data[at : at + length] = other[there : there + length]


def _join(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    other = chance.choice(clips)
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


def _repeat(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + _length(chance)] * chance.randint(1, 8)


def _lie(chance: random.Random, data: bytearray, clips: Sequence[bytes]) -> None:
    """Another number where one may stand; most stand near the beginning or near the end."""
    reach = chance.choice([1024, 8192, len(data)])
    at = chance.randrange(min(len(data), reach))
    if chance.random() < 0.5:
        at = len(data) - 1 - at
    number = chance.choice([*NUMBERS, chance.getrandbits(32)])
    data[at : at + 4] = struct.pack(chance.choice("><") + "I", number)


def _length(chance: random.Random) -> int:
    return chance.choice([1, 4, 16, 256, 4096])


INJURIES = (_cut, _lose, _flip, _flip_header, _splice, _join, _repeat, _lie, _lie)


# Headers made by hand: MP4


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def long_box(kind: bytes, size: int, *content: bytes) -> bytes:
    """A box with its size in 64 bits, true or not."""
    return struct.pack(">I4sQ", 1, kind, size) + b"".join(content)


FILE_TYPE = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")


def nested(kind: bytes, depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = box(kind, data)
    return data


def with_field(kind: bytes, offset: int, form: str, *values: int, which: int = 0) -> bytes:
    """An MP4 with sound whose ``which``th box of a kind says something else at an offset.

    Offsets count from behind the box's name, so that 4 is behind version and flags.
    """
    made = bytearray(clip(size=SIZE, frames=10, sounds=[Sound()]))
    at = -1
    for _ in range(which + 1):
        at = made.index(kind, at + 1)
    struct.pack_into(form, made, at + 4 + offset, *values)
    return bytes(made)


def _with_edit(duration: int, media_time: int, count: int = 1) -> bytes:
    return with_field(b"elst", 4, ">III", count, duration, media_time & 0xFFFFFFFF)


MOST = 0xFFFFFFFF


def mp4_headers() -> dict[str, bytes]:
    whole = clip(size=SIZE, frames=10)
    moov = whole[whole.index(b"moov") - 4 :]
    return {
        "moov inside moov": FILE_TYPE + nested(b"moov", 1000),
        "trak inside trak inside moov": FILE_TYPE + box(b"moov", nested(b"trak", 1000)),
        "udta inside udta": FILE_TYPE + box(b"moov", nested(b"udta", 5000)),
        "a clip inside moov inside moov": FILE_TYPE + box(b"moov", nested(b"moov", 50), moov),
        "many empty boxes": FILE_TYPE + box(b"free") * 200_000,
        "many boxes of no size": FILE_TYPE + b"\0\0\0\0free" * 200_000,
        "boxes that end in their own header": FILE_TYPE + b"\0\0\0\4free" * 1000 + moov,
        "mdat of 2^62 bytes": FILE_TYPE + long_box(b"mdat", 2**62, b"\0" * 100) + moov,
        "mdat of 2^64 - 1 bytes": FILE_TYPE + long_box(b"mdat", 2**64 - 1, b"\0" * 100) + moov,
        "moov of 2^62 bytes": FILE_TYPE + long_box(b"moov", 2**62, moov[8:]),
        "many tracks": FILE_TYPE + box(b"moov", *[box(b"trak", box(b"tkhd", bytes(84)))] * 20_000),
        "a moov that is compressed": FILE_TYPE + _compressed_moov(bytes(64 * 1024**2)),
        "stsz with 2^31 entries": with_field(b"stsz", 8, ">I", 2**31),
        "stsz with 2^31 entries of one size": with_field(b"stsz", 4, ">II", 1, 2**31 - 1),
        "stsz with 2^26 entries of one size": with_field(b"stsz", 4, ">II", 1, 2**26),
        "stsz of huge samples": with_field(b"stsz", 4, ">I", 2**31 - 1),
        "stts with 2^32 - 1 entries": with_field(b"stts", 4, ">I", MOST),
        "stts of 2^31 samples": with_field(b"stts", 8, ">I", 2**31),
        "stts with huge durations": with_field(b"stts", 12, ">I", 2**31 - 1),
        "stts with no duration": with_field(b"stts", 12, ">I", 0),
        "stsc with 2^32 - 1 entries": with_field(b"stsc", 4, ">I", MOST),
        "stsc of 2^31 samples a chunk": with_field(b"stsc", 12, ">I", 2**31),
        "stsc that starts nowhere": with_field(b"stsc", 8, ">I", 0),
        "stco with 2^32 - 1 entries": with_field(b"stco", 4, ">I", MOST),
        "stco past the end": with_field(b"stco", 8, ">I", MOST),
        "stss with 2^32 - 1 entries": with_field(b"stss", 4, ">I", MOST),
        "ctts with 2^32 - 1 entries": with_field(b"ctts", 4, ">I", MOST)
        if b"ctts" in whole
        else FILE_TYPE,
        "stsd with 2^31 entries": with_field(b"stsd", 4, ">I", 2**31),
        "stsd without entries": with_field(b"stsd", 4, ">I", 0),
        "an edit of 2^31 - 1": _with_edit(2**31 - 1, 0),
        "an edit that starts after the end": _with_edit(1000, 2**31 - 1),
        "an edit of nothing": _with_edit(0, 0),
        "an empty edit of days": _with_edit(2**31 - 1, -1),
        "2^32 - 1 edits": _with_edit(1000, 0, MOST),
        **{
            f"{kind} with timescale {scale}": with_field(kind.encode(), 12, ">I", scale)
            for kind in ("mvhd", "mdhd")
            for scale in (0, 1, 2**31 - 1, MOST)
        },
        **{
            f"sound with timescale {scale}": with_field(b"mdhd", 12, ">I", scale, which=1)
            for scale in (0, 1, MOST)
        },
        **{
            f"avc1 of {width}x{height}": with_field(b"avc1", 24, ">HH", width, height)
            for width, height in ((0, 0), (1, 1), (65535, 65535), (65535, 1))
        },
        "mp4a of 65535 channels": with_field(b"mp4a", 16, ">H", 65535),
        "mp4a without a rate": with_field(b"mp4a", 24, ">I", 0),
        "mp4a of 65535 Hz": with_field(b"mp4a", 24, ">I", MOST),
        "a display matrix of zeros": with_field(b"tkhd", 40, ">9i", *[0] * 9),
        "a display matrix of ones": with_field(b"tkhd", 40, ">9i", *[-1] * 9),
        "a display matrix of an odd turn": with_field(
            b"tkhd", 40, ">9i", 40000, 51000, 0, -51000, 40000, 0, 0, 0, 2**30
        ),
        "a display matrix at its limits": with_field(
            b"tkhd", 40, ">9i", *[-(2**31), 2**31 - 1, 0] * 3
        ),
        "avcC that is cut": with_field(b"avcC", 0, ">Q", MOST),
        "a fragment of 2^32 - 1 samples": _fragmented(b"trun", 4, MOST),
        "a fragment at 2^32 - 1": _fragmented(b"tfdt", 4, MOST),
        "a fragment of a track that is not there": _fragmented(b"tfhd", 4, 77),
        "fragments without end": _fragmented(b"free", 0, 0) + box(b"moof") * 100_000,
    }


def _fragmented(kind: bytes, offset: int, value: int) -> bytes:
    muxer = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    made = bytearray(clip(size=SIZE, frames=10, muxer=muxer))
    at = made.find(kind)
    if at >= 0:
        struct.pack_into(">I", made, at + 4 + offset, value)
    return bytes(made)


def _compressed_moov(content: bytes) -> bytes:
    small = zlib.compress(content)
    length = struct.pack(">I", len(content))
    return box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", length, small)))


# Headers made by hand: Matroska


def element(number: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    """An EBML element; its size in 8 bytes, true unless another is given."""
    length = len(content) if size is None else size
    return number + struct.pack(">Q", 1 << 56 | length) + content


UNKNOWN = 2**56 - 1
EBML, SEGMENT, CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
TRACKS, BLOCK, TIME = b"\x16\x54\xae\x6b", b"\xa3", b"\xe7"
MATROSKA = element(EBML, element(b"\x42\x82", b"matroska"))


def track(width: int, height: int, codec: bytes = b"V_VP9", *more: bytes) -> bytes:
    def number(value: int) -> bytes:
        return value.to_bytes(4, "big")

    video = element(b"\xe0", element(b"\xb0", number(width)) + element(b"\xba", number(height)))
    about = element(b"\xd7", b"\1") + element(b"\x73\xc5", b"\1") + element(b"\x83", b"\1")
    return element(
        TRACKS, element(b"\xae", about + element(b"\x86", codec) + video + b"".join(more))
    )


def block(payload: bytes, time: int = 0) -> bytes:
    return element(BLOCK, b"\x81" + struct.pack(">h", time) + b"\x80" + payload)


def matroska_headers() -> dict[str, bytes]:
    def segment(*content: bytes, size: int | None = UNKNOWN) -> bytes:
        return MATROSKA + element(SEGMENT, b"".join(content), size)

    unpacked = bytes(64 * 1024**2)
    inflating = element(
        b"\x6d\x80", element(b"\x62\x40", element(b"\x50\x34", element(b"\x42\x54", b"\0")))
    )
    bomb = element(CLUSTER, element(TIME, b"\0") + block(zlib.compress(unpacked)) * 50)
    late = (element(CLUSTER, element(TIME, b"\x7f" * 8) + block(b"\0" * 50)),) * 3
    small = track(64, 48)
    return {
        "segments of unknown size in each other": MATROSKA + element(SEGMENT, b"", UNKNOWN) * 5000,
        "clusters of unknown size in each other": segment(
            small, element(CLUSTER, b"", UNKNOWN) * 50_000
        ),
        "a block of 2^56 - 2 bytes": segment(
            small, element(CLUSTER, element(BLOCK, b"\x81", 2**56 - 2))
        ),
        "a void of 2^56 - 2 bytes": MATROSKA + element(b"\xec", b"", 2**56 - 2),
        "a segment of 2^56 - 2 bytes": segment(small, size=2**56 - 2),
        "tracks inside tracks": segment(*[element(TRACKS, b"", UNKNOWN)] * 1000),
        "tags inside tags": segment(_nested_tags(500)),
        "65535x65535": segment(track(65535, 65535), element(CLUSTER, block(b"\0" * 100))),
        "1x1": segment(track(1, 1), element(CLUSTER, block(b"\0" * 100))),
        "no size": segment(track(0, 0), element(CLUSTER, block(b"\0" * 100))),
        "raw pictures of 8192x8192": segment(
            track(8192, 8192, b"V_UNCOMPRESSED", element(b"\x2e\xb5\x24", b"I420")),
            element(CLUSTER, block(b"\0" * 100) * 1000),
        ),
        "blocks that unpack to 64 MB": segment(track(64, 48, b"V_VP9", inflating), bomb),
        "a clip at the end of time": segment(small, *late),
        "a codec nobody knows": segment(
            track(64, 48, b"V_NOBODY/KNOWS"), element(CLUSTER, block(b"\0"))
        ),
        "a codec without a name": segment(track(64, 48, b""), element(CLUSTER, block(b"\0"))),
        "an EBML header of 2^56 - 2 bytes": element(EBML, b"", 2**56 - 2) + bytes(1000),
        "laces without end": segment(
            small, element(CLUSTER, element(BLOCK, b"\x81\0\0\x06" + b"\xff" * 5000) * 20)
        ),
        "zeros for ever": segment(small, bytes(2_000_000)),
        "many tracks": segment(element(TRACKS, track(64, 48)[12:] * 20_000)),
    }  # fmt: skip


def _nested_tags(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = element(b"\x67\xc8", element(b"\x45\xa3", b"name") + data)
    return element(b"\x12\x54\xc3\x67", element(b"\x73\x73", data))


# Headers made by hand: the older containers


def riff(kind: bytes, *content: bytes, size: int | None = None) -> bytes:
    inside = b"".join(content)
    inside += b"\0" * (len(inside) % 2)
    return struct.pack("<4sI", kind, len(inside) if size is None else size) + inside


def other_headers() -> dict[str, bytes]:
    avi = clip("avi", "mpeg4", SIZE, frames=10)
    flv = clip("flv", "flv", SIZE, frames=10, sounds=[Sound("mp3")])
    ts = clip("mpegts", "mpeg2video", SIZE, frames=10)
    lists = b""
    for _ in range(1000):
        lists = riff(b"LIST", b"hdrl", lists)
    return {
        "AVI: lists inside lists": riff(b"RIFF", b"AVI ", lists),
        "AVI: lists of no size": riff(b"RIFF", b"AVI ", b"LIST\0\0\0\0" * 50_000),
        "AVI: everything 2^32 - 1 bytes": riff(b"RIFF", b"AVI ", size=MOST)
        + riff(b"LIST", b"hdrl", size=MOST)
        + riff(b"avih", bytes(56), size=MOST),
        "AVI: no rate": _patched(avi, b"vids", 16, "<II", 0, 0),
        "AVI: a frame a second of 2^32 - 1": _patched(avi, b"vids", 16, "<II", MOST, 1),
        "AVI: 2^32 - 1 frames a second": _patched(avi, b"vids", 16, "<II", 1, MOST),
        "AVI: starts at 2^32 - 1": _patched(avi, b"vids", 24, "<II", MOST, MOST),
        "AVI: a picture of 2^31 - 1 pixels a side": _patched(
            avi, b"strf", 8, "<ii", 2**31 - 1, 2**31 - 1
        ),
        "AVI: a picture of -1x-1": _patched(avi, b"strf", 8, "<ii", -1, -1),
        "AVI: an index that names itself": _patched(
            avi, b"idx1", 8, "<4sIII", b"ix00", 16, 0, MOST
        ),
        "AVI: an index of 2^32 - 1 bytes": _patched(avi, b"idx1", 0, "<I", MOST),
        "FLV: a tag of 2^24 - 1 bytes": flv[:13] + b"\x09\xff\xff\xff" + flv[17:],
        "FLV: objects inside objects": flv[:13] + _flv_script(b"\x03\0\1a" * 50_000) + flv[13:],
        "FLV: an array of 2^32 - 1": (
            flv[:13] + _flv_script(b"\x0a\xff\xff\xff\xff" * 50) + flv[13:]
        ),
        "FLV: a tag for every day": _flv_days(flv),
        "TS: nothing but tables": ts[:376] * 2000,
        "TS: nothing but empty packets": ts[:376] + (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 20_000,
        "TS: a clip 50 times": ts * 50,
        "ID3 of 256 MB": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + clip(size=SIZE, frames=5),
        "ID3 tags in a row": b"ID3\4\0\0\0\0\0\0" * 50_000,
        "GIF of 65535x65535": b"GIF89a" + b"\xff" * 4 + b"\x80\0\0" + bytes(6) + _GIF_PICTURE * 20,
        "GIF of 8192x8192 and many pictures": b"GIF89a" + b"\0\x20\0\x20\x80\0\0" + bytes(6)
        + _GIF_PICTURE * 200,
        "Y4M of 65535x65535": b"YUV4MPEG2 W65535 H65535 F25:1\nFRAME\n" + bytes(1000),
        "Y4M of 0 frames a second": b"YUV4MPEG2 W16 H16 F0:0\n" + (b"FRAME\n" + bytes(384)) * 3,
        "Y4M of 2^31 frames a second": b"YUV4MPEG2 W16 H16 F2147483647:1\n"
        + (b"FRAME\n" + bytes(384)) * 30,
        "MPEG: packs without end": b"\0\0\1\xba" * 100_000,
        "MPEG: start codes without end": b"\0\0\1\xb3" * 100_000,
        "H.264: parameter sets without end": b"\0\0\0\1\x67\x42\0\x0a\xf8\x41\xa2" * 20_000,
        "H.264: nothing but start codes": b"\0\0\1" * 500_000,
        "Ogg: pages without a packet": (b"OggS\0\0" + bytes(20) + b"\0") * 20_000,
        "MXF: keys of no length": (
            b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\0\0" * 20_000
        ),
        "black pictures of 8192x4096": _black(),
        "a picture every 2^31 ticks": clip(
            "matroska", "mjpeg", SIZE, 20, pix_fmt="yuvj420p",
            packets=lambda made: _at(made, range(0, 20 * 2**31, 2**31)),
        ),
        "times at the end of 63 bits": clip(
            "nut", "mjpeg", SIZE, 4, pix_fmt="yuvj420p",
            packets=lambda made: _at(made, [0, 1, 2**60, 2**61]),
        ),
    }  # fmt: skip


_GIF_PICTURE = b"\x2c" + bytes(4) + b"\1\0\1\0\0\2\2\x44\1\0"


def _patched(data: bytes, kind: bytes, offset: int, form: str, *values: int | bytes) -> bytes:
    made = bytearray(data)
    struct.pack_into(form, made, made.index(kind) + 4 + offset, *values)
    return bytes(made)


def _flv_script(content: bytes) -> bytes:
    payload = b"\2\0\x0aonMetaData" + content
    size = len(payload).to_bytes(3, "big")
    return b"\x12" + size + bytes(7) + payload + (11 + len(payload)).to_bytes(4, "big")


def _flv_days(flv: bytes) -> bytes:
    """Every tag a day after the one before."""
    made, at, number = bytearray(flv), 13, 0
    while at + 11 < len(made):
        time = number * 86_400_000 % 2**32
        made[at + 4 : at + 8] = time.to_bytes(4, "big")[1:] + time.to_bytes(4, "big")[:1]
        at += 15 + int.from_bytes(made[at + 1 : at + 4], "big")
        number += 1
    return bytes(made)


def _black() -> bytes:
    return ffmpeg_black(8192, 4096, 40)


def ffmpeg_black(width: int, height: int, frames: int) -> bytes:
    return ffmpeg(
        "-f", "lavfi", "-i", f"color=black:s={width}x{height}:r=25", "-frames:v", str(frames),
        "-c:v", "libx264", "-preset", "ultrafast", "-f", "matroska", "-",
    )  # fmt: skip


def _at(packets: list, times: Sequence[int]) -> list:
    for packet, time in zip(packets, times, strict=True):
        packet.pts = packet.dts = time
    return packets


@cache
def hand_made() -> dict[str, bytes]:
    """All headers made by hand, by what they claim."""
    return mp4_headers() | matroska_headers() | other_headers()
