"""Kinetics-710: the class names of Kinetics-400, 600 and 700 as one set of 710.

The classes and their names are those of mmaction2's ``label_map_k710.txt``. Which names of the
releases are one class is stated by VideoMAEv2, in ``misc/k710_identical_label_merge.json``.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.label_map import read_label_map

KINETICS_710 = "kinetics710"
"""The data set, and its label map."""

RELEASES: Sequence[str] = DATASETS[KINETICS_710].releases
"""The data sets that it merges, the oldest first. Where they differ, the newest counts."""

TITLES: Mapping[str, str] = {
    "kinetics400": "Kinetics-400",
    "kinetics600": "Kinetics-600",
    "kinetics700_2020": "Kinetics-700",
}
"""Their names in messages."""

# Names of the releases that Kinetics-710 does not have, and its own. VideoMAEv2 states all of them,
# the one of "throwing ball" the other way round: mmaction2 keeps the name of Kinetics-400 for it.
_OTHER_NAMES: Mapping[str, str] = {
    "balloon blowing": "inflating balloons",
    "changing wheel": "changing wheel (not on bike)",
    "cooking sausages": "cooking sausages (not on barbeque)",
    "drinking": "sipping cup",
    "dying hair": "dyeing hair",
    "garbage collecting": "person collecting garbage",
    "hugging": "hugging (not baby)",
    "making bed": "making the bed",
    "opening bottle": "opening bottle (not wine)",
    "passing american football (not in game)": "passing American football (not in game)",
    "picking fruit": "picking apples",
    "skiing (not slalom or crosscountry)": "skiing mono",
    "sniffing": "smelling feet",
    "throwing ball (not baseball or American football)": "throwing ball",
    "tying tie": "tying necktie",
}

NAMES_IN_MAPS: Mapping[str, Mapping[str, str]] = {
    "videomaev2-kinetics710": {
        "throwing ball (not baseball or American football)": "throwing ball",
        "throwing ball": "chopping vegetables",
    },
}
"""Names in a published map of 710 classes that stand for others here.

In VideoMAEv2's, ``throwing ball`` is in the place of ``chopping vegetables``, as in its map of
Kinetics-600. That is a guess, as docs/labels.md says.
"""


def merged_name(label: str) -> str:
    """The name in Kinetics-710 of a class of any release.

    >>> merged_name("tying tie"), merged_name("zumba")
    ('tying necktie', 'zumba')
    """
    return _OTHER_NAMES.get(label, label)


@cache
def merged_classes(release: str) -> frozenset[str]:
    """The names in Kinetics-710 of the classes of a release."""
    return frozenset(map(merged_name, read_label_map(DATASETS[release].label_map)))


@cache
def known_classes(release: str) -> frozenset[str]:
    """All names that the classes of a release may have: its own, and those in Kinetics-710."""
    return merged_classes(release) | read_label_map(DATASETS[release].label_map).keys()
