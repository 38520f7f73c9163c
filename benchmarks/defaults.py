"""What the settings of the encoder and the scaler cost and give, as a Markdown table.

    python benchmarks/defaults.py --clips FOLDER [--write README.md]

Each candidate resizes every clip; what it makes is held against what mmaction2's command makes of
the same clip. One thread, processor time, the better of two.
"""

import argparse
import io
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
from bench import SUFFIXES
from contenders import mmaction2
from markdown import put, table
from quality import mean_window_seconds, picture_bytes, ssim

from beam_pipeline.codec import scale_pictures as scaling
from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ClipSettings

CHOSEN = ClipSettings(audio="drop")
MEDIUM = replace(CHOSEN, preset="medium", crf=23, gop=250, tune="none", coder="cabac")
FASTDECODE = replace(CHOSEN, tune="fastdecode")

EXACT = "+accurate_rnd+bitexact"
AREA, BICUBIC, LANCZOS = (f"flags={name}{EXACT}" for name in ("area", "bicubic", "lanczos"))

CANDIDATES: dict[str, tuple[ClipSettings, str]] = {
    "**the defaults**": (CHOSEN, scaling.KERNEL),
    "scaler: FFmpeg's bicubic": (CHOSEN, BICUBIC),
    "scaler: lanczos": (CHOSEN, LANCZOS),
    "scaler: area": (CHOSEN, AREA),
    "`--tune none`": (replace(CHOSEN, tune="none"), scaling.KERNEL),
    "`--tune ssim`": (replace(CHOSEN, tune="ssim"), scaling.KERNEL),
    "`--tune fastdecode`": (FASTDECODE, scaling.KERNEL),
    "`--tune fastdecode --crf 21`": (replace(FASTDECODE, crf=21), scaling.KERNEL),
    "`--coder cabac`": (replace(CHOSEN, coder="cabac"), scaling.KERNEL),
    "`--crf 21`": (replace(CHOSEN, crf=21), scaling.KERNEL),
    "`--crf 23`": (replace(CHOSEN, crf=23), scaling.KERNEL),
    "`--gop 16`": (replace(CHOSEN, gop=16), scaling.KERNEL),
    "`--gop 64`": (replace(CHOSEN, gop=64), scaling.KERNEL),
    "`--gop 250`": (replace(CHOSEN, gop=250), scaling.KERNEL),
    "`--preset ultrafast --crf 24`": (replace(CHOSEN, preset="ultrafast", crf=24), scaling.KERNEL),
    "`--preset superfast --crf 23`": (replace(CHOSEN, preset="superfast", crf=23), scaling.KERNEL),
    "`--preset faster`": (replace(CHOSEN, preset="faster"), scaling.KERNEL),
    "`--preset medium --crf 23 --gop 250 --tune none --coder cabac`": (MEDIUM, scaling.KERNEL),
    "`--preset slower --crf 23 --gop 250 --coder cabac`": (
        replace(MEDIUM, preset="slower", tune="psnr"), scaling.KERNEL,
    ),
}  # fmt: skip


def make(clip: Path, settings: ClipSettings, kernel: str, result: Path) -> float:
    """Resize a clip; the processor seconds that it took."""
    scaling.KERNEL = kernel
    data = clip.read_bytes()
    took = []
    for _ in range(2):
        made = MemoryFile()
        began = time.process_time()
        resize(io.BytesIO(data), made.open, settings, Facts())
        took.append(time.process_time() - began)
    result.write_bytes(made.getvalue())
    return min(took)


def is_whole(clip: Path) -> bool:
    """Whether a clip is encoded, without any damage."""
    facts = Facts()
    try:
        with clip.open("rb") as file:
            copied = resize(file, MemoryFile().open, CHOSEN, facts).copied
    except BadClip:
        return False
    return not copied and not facts.decode_errors


def compare(clips: Sequence[Path], work: Path, ffmpeg: str) -> list[list[str]]:
    """A row for each candidate."""
    sources, theirs = work / "sources", work / "theirs"
    sources.mkdir()
    theirs.mkdir()
    for clip in clips:
        shutil.copy(clip, sources)
    subprocess.run(mmaction2(ffmpeg).on(sources, theirs), check=True)
    reference = {clip: theirs / f"{clip.name}.mp4" for clip in clips}
    likeness = {clip: ssim(ffmpeg, clip, made) for clip, made in reference.items()}
    rows = []
    chosen_seconds = 0.0
    for name, (settings, kernel) in CANDIDATES.items():
        seconds = ours = others = our_windows = their_windows = 0.0
        differences = []
        for clip in clips:
            result = work / "result.mp4"
            seconds += make(clip, settings, kernel, result)
            ours += picture_bytes(result)
            others += picture_bytes(reference[clip])
            one, other = ssim(ffmpeg, clip, result), likeness[clip]
            if one is not None and other is not None:
                differences.append(1000 * (one - other))
            mine, his = mean_window_seconds([result, reference[clip]])
            our_windows += mine
            their_windows += his
        chosen_seconds = chosen_seconds or seconds
        rows.append([
            name, f"{seconds / chosen_seconds:.2f}", f"{ours / others:.2f}",
            f"{min(differences):+.2f}", f"{statistics.mean(differences):+.2f}",
            f"{their_windows / our_windows:.2f}",
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the table, and write it into a document if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--write", type=Path, help="a document with <!-- defaults --> in it")
    asked = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    found = sorted(path for path in asked.clips.rglob("*") if path.suffix.lower() in SUFFIXES)
    clips = [clip for clip in found if is_whole(clip)]
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(clips, Path(folder), ffmpeg)
    headings = (
        "settings", "processor time", "bytes", "SSIM in 1/1000, worst clip", "mean",
        "reads a second",
    )  # fmt: skip
    text = f"\n{table(headings, rows)}\n"
    print(text)
    if asked.write:
        put(asked.write, "defaults", text)


if __name__ == "__main__":
    main()
