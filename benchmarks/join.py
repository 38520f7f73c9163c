"""Measure time and memory of a run that joins everything and resizes nothing.

Makes N synthetic annotations, an output that already holds half of the clips, and a listing of N
video files. Then it runs the command on them. The clips are files of one byte, which the run
never opens.

    python benchmarks/join.py 65000 650000
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from beam_pipeline.config import Config
from beam_pipeline.elements import Row
from beam_pipeline.options import KineticsOptions
from beam_pipeline.output import manifest

CLASSES = 400
SHARD = 50_000
"""Rows in a table of the manifest; a run writes one for each of its shards."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-"


def youtube_id(number: int) -> str:
    """An id like YouTube's: 11 characters, uniformly distributed."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return "".join(ALPHABET[byte % 64] for byte in digest[:11])


def make(folder: Path, clips: int) -> list[str]:
    """Make the data set in a folder; returns the command's arguments."""
    output = folder / "output"
    annotations, listing = folder / "train.csv", folder / "videos.txt"
    arguments = ["--annotations", str(annotations), "--videos", str(listing)]
    arguments += ["--output", str(output), "--splits", "train"]
    rows = []
    with annotations.open("w") as csv_file, listing.open("w") as listed:
        csv_file.write("label,youtube_id,time_start,time_end,split\n")
        for number in range(clips):
            name, start = youtube_id(number), number % 300
            clip_id = f"{name}_{start:06d}_{start + 10:06d}"
            label = f"class {number % CLASSES:03d}"
            csv_file.write(f"{label},{name},{start},{start + 10},train\n")
            # Half of the clips exist already; the files of the others match no annotation.
            listed.write(f"/videos/{clip_id if number % 2 == 0 else f'x{clip_id}'}.mp4\n")
            if number % 2 == 0:
                path = f"videos/train/{label.replace(' ', '_')}/{clip_id}.mp4"
                rows.append(_row(clip_id, name, label, number % CLASSES, start, path))
    for number in range(CLASSES):
        (output / f"videos/train/class_{number:03d}").mkdir(parents=True)
    for row in rows:
        (output / str(row.path)).write_bytes(b"x")
    (output / "manifest").mkdir()
    settings = Config.from_options(KineticsOptions(arguments)).identity()
    with (output / "manifest" / "train.parquet").open("wb") as file:
        shards = (rows[begin : begin + SHARD] for begin in range(0, len(rows), SHARD))
        manifest.write_parquet(file, map(manifest.to_table, shards), settings)
    (output / "summary.json").write_text(json.dumps({"settings": settings}))
    return arguments


def _row(clip_id: str, name: str, label: str, label_id: int, start: int, path: str) -> Row:
    return Row(
        clip_id,
        name,
        "train",
        label,
        "resized",
        source=f"/videos/{clip_id}.mp4",
        path=path,
        source_codec="h264",
        label_id=label_id,
        width=456,
        height=256,
        frames=300,
        source_width=854,
        source_height=480,
        decode_errors=0,
        bytes=1,
        source_bytes=1_000_000,
        time_start=float(start),
        time_end=float(start + 10),
        fps=30.0,
        duration=10.0,
        source_fps=30.0,
        source_duration=10.0,
        seconds=1.0,
        has_audio=True,
        sha256=hashlib.sha256(clip_id.encode()).hexdigest(),
    )


def measure(clips: int) -> tuple[float, float]:
    """Seconds and peak gigabytes of one run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "beam_pipeline", *make(Path(folder), clips)]
        os.sync()
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        if status:
            sys.exit(f"the run exited with {os.waitstatus_to_exitcode(status)}")
        summary = json.loads((Path(folder) / "output" / "summary.json").read_text())
        assert summary["total"]["reused"] + summary["total"]["missing"] == clips
        bytes_per_unit = 1 if sys.platform == "darwin" else 1024
        return seconds, usage.ru_maxrss * bytes_per_unit / 1e9


def main() -> None:
    """Print a table with a row per number of clips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=int, nargs="*", default=[65_000, 650_000])
    print("| clips | seconds | microseconds per clip | peak memory |")
    print("| --- | --- | --- | --- |")
    for clips in parser.parse_args().clips:
        seconds, gigabytes = measure(clips)
        per_clip = 1e6 * seconds / clips
        print(f"| {clips:,} | {seconds:.1f} | {per_clip:.0f} | {gigabytes:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
