"""Prints as a table what each reader gets wrong: ``python -m tests.readers.report OUTPUT...``.

Each output is one that the program made without annotations. ``--sources FOLDER`` writes the made
clips of the tests into a folder instead, to run any version of the program on them.
"""

import sys
from pathlib import Path

from tests.readers.judge import Faults, faults
from tests.readers.outputs import Made, ask, made_clips, make_sources, read
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
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    if sys.argv[1] == "--sources":
        folder = Path(sys.argv[2])
        folder.mkdir(parents=True, exist_ok=True)
        make_sources(folder)
        return
    outputs = {output: made_clips(Path(output)) for output in sys.argv[1:]}
    print(*(f"{name} {version}" for name, version in ask("versions", None).items()), sep=", ")
    everything = iter(found([made for clips in outputs.values() for made in clips]))
    for output, clips in outputs.items():
        print(f"\n{output}\n\n{table(clips, [next(everything) for _ in clips])}")


if __name__ == "__main__":
    main()
