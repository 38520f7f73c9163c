"""The usual moviepy script: one clip at a time, with moviepy's defaults.

It needs moviepy 1.0.3 and Pillow below 10. So it runs in its own environment and does not import
beam_pipeline.
"""

import sys
from pathlib import Path

from moviepy.editor import VideoFileClip


def main() -> None:
    """Resize every file of the first folder into the second."""
    sources, results = Path(sys.argv[1]), Path(sys.argv[2])
    for source in sorted(sources.iterdir()):
        try:
            resize(source, results / f"{source.name}.mp4")
        except OSError as error:
            # The usual script stops here. This one continues, to be compared on the other clips.
            print(f"{source}: {str(error).splitlines()[0]}", file=sys.stderr)


def resize(source: Path, result: Path) -> None:
    """Resize one file to a short edge of 256."""
    clip = VideoFileClip(str(source))
    width, height = clip.size
    resized = clip.resize(height=256) if width >= height else clip.resize(width=256)
    # libx264 requires even sizes for yuv420p, but moviepy rounds to the nearest integer.
    resized = resized.crop(x2=resized.w // 2 * 2, y2=resized.h // 2 * 2)
    resized.write_videofile(str(result), verbose=False, logger=None)
    clip.close()


if __name__ == "__main__":
    main()
