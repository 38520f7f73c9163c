"""Data sets for the other benchmarks: the clips of a folder, repeated under new names."""

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = {".mp4", ".mkv", ".webm", ".avi", ".mov"}

HEADER = "youtube_id,time_start,time_end,label,split\n"


def videos_in(folder: Path) -> list[Path]:
    """The videos below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def make_dataset(clips: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Make a data set of ``count`` annotated clips with unique ids; returns their files."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    copies = []
    with (folder / "val.csv").open("w") as annotations:
        annotations.write(HEADER)
        for number in range(count):
            clip = clips[number % len(clips)]
            youtube_id = f"bench{number:06d}"
            name = f"{youtube_id}_000000_000010{clip.suffix}"
            copies.append(Path(shutil.copyfile(clip, sources / name)))
            annotations.write(f"{youtube_id},0,10,zumba,val\n")
    return copies


def pack(archive: Path, sources: Sequence[Path]) -> None:
    """Write files to a compressed archive, like those of CVDF."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for source in sources:
            tar.add(source, f"./{source.name}")
