"""Scale and turn decoded pictures, and convert them for the encoder."""

from collections.abc import Sequence
from typing import Any

import av.filter
from av.filter.context import FilterContext
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from beam_pipeline.codec.container_crop import Crop
from beam_pipeline.codec.geometry import Orientation

LIMITED_RANGE = 1
"""AVCOL_RANGE_MPEG."""

UNSPECIFIED = 2
"""AVCOL_SPC_UNSPECIFIED."""

# Color matrices that FFmpeg's scaler supports (AVColorSpace). It refuses pictures tagged with
# others, although scaling from YUV to YUV needs no matrix.
_SUPPORTED_MATRICES = {0, 1, UNSPECIFIED, 4, 5, 6, 7, 9}


KERNEL = "flags=bicubic+accurate_rnd+bitexact:param0=0:param1=0.75"
"""Keys' cubic with a = -0.75, as sharp as OpenCV's. FFmpeg's default is a = -0.6."""

OF_CLIPS = f"{KERNEL}:out_range=limited"
"""How the pictures of clips are scaled."""

FILTERS_OF_CLIPS = (("format", "yuv420p"),)
"""What comes after that, as FFmpeg's filters: name, arguments."""


def _unknown_side_data(kind: type[Type], number: object) -> Type:
    """A member for side data that PyAV does not know, such as EXIF: it could list none otherwise.

    The enumeration is PyAV's own, and asks this of a value that it lacks.
    """
    member: Any = object.__new__(kind)
    member._name_, member._value_ = f"UNKNOWN_{number}", number
    return member


Type._missing_ = classmethod(_unknown_side_data)  # type: ignore[method-assign, assignment]


def orientation_of(frame: VideoFrame) -> Orientation:
    """How to turn a decoded frame upright."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    return Orientation.from_display_matrix(None if matrix is None else bytes(matrix))


class PictureScaler:
    """Scales every frame to one size, turns it upright, converts it to limited-range yuv420p.

    ``width`` and ``height`` are those of the output in pixels, upright. ``crop`` is taken off each
    stored picture first. ``scaling`` has the other arguments of FFmpeg's scaler, and ``last`` are
    the filters that follow: by default those of clips. The filter graph is
    rebuilt if the source changes its size or format, so that every output frame has the same
    size.
    """

    def __init__(
        self,
        width: int,
        height: int,
        orientation: Orientation,
        crop: Crop,
        scaling: str = OF_CLIPS,
        last: Sequence[tuple[str, str]] = FILTERS_OF_CLIPS,
    ) -> None:
        self._crop = crop
        self._scaling = scaling
        self._last = last
        self._scaled = (height, width) if orientation.quarter_turn else (width, height)
        self._orientation = orientation
        self._built_for: tuple[object, ...] = ()

    def scale(self, frame: VideoFrame) -> VideoFrame:
        """One frame in, one frame out."""
        if frame.colorspace not in _SUPPORTED_MATRICES:
            frame.colorspace = UNSPECIFIED
        size = (frame.width, frame.height)
        frame_format = (*size, frame.format.name, frame.colorspace, frame.color_range)
        if frame_format != self._built_for:
            self._graph = self._build(frame)
            self._built_for = frame_format
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: VideoFrame) -> av.filter.Graph:
        width, height = self._scaled
        graph = av.filter.Graph()
        graph.threads = 1
        chain = [
            # The frames get their times after the graph, so any time base will do here.
            graph.add(
                "buffer",
                f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
                f":time_base=1/1:colorspace={frame.colorspace}:range={frame.color_range}",
            ),
            *self._crop_filter(graph, frame),
            graph.add("scale", f"{width}:{height}:{self._scaling}"),
            *(graph.add(name, arguments) for name, arguments in self._orientation.filters),
            *(graph.add(name, arguments) for name, arguments in self._last),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*chain).configure(auto_buffer=False)
        return graph

    def _crop_filter(self, graph: av.filter.Graph, frame: VideoFrame) -> list[FilterContext]:
        crop = self._crop
        if not crop or not crop.fits(frame.width, frame.height):
            return []
        width, height = crop.size(frame.width, frame.height)
        return [graph.add("crop", f"{width}:{height}:{crop.left}:{crop.top}")]
