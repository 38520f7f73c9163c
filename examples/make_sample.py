"""Make a small data set with the layout of Kinetics, to try the pipeline.

Usage: ``python examples/make_sample.py FOLDER``

FOLDER gets ``annotations/``, in the three official formats (JSON, CSV, CSV without labels), and
``videos/``, in the two usual layouts (a folder per class, and flat). The pictures come from
FFmpeg's test sources, one per class, so nothing is downloaded. The clips are of the kinds in a
real copy of Kinetics: landscape, portrait, rotated, odd-sized and silent clips, several containers
and codecs, a missing file, a truncated file, and a web page saved as ``.mp4``.

A complete folder is left unchanged.
"""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.video.frame import VideoFrame

SOURCES = {
    # With explicit colours and end points: FFmpeg picks random ones, whatever the seed.
    "mixing colors": "gradients=size={size}:rate=25:speed=0.02:nb_colors=3"
    ":c0=orange:c1=teal:c2=navy:x0=0:y0=0:x1=300:y1=200",
    "playing game of life": "life=seed=1:size=48x48:rate=25,scale={size}:flags=neighbor",
    "watching test card": "testsrc2=size={size}:rate=25",
    "zooming into fractal": "mandelbrot=size={size}:rate=25",
}
"""The FFmpeg source of each class."""

WEB_PAGE = b"<!DOCTYPE html>\n<title>Video unavailable</title>\n<p>Sign in to watch.</p>\n"


@dataclass(frozen=True)
class Clip:
    """One annotated clip and its file.

    ``start`` and ``end`` are seconds in the original video. ``size`` is the displayed size in
    pixels. ``rotated`` stores the picture rotated, with a display matrix that turns it back, as
    phones do. ``codec`` and ``sound`` are FFmpeg encoders.
    """

    split: Literal["train", "val", "test"]
    label: str
    youtube_id: str
    start: int
    end: int
    size: tuple[int, int] = (640, 360)
    suffix: str = ".mp4"
    codec: str = "libx264"
    sound: str | None = "aac"
    rotated: bool = False
    file: Literal["whole", "truncated", "web page", "missing"] = "whole"

    @property
    def path(self) -> Path:
        """The path below ``videos/``; as in Kinetics-400, only train has class folders."""
        folder = Path(self.split, self.label) if self.split == "train" else Path(self.split)
        return folder / f"{self.youtube_id}_{self.start:06d}_{self.end:06d}{self.suffix}"


CLIPS = (
    Clip("train", "mixing colors", "c0l0r5_0dd0", 33, 35, (321, 241), ".webm", "libvpx-vp9", None),
    Clip("train", "playing game of life", "C0nw4y-L1fe", 61, 63, (360, 640)),
    Clip("train", "playing game of life", "gl1d3r_-gun", 0, 3, file="truncated"),
    Clip("train", "watching test card", "g0ne-v1deo_", 9, 12, file="missing"),
    Clip("train", "watching test card", "t3stc4rd_A1", 128, 131, (360, 640), rotated=True),
    Clip("train", "zooming into fractal", "-Zo0m1nFr4c", 17, 20),
    Clip("train", "zooming into fractal", "m4nd3lbr0t_", 4, 6, (320, 240), ".mkv", sound="libopus"),
    Clip("val", "mixing colors", "Bl3nd-c0l0r", 12, 14),
    Clip("val", "watching test card", "Un4v41l4bl3", 70, 73, file="web page"),
    Clip("val", "zooming into fractal", "5eah0rse_Vy", 250, 252, (480, 360), sound=None),
    Clip("test", "playing game of life", "--bl1nk3r_T", 2, 4),
    Clip("test", "watching test card", "b4r5_t0ne-K", 45, 48, (854, 480), ".avi", "mpeg4", "mp3"),
)


def make_file(clip: Clip, path: Path) -> None:
    """Write a clip's file to ``path``, intact or damaged as ``clip.file`` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if clip.file == "web page":
        path.write_bytes(WEB_PAGE)
        return
    encode(clip, path)
    if clip.file == "truncated":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])


def encode(clip: Clip, path: Path) -> None:
    """Encode pictures, and a tone if the clip has sound, to ``path``."""
    seconds = clip.end - clip.start
    width, height = clip.size
    graph = SOURCES[clip.label].format(size=f"{width}x{height}") + f",trim=duration={seconds}"
    if clip.rotated:
        graph += ",transpose=clock"
        width, height = height, width
    graph += ",format=yuv420p[out0]"
    if clip.sound:
        graph += f";sine=frequency=440:beep_factor=4:sample_rate=48000:duration={seconds}[out1]"

    # The index goes first, as in YouTube's files: then half a file still opens.
    # bitexact: no random ids in Matroska, so that the sample is the same each time.
    options = {"fflags": "bitexact"}
    if clip.suffix == ".mp4":
        options["movflags"] = "faststart"
    with (
        av.open(graph, format="lavfi") as source,
        av.open(path, "w", options=options) as output,
    ):
        speed = {"deadline": "realtime", "cpu-used": "8"} if "vpx" in clip.codec else {}
        video = output.add_stream(clip.codec, rate=25, options=speed)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        if clip.rotated:
            video.set_display_rotation(90)
        audio = output.add_stream(clip.sound, rate=48000) if clip.sound else None
        for frame in source.decode(*source.streams):
            if isinstance(frame, VideoFrame):
                frame.pict_type = 0  # no forced keyframe: some sources mark every frame
                output.mux(video.encode(frame))
            else:
                output.mux(audio.encode(frame))
        for stream in filter(None, (video, audio)):
            output.mux(stream.encode(None))


def make_annotations(folder: Path) -> None:
    """Write the three annotation files, each in a different official format."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {
        clip.youtube_id: {
            "annotations": {"label": clip.label, "segment": [clip.start, clip.end]},
            "duration": clip.end - clip.start,
            "subset": "train",
            "url": f"https://www.youtube.com/watch?v={clip.youtube_id}",
        }
        for clip in CLIPS
        if clip.split == "train"
    }
    (folder / "train.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")

    labelled = ["label", "youtube_id", "time_start", "time_end", "split", "is_cc"]
    for split, columns in {"val": labelled, "test": labelled[1:5]}.items():
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            rows.writeheader()
            for clip in CLIPS:
                if clip.split == split:
                    rows.writerow(
                        {
                            "label": clip.label,
                            "youtube_id": clip.youtube_id,
                            "time_start": clip.start,
                            "time_end": clip.end,
                            "split": split,
                            "is_cc": 0,
                        }
                    )


def main() -> None:
    """Make the sample in the folder from the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/make_sample.py FOLDER")
    folder = Path(sys.argv[1])
    videos = {folder / "videos" / clip.path: clip for clip in CLIPS if clip.file != "missing"}
    annotations = folder / "annotations"
    lists = [annotations / name for name in ("train.json", "val.csv", "test.csv")]
    if all(path.exists() for path in (*videos, *lists)):
        print(f"{folder} already holds the sample")
        return
    for path, clip in videos.items():
        make_file(clip, path)
    make_annotations(annotations)  # last: they mark the clips as complete
    print(f"Made {folder}: {len(CLIPS)} annotated clips, {len(videos)} files")


if __name__ == "__main__":
    main()
