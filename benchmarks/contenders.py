"""The tools that people use to resize Kinetics, each as one command over a folder of clips.

Every command takes a folder of sources and a folder for results.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from beam_pipeline.codec.settings import ClipSettings

SETTINGS = ClipSettings()
FIRST_RELEASE = replace(SETTINGS, preset="veryfast", crf=22, gop=32, x264_params="")
"""The defaults of the first release."""

CORES = len(os.sched_getaffinity(0))

OURS, LIMIT, SAME_SETTINGS, VERYFAST, VIDEO2DATASET, MMACTION2, MOVIEPY = (
    "ours", "limit", "same_settings", "veryfast", "video2dataset", "mmaction2", "moviepy"
)  # fmt: skip
NAMES = {
    OURS: "beam_pipeline",
    LIMIT: "bare PyAV loop, one thread per clip (the limit)",
    SAME_SETTINGS: "xargs ffmpeg -threads 1, same x264 settings",
    VERYFAST: "xargs ffmpeg -threads 1 -preset veryfast -crf 22",
    VIDEO2DATASET: "video2dataset's command: ffmpeg, x264 defaults, one per core",
    MMACTION2: "mmaction2's script: ffmpeg, x264 defaults, 8 at once",
    MOVIEPY: "moviepy loop",
}

# Short edge 256, long edge even: the filter of mmaction2's resize_videos.py.
SCALE = "scale='if(gt(a,1),-2,256)':'if(gt(a,1),256,-2)'"


@dataclass(frozen=True)
class Contender:
    """A tool; ``command`` has the placeholders {sources} and {results} for the folders."""

    key: str
    command: tuple[str, ...]

    def on(self, sources: Path, results: Path) -> list[str]:
        """The command for two folders."""
        folders = {"sources": str(sources), "results": str(results)}
        return [part.format(**folders) for part in self.command]

    def result(self, results: Path, source: Path) -> Path:
        """The path of the resized clip of a source."""
        if self.key == OURS:
            return results / "videos" / "val" / f"{source.stem}.mp4"
        return results / f"{source.name}.mp4"


def ours() -> Contender:
    """This project's command; the annotations are next to the folder of sources."""
    return Contender(
        OURS,
        (
            sys.executable, "-m", "beam_pipeline", "--annotations", "{sources}/../val.csv",
            "--videos", "{sources}", "--output", "{results}", "--splits", "val",
            "--layout", "flat",
        ),
    )  # fmt: skip


def mmaction2(ffmpeg: str) -> Contender:
    """The command of mmaction2's resize_videos.py."""
    return Contender(
        MMACTION2,
        _shell(
            f"xargs -P8 -I% {shlex.quote(ffmpeg)} -v error -nostdin -y -i {{sources}}/% "
            f'-vf "{SCALE}" -c:v libx264 -an {{results}}/%.mp4'
        ),
    )


def made_by_mmaction2(clips: Sequence[Path], ffmpeg: str, work: Path) -> dict[Path, Path]:
    """What mmaction2's command makes of each clip, in folders of ``work``."""
    sources, theirs = work / "sources", work / "theirs"
    sources.mkdir()
    theirs.mkdir()
    for clip in clips:
        shutil.copy(clip, sources)
    subprocess.run(mmaction2(ffmpeg).on(sources, theirs), check=True)
    return {clip: theirs / f"{clip.name}.mp4" for clip in clips}


def contenders(ffmpeg: str, moviepy_python: str | None) -> list[Contender]:
    """All tools that can run here, beam_pipeline first."""
    x264 = (
        f"-c:v libx264 -threads 1 -preset {SETTINGS.preset} -crf {SETTINGS.crf} -g {SETTINGS.gop} "
        f"-tune {SETTINGS.tune} -coder {SETTINGS.coder} -x264-params {SETTINGS.x264_params} "
        "-pix_fmt yuv420p "
        "-c:a copy -movflags +faststart"
    )
    tools = [
        ours(),
        Contender(LIMIT, (sys.executable, __file__, "{sources}", "{results}")),
        Contender(SAME_SETTINGS, _one_thread_each(ffmpeg, x264)),
        Contender(
            VERYFAST,
            _one_thread_each(
                ffmpeg,
                "-c:v libx264 -threads 1 -preset veryfast -crf 22 -pix_fmt yuv420p -c:a copy "
                "-movflags +faststart",
            ),
        ),
        Contender(
            VIDEO2DATASET,
            _shell(
                f"xargs -P{CORES} -I% {shlex.quote(ffmpeg)} -v error -y -i {{sources}}/% "
                "-filter_complex '[0]scale=-2:256[scaled]' -map '[scaled]' -reset_timestamps 1 "
                "{results}/%.mp4"
            ),
        ),
        mmaction2(ffmpeg),
    ]
    if moviepy_python:
        script = str(Path(__file__).with_name("moviepy_loop.py"))
        tools.append(Contender(MOVIEPY, (moviepy_python, script, "{sources}", "{results}")))
    return tools


def _one_thread_each(ffmpeg: str, encoder: str) -> tuple[str, ...]:
    return _shell(
        f"xargs -P{CORES} -I% {shlex.quote(ffmpeg)} -v error -nostdin -y -threads 1 "
        f'-i {{sources}}/% -filter_threads 1 -vf "{SCALE}" {encoder} {{results}}/%.mp4'
    )


def _shell(pipeline: str) -> tuple[str, ...]:
    return ("sh", "-c", "cd {sources} && printf '%s\\n' * | " + pipeline)


def run_bare_loop(sources: Path, results: Path) -> None:
    """Resize with one thread per clip and nothing else: no rows, lists or child processes."""
    from beam_pipeline.codec.memory_file import MemoryFile
    from beam_pipeline.codec.outcome import Facts
    from beam_pipeline.codec.resize import resize

    def resize_one(source: Path) -> None:
        output = MemoryFile()
        with source.open("rb") as file:
            resize(file, output.open, SETTINGS, Facts())
        (results / f"{source.name}.mp4").write_bytes(output.getvalue())

    with ThreadPoolExecutor(CORES) as threads:
        list(threads.map(resize_one, sorted(sources.iterdir())))


if __name__ == "__main__":
    run_bare_loop(Path(sys.argv[1]), Path(sys.argv[2]))
