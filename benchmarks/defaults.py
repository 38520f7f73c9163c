"""Compare the named sets, some flags and scalers in the whole program, as a Markdown table.

    python benchmarks/defaults.py --clips FOLDER [--write docs/encoding.md]

Each candidate resizes every clip. Its result is compared with that of mmaction2's command for the
same clip. Times are processor time of one thread, the better of two runs.
"""

import argparse
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
from contenders import FIRST_RELEASE, made_by_mmaction2
from dataset import videos_in
from markdown import replace_section, table
from quality import mean_window_seconds, picture_bytes, ssim

from beam_pipeline.codec import scale_pictures as scaling
from beam_pipeline.codec.memory_file import MemoryFile
from beam_pipeline.codec.outcome import BadClip, Facts
from beam_pipeline.codec.resize import resize
from beam_pipeline.codec.settings import ENCODERS, ClipSettings

CHOSEN = ClipSettings(audio="drop")

EXACT = "+accurate_rnd+bitexact"
AREA, BICUBIC, LANCZOS = (f"flags={name}{EXACT}" for name in ("area", "bicubic", "lanczos"))

CANDIDATES: dict[str, tuple[ClipSettings, str]] = {
    "**the defaults**": (CHOSEN, scaling.KERNEL),
    "scaler: FFmpeg's bicubic": (CHOSEN, BICUBIC),
    "scaler: lanczos": (CHOSEN, LANCZOS),
    "scaler: area": (CHOSEN, AREA),
    "`--encoder small`": (replace(ENCODERS["small"], audio="drop"), scaling.KERNEL),
    "`--encoder reads`": (replace(ENCODERS["reads"], audio="drop"), scaling.KERNEL),
    "`--coder cabac`": (replace(CHOSEN, coder="cabac"), scaling.KERNEL),
    "`--gop 16`": (replace(CHOSEN, gop=16), scaling.KERNEL),
    "`--gop 250`": (replace(CHOSEN, gop=250), scaling.KERNEL),
    "`--preset veryfast --crf 22 --gop 32`, the first release's": (
        replace(FIRST_RELEASE, audio="drop"),
        scaling.KERNEL,
    ),
}


def resize_clip(clip: Path, settings: ClipSettings, kernel: str, result: Path) -> float:
    """Resize a clip; returns the processor seconds, the better of two runs."""
    scaling.KERNEL = kernel
    data = clip.read_bytes()
    seconds = []
    for _ in range(2):
        output = MemoryFile()
        start = time.process_time()
        resize(io.BytesIO(data), output.open, settings, Facts())
        seconds.append(time.process_time() - start)
    result.write_bytes(output.getvalue())
    return min(seconds)


def is_whole(clip: Path) -> bool:
    """Whether a clip is encoded, not copied, and has no damage."""
    facts = Facts()
    try:
        with clip.open("rb") as file:
            copied = resize(file, MemoryFile().open, CHOSEN, facts).copied
    except BadClip:
        return False
    return not copied and not facts.decode_errors


def compare(clips: Sequence[Path], work: Path, ffmpeg: str) -> list[list[str]]:
    """A row for each candidate."""
    reference = made_by_mmaction2(clips, ffmpeg, work)
    reference_ssim = {clip: ssim(ffmpeg, clip, path) for clip, path in reference.items()}
    rows = []
    chosen_seconds = 0.0
    for name, (settings, kernel) in CANDIDATES.items():
        seconds = our_bytes = their_bytes = our_windows = their_windows = 0.0
        differences = []
        for clip in clips:
            result = work / "result.mp4"
            seconds += resize_clip(clip, settings, kernel, result)
            our_bytes += picture_bytes(result)
            their_bytes += picture_bytes(reference[clip])
            our_ssim, their_ssim = ssim(ffmpeg, clip, result), reference_ssim[clip]
            if our_ssim is not None and their_ssim is not None:
                differences.append(1000 * (our_ssim - their_ssim))
            our_window, their_window = mean_window_seconds([result, reference[clip]])
            our_windows += our_window
            their_windows += their_window
        chosen_seconds = chosen_seconds or seconds
        rows.append([
            name, f"{seconds / chosen_seconds:.2f}", f"{our_bytes / their_bytes:.2f}",
            f"{min(differences):+.2f}", f"{statistics.mean(differences):+.2f}",
            f"{their_windows / our_windows:.2f}",
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- defaults -->")
    args = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    videos = videos_in(args.clips)
    clips = [clip for clip in videos if is_whole(clip)]
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(clips, Path(folder), ffmpeg)
    headings = (
        "settings", "processor time", "bytes", "SSIM in 1/1000, worst clip", "mean",
        "read rate",
    )  # fmt: skip
    text = f"\n{table(headings, rows)}\n"
    print(text)
    if args.write:
        replace_section(args.write, "defaults", text)


if __name__ == "__main__":
    main()
