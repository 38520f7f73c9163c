"""How many clips each release of Kinetics has, by those who published or counted it.

There is no one official number: videos vanish from YouTube, and hosts hold what they got.
"""

from collections.abc import Mapping
from typing import NamedTuple

from beam_pipeline.kinetics.label_map import read_label_map


class PublishedCount(NamedTuple):
    """The clips of each split, None where nobody says, and who counts so."""

    counted: str
    train: int | None
    val: int | None
    test: int | None


# CVDF: github.com/cvdfoundation/kinetics-dataset; ActivityNet: github.com/activitynet/ActivityNet;
# FiftyOne and mmaction2: their pages about Kinetics. Those of ActivityNet were counted here.
PUBLISHED_COUNTS: Mapping[str, tuple[PublishedCount, ...]] = {
    "Kinetics-400": (
        PublishedCount("annotated (CVDF, ActivityNet)", 246_534, 19_906, 39_805),
        PublishedCount("files at CVDF", 241_258, 19_881, 38_685),
        PublishedCount("mmaction2's copy", 240_436, 19_796, None),
    ),
    "Kinetics-600": (
        PublishedCount("annotated (ActivityNet)", None, 30_000, 72_924),
        PublishedCount("files at CVDF", 427_549, 29_793, 72_924),
        PublishedCount("mmaction2's copy", 383_393, 27_910, None),
    ),
    "Kinetics-700": (
        PublishedCount("files by FiftyOne", 529_046, 33_925, 67_446),
        PublishedCount("mmaction2's copy", 542_357, 34_824, None),
    ),
    "Kinetics-700-2020": (
        PublishedCount("files by FiftyOne", 542_352, 34_125, 67_433),
        PublishedCount("files at CVDF", 534_073, 33_914, 64_260),
    ),
}

_OF_DATASET = {
    "kinetics400": ("Kinetics-400",),
    "kinetics600": ("Kinetics-600",),
    "kinetics700_2020": ("Kinetics-700-2020",),
}

_OF_LABEL_MAP = {
    "kinetics400": ("Kinetics-400",),
    "kinetics600": ("Kinetics-600",),
    "videomaev2-kinetics600": ("Kinetics-600",),
    # Both releases have the same classes.
    "kinetics700": ("Kinetics-700", "Kinetics-700-2020"),
    "videomaev2-kinetics700": ("Kinetics-700", "Kinetics-700-2020"),
}


def releases_of(
    dataset: str | None, label_map: str | None, classes: frozenset[str]
) -> tuple[str, ...]:
    """The releases that an output may be of: by ``--dataset``, label map, or its classes.

    None if nothing tells. Some releases have the same classes.
    """
    if found := _OF_DATASET.get(dataset or "") or _OF_LABEL_MAP.get(label_map or ""):
        return found
    for name in ("kinetics400", "kinetics600", "kinetics700"):
        if len(classes) == int(name.removeprefix("kinetics")) and classes == set(
            read_label_map(name)
        ):
            return _OF_LABEL_MAP[name]
    return ()
