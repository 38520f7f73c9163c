"""The ways people resize Kinetics today, each as one command over a folder of clips.

Every command takes the folder of sources and an empty folder for results.
"""

import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from beam_pipeline.codec.settings import ClipSettings

SETTINGS = ClipSettings()

# Short edge 256, the long one even: what mmaction2's resize_videos.py asks of ffmpeg.
SCALE = "scale='if(gt(a,1),-2,256)':'if(gt(a,1),256,-2)'"


@dataclass(frozen=True)
class Contender:
    """A way to resize; ``command`` has {sources} and {results} where the folders go."""

    name: str
    command: tuple[str, ...]

    def on(self, sources: Path, results: Path) -> list[str]:
        """The command for two folders."""
        places = {"sources": str(sources), "results": str(results)}
        return [part.format(**places) for part in self.command]


def contenders(ffmpeg: str, moviepy_python: str | None) -> list[Contender]:
    """All that can run here, ours first."""
    cores = len(os.sched_getaffinity(0))
    x264 = (
        f"-c:v libx264 -threads 1 -preset {SETTINGS.preset} -crf {SETTINGS.crf} -g {SETTINGS.gop} "
        f"-tune {SETTINGS.tune} -pix_fmt yuv420p -c:a copy -movflags +faststart"
    )
    quoted = shlex.quote(ffmpeg)
    found = [
        Contender(
            "beam_pipeline",
            (
                sys.executable, "-m", "beam_pipeline", "--annotations", "{sources}/../val.csv",
                "--videos", "{sources}", "--output", "{results}", "--splits", "val",
                "--layout", "flat",
            ),
        ),
        Contender(
            "bare loop (the limit)",
            (sys.executable, __file__, "bare", "{sources}", "{results}"),
        ),
        Contender(
            "xargs ffmpeg, same x264 settings",
            _shell(
                f"xargs -P{cores} -I% {quoted} -v error -nostdin -y -threads 1 -i {{sources}}/% "
                f"-filter_threads 1 -vf \"{SCALE}\" {x264} {{results}}/%.mp4"
            ),
        ),
        Contender(
            "mmaction2's command",
            _shell(
                f"xargs -P8 -I% {quoted} -v error -nostdin -y -i {{sources}}/% "
                f"-vf \"{SCALE}\" -c:v libx264 -an {{results}}/%.mp4"
            ),
        ),
    ]  # fmt: skip
    if moviepy_python:
        script = str(Path(__file__).with_name("moviepy_loop.py"))
        found.append(Contender("moviepy loop", (moviepy_python, script, "{sources}", "{results}")))
    return found


def _shell(pipeline: str) -> tuple[str, ...]:
    # printf '%s' keeps names that begin with a dash from being taken for flags.
    return ("sh", "-c", "cd {sources} && printf '%s\\n' * | " + pipeline)


def bare(sources: Path, results: Path) -> None:
    """Resize with one thread a clip and nothing around it: no rows, no lists, no children."""
    from beam_pipeline.codec.memory_file import MemoryFile
    from beam_pipeline.codec.outcome import BadClip, Facts
    from beam_pipeline.codec.resize import resize

    def one(source: Path) -> None:
        made = MemoryFile()
        try:
            with source.open("rb") as file:
                resize(file, made.open, SETTINGS, Facts())
        except BadClip:
            return
        (results / f"{source.name}.mp4").write_bytes(made.getvalue())

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        list(threads.map(one, sorted(sources.iterdir())))


if __name__ == "__main__":
    bare(Path(sys.argv[2]), Path(sys.argv[3]))
