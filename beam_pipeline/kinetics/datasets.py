"""Public addresses of the data sets, which ``--dataset`` stands for.

CVDF hosts the annotations and the videos (https://github.com/cvdfoundation/kinetics-dataset).
The videos are in archives, which listing files name. The CSV files of Kinetics-600 there are
incomplete, as the hosts say (their issue 33); the complete annotations are in ``train.txt`` and
``val.txt``. Only the host has checked that an archive contains what its name says.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from beam_pipeline.elements import SPLITS, Split

HOST = "https://s3.amazonaws.com/kinetics"

_PUBLIC_HOSTS = ("s3.amazonaws.com", "storage.googleapis.com")
_NUMBERED = re.compile(r"k700_(?:train|val)_(\d{3})")


@dataclass(frozen=True)
class Dataset:
    """One release of Kinetics, or several that are merged.

    annotations: addresses of the annotation files of all splits; of several releases one after the
        other, equally many of each.
    archives: addresses of the archive listings of each split, in order of priority.
    replacements: archives with intact copies of a split's broken clips; they have priority.
    label_map: the published map with the ids of its classes.
    releases: names of the data sets that it merges, the oldest first; empty if it is one release.
    """

    annotations: tuple[str, ...]
    archives: Mapping[Split, tuple[str, ...]]
    label_map: str
    replacements: Mapping[Split, str] = field(default_factory=dict)
    releases: tuple[str, ...] = ()

    def videos(self, splits: Sequence[Split]) -> tuple[str, ...]:
        """The default of ``--videos``: only what the requested splits need."""
        replacements = (self.replacements[split] for split in splits if split in self.replacements)
        return (*replacements, *(listing for split in splits for listing in self.archives[split]))


def _dataset(folder: str, listing: str, annotations: Sequence[str], **more: object) -> Dataset:
    return Dataset(
        annotations=tuple(f"{HOST}/{folder}/annotations/{name}" for name in annotations),
        archives={
            split: (f"{HOST}/{folder}/{split}/{listing}_{split}_path.txt",) for split in SPLITS
        },
        **more,  # type: ignore[arg-type]
    )


def _merged(releases: Mapping[str, Dataset], label_map: str) -> Dataset:
    """Several releases, the oldest first, as one data set. Newer archives have priority."""
    of_releases = tuple(releases.values())
    return Dataset(
        annotations=tuple(address for each in of_releases for address in each.annotations),
        archives={
            split: tuple(listing for each in of_releases[::-1] for listing in each.archives[split])
            for split in SPLITS
        },
        label_map=label_map,
        replacements={
            split: archive for each in of_releases for split, archive in each.replacements.items()
        },
        releases=tuple(releases),
    )


_RELEASES: Mapping[str, Dataset] = {
    "kinetics400": _dataset(
        "400",
        "k400",
        ("train.csv", "val.csv", "test.csv"),
        label_map="kinetics400",
        replacements={"train": f"{HOST}/400/replacement_for_corrupted_k400.tgz"},
    ),
    "kinetics600": _dataset(
        "600", "k600", ("train.txt", "val.txt", "test.csv"), label_map="kinetics600"
    ),
    "kinetics700_2020": _dataset(
        "700_2020", "k700_2020", ("train.csv", "val.csv", "test.csv"), label_map="kinetics700"
    ),
}

DATASETS: Mapping[str, Dataset] = {
    **_RELEASES,
    "kinetics710": _merged(_RELEASES, label_map="kinetics710"),
}


def mirrored(address: str, mirror: str | None) -> str:
    """An address on the mirror, if it is on one of the public hosts; otherwise unchanged.

    >>> mirrored("https://s3.amazonaws.com/kinetics/400/val/part_0.tar.gz", "http://lab/k")
    'http://lab/k/kinetics/400/val/part_0.tar.gz'
    """
    if mirror is None:
        return address
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.netloc not in _PUBLIC_HOSTS:
        return address
    return mirror.rstrip("/") + address.partition(parts.netloc)[2]


def class_of_archive(dataset: str | None, address: str, labels: Sequence[str]) -> str | None:
    """The class of all clips in an archive, if the archive's name tells; otherwise None.

    The train and val archives of Kinetics-600 have the name of the class. Those of Kinetics-700
    have its number in alphabetical order, from 1 (FiftyOne reads them so). ``labels`` are all
    classes, sorted. In Kinetics-710 a clip may have another label than in the release whose
    archive holds it, so there no name tells.

    >>> class_of_archive("kinetics600", "https://host/val/air drumming.tar.gz", ["air drumming"])
    'air drumming'
    >>> class_of_archive("kinetics700_2020", "https://host/train/k700_train_002.tar.gz", "ab")
    'b'
    """
    folder, file = posixpath.split(unquote(urlsplit(address).path))
    name = file.partition(".tar")[0]
    if dataset == "kinetics600" and posixpath.basename(folder) in ("train", "val"):
        return name if name in labels else None
    if dataset == "kinetics700_2020" and (numbered := _NUMBERED.fullmatch(name)):
        number = int(numbered[1])
        return labels[number - 1] if 1 <= number <= len(labels) else None
    return None
