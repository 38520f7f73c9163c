"""Count the requests to a bucket per clip, with a proxy in front of an emulator.

python -m benchmarks.count_requests 1000
"""

import argparse
import tempfile
from pathlib import Path

from tests.buckets import BUCKET, Buckets
from tests.kinetics import Kinetics, run
from tests.make_clips import clip

CLASSES = 10


def main() -> None:
    """Print a table of a first and a second run, with a row per kind of request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=int, nargs="?", default=1000)
    clips = parser.parse_args().clips
    tiny = clip(size=(64, 48), frames=2)
    with Buckets() as buckets, tempfile.TemporaryDirectory() as folder:
        kinetics = Kinetics(Path(folder))
        for number in range(clips):
            label = f"class {number % CLASSES}"
            kinetics.add(f"clip{number:07d}_000001_000011", "train", label, tiny, label)
        flags = buckets.put_kinetics(kinetics.write(), "in")
        counts = []
        for _ in ("first", "second"):
            buckets.reset()
            result = run(
                *flags, "--output", f"gs://{BUCKET}/out", "--short_edge=64", *buckets.flags
            )
            assert result.status == 0, result.err
            counts.append(buckets.kinds)
    print(f"{clips:,} clips in {CLASSES} class folders, from bucket to bucket:\n")
    print("| requests | per clip | total | in a second run, with nothing to do |")
    print("| --- | --- | --- | --- |")
    for kind in ("read", "write", "list", "stat", "delete", "other"):
        first, second = (kinds[kind] for kinds in counts)
        print(f"| {kind} | {first / clips:.3f} | {first:,} | {second:,} |")


if __name__ == "__main__":
    main()
