"""A data set of which nothing is there, what the stand-in has of it, and runs on it."""

from dataclasses import dataclass
from pathlib import Path

from tests.kinetics import SHORT_EDGE, Finished, Kinetics, Row, run
from tests.standin import NO_PAUSE, Answer, StandIn, both, pictures_only, sound_only

SIZE = (96, 64)
FETCH = ("--fetch", "youtube", "--fetch_options", str(NO_PAUSE))
ONE = {"formats": [both("18", SIZE)]}

PAGES: dict[str, Answer | list[Answer]] = {
    "aWhole": ONE,
    "bApart": {"formats": [pictures_only("p", SIZE), sound_only("s", 128)]},
    "cPrivate": {"error": "Private video. Sign in if you've been granted access to this video"},
    "dRemoved": {"error": "Video unavailable. This video has been removed by the uploader"},
    "eShort": ONE,
    "fBroken": ONE,
    "gDown": [500, ONE],
}  # fmt: skip


EXPECTED = {
    "aWhole_000000_000002": ("resized", None),
    "aWhole_000003_000005": ("resized", None),
    "bApart_000001_000003": ("resized", None),
    "cPrivate_000001_000011": ("missing", "private"),
    "dRemoved_000001_000011": ("missing", "removed"),
    "eShort_000020_000030": ("failed", "outside_video"),
    "fBroken_000001_000011": ("failed", "not_a_video"),
}


@dataclass(frozen=True)
class Made:
    """A data set of which nothing is there, what the site has of it, and runs on it."""

    kinetics: Kinetics
    site: StandIn

    def flags(self, output: Path) -> list[str]:
        annotations = (str(self.kinetics.annotations / name) for name in ("train.json", "val.csv"))
        return [
            "--annotations", *annotations, "--output", str(output), "--splits", "train,val",
            "--short_edge", str(SHORT_EDGE), "--max_failure_ratio=1",
        ]  # fmt: skip

    def prepare(self, output: Path, *flags: str, videos: Path | None = None) -> Finished:
        there = ("--videos", str(videos)) if videos else ()
        self.site.asked.clear()
        return run(*self.flags(output), *there, *flags)

    def fetch(self, output: Path, *flags: str) -> Finished:
        self.site.asked.clear()
        return run("fetch", str(output), "--fetch_options", str(NO_PAUSE), *flags)


def told(row: Row) -> tuple[str, str | None]:
    return row["status"], row["reason"]
