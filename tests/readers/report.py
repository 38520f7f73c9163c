"""Prints as a table what each reader gets wrong: ``python -m tests.readers.report OUTPUT...``.

Each output is one that the program made without annotations. ``--sources FOLDER`` writes the made
clips of the tests into a folder instead, to run any version of the program on them.
"""

import sys
from pathlib import Path

from tests.readers.judge import Faults, faults
from tests.readers.outputs import KINDS, Made, ask, made_clips, make_sources, read
from tests.readers.read import READERS


def found(clips: list[Made]) -> list[list[Faults]]:
    """For each clip what each of the readers gets wrong. Each reader is started once."""
    columns = [
        [faults(*pair) for pair in zip(clips, read(reader, clips), strict=True)]
        for reader in READERS
    ]
    return [list(line) for line in zip(*columns, strict=True)]


def table(clips: list[Made], found: list[list[Faults]]) -> str:
    """A line for each clip, a column for each reader: wrong frames, and what else is wrong."""
    heads = ["clip", "frames", *READERS]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for made, cells in zip(clips, found, strict=True):
        lines.append([made.name, str(len(made.times)), *map(str, cells)])
    return as_markdown(lines)


def summary(clips: list[Made], found: list[list[Faults]]) -> str:
    """A line for each reader, a column for each kind of clip: wrong frames of all."""
    kinds = {kind: [made for made in clips if made.kind == kind] for kind in KINDS}
    heads = ["reader"]
    for kind, those in kinds.items():
        heads.append(f"{kind}: {len(those)} clips, {sum(len(made.times) for made in those)} frames")
    lines = [heads, ["---", *["---:"] * len(KINDS)]]
    for reader, column in zip(READERS, zip(*found, strict=True), strict=True):
        wrong = dict.fromkeys(KINDS, 0)
        for made, wrongs in zip(clips, column, strict=True):
            wrong[made.kind] += wrongs.wrong_frames
        lines.append([reader, *map(str, wrong.values())])
    return as_markdown(lines)


def as_markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    if sys.argv[1] == "--sources":
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        make_sources(folder)
        return
    outputs = {output: made_clips(Path(output)) for output in sys.argv[1:]}
    print(*(f"{name} {version}" for name, version in ask("versions", None).items()), sep=", ")
    everything = [made for clips in outputs.values() for made in clips]
    wrong = found(everything)
    print(f"\n{summary(everything, wrong)}")
    rest = iter(wrong)
    for output, clips in outputs.items():
        print(f"\n{output}\n\n{table(clips, [next(rest) for _ in clips])}")


if __name__ == "__main__":
    main()
