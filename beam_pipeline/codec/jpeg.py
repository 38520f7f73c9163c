"""Write JPEG files, and look at the structure of those that come from elsewhere."""

from fractions import Fraction

from av.codec.context import CodecContext
from av.codec.context import Flags as CodecFlags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

PIXELS = "yuvj420p"
"""FFmpeg's name for 8 bits, full range, color at half the size: what every reader of JPEG reads."""

_START, _END = b"\xff\xd8", b"\xff\xd9"
_BASELINE = 0xC0
_SCAN = 0xDA


def encode_jpeg(picture: VideoFrame, quality: int) -> bytes:
    """A picture of the format ``PIXELS`` as JPEG.

    ``quality`` is FFmpeg's scale of the quantizer: 2 is the best, 31 the smallest.
    """
    context = CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = picture.width, picture.height, PIXELS
    context.time_base = Fraction(1, 25)  # it has to have one
    context.thread_count = 1
    context.flags |= CodecFlags.bitexact
    context.qmin = context.qmax = quality
    picture.pts, picture.pict_type = 0, 0
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a baseline JPEG in color; None if the bytes are none.

    Only the structure is looked at, up to the picture's own data: ITU-T T.81, annex B.
    """
    if not (data.startswith(_START) and data.endswith(_END)):
        return None
    size = None
    place = len(_START)
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        if kind == _SCAN:
            return size
        if kind == _BASELINE:
            bits, height, width, components = _frame_header(data[place + 4 : place + 10])
            if size or bits != 8 or components != 3 or not (width and height):
                return None
            size = width, height
        place += 2 + max(length, 2)
    return None


def _frame_header(header: bytes) -> tuple[int, int, int, int]:
    """Bits of a sample, height, width, and the number of components."""
    header = header.ljust(6, b"\0")
    return header[0], int.from_bytes(header[1:3]), int.from_bytes(header[3:5]), header[5]
