"""Compare how fast training loaders read clips made in several ways, as a Markdown table.

    python benchmarks/reads.py --clips FOLDER --readers PYTHON [--write docs/benchmarks.md]

``--readers`` is a Python with decord, torchcodec and PyAV: ``make test-readers`` installs one.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
from bench import comparable
from contenders import FIRST_RELEASE, made_by_mmaction2, mmaction2, ours
from markdown import replace_section, table

from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ENCODERS, ClipSettings

WAYS: dict[str, ClipSettings] = {
    **{f"`--encoder {name}`": settings for name, settings in ENCODERS.items()},
    "the first release's defaults": FIRST_RELEASE,
}


def make_clips(clips: list[Path], settings: ClipSettings, folder: Path) -> Path:
    """Resize clips into a folder, under their own names."""
    folder.mkdir()
    for clip in clips:
        output = MemoryFile()
        with clip.open("rb") as file:
            resize(file, output.open, replace(settings, audio="drop"), Facts())
        (folder / f"{clip.name}.mp4").write_bytes(output.getvalue())
    return folder


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--readers", required=True, help="a Python with the readers")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- reads -->")
    args = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        tools = [ours(), mmaction2(ffmpeg)]
        clips, _ = comparable(args.clips, tools, work / "trial")
        made_by_mmaction2(clips, ffmpeg, work)
        made = [
            make_clips(clips, settings, work / str(number))
            for number, settings in enumerate(WAYS.values())
        ]
        printed = subprocess.run(
            [args.readers, str(Path(__file__).with_name("read_time.py")),
             str(work / "theirs"), *map(str, made)],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    rows = []
    for found in json.loads(printed.splitlines()[-1]):
        first, *ours_seconds = found["seconds"]
        ratios = [f"{first / each:.2f}" for each in ours_seconds]
        rows.append([found["reader"], found["sampling"], *ratios])
    headings = ("reader", "frames x stride", *WAYS)
    text = (
        f"\n{table(headings, rows)}\n\n{len(clips)} clips. Reads a second, divided by those of "
        "mmaction2's files: the file opened each time, one thread, RGB out, processor time.\n"
    )
    print(text)
    if args.write:
        replace_section(args.write, "reads", text)


if __name__ == "__main__":
    main()
