"""Where the data sets are published: ``--dataset`` stands for these addresses.

CVDF hosts the videos, in archives that listing files name, and the annotations
(https://github.com/cvdfoundation/kinetics-dataset). Kinetics-600's CSV files there are
incomplete, as its hosts say (their issue 33): the whole annotation is in ``train.txt`` and
``val.txt``. Nobody but the host has seen to it that an archive holds what its name says.
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
    """One release of Kinetics.

    annotations: addresses of the annotation files of all splits.
    archives: of each split, the address of the listing of its archives.
    replacements: of a split, archives of whole clips for broken ones; they go first.
    label_map: the published map that its classes are numbered by.
    """

    annotations: tuple[str, ...]
    archives: Mapping[Split, str]
    label_map: str
    replacements: Mapping[Split, str] = field(default_factory=dict)

    def videos(self, splits: Sequence[Split]) -> tuple[str, ...]:
        """What ``--videos`` stands for: no more than the splits asked for need."""
        first = (self.replacements[split] for split in splits if split in self.replacements)
        return (*first, *(self.archives[split] for split in splits))


def _of(folder: str, listing: str, annotations: Sequence[str], **more: object) -> Dataset:
    return Dataset(
        annotations=tuple(f"{HOST}/{folder}/annotations/{name}" for name in annotations),
        archives={split: f"{HOST}/{folder}/{split}/{listing}_{split}_path.txt" for split in SPLITS},
        **more,  # type: ignore[arg-type]
    )


DATASETS: Mapping[str, Dataset] = {
    "kinetics400": _of(
        "400",
        "k400",
        ("train.csv", "val.csv", "test.csv"),
        label_map="kinetics400",
        replacements={"train": f"{HOST}/400/replacement_for_corrupted_k400.tgz"},
    ),
    "kinetics600": _of(
        "600", "k600", ("train.txt", "val.txt", "test.csv"), label_map="kinetics600"
    ),
    "kinetics700_2020": _of(
        "700_2020", "k700_2020", ("train.csv", "val.csv", "test.csv"), label_map="kinetics700"
    ),
}


def mirrored(address: str, mirror: str | None) -> str:
    """An address with another host in front, where it is one of the public ones.

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
    """The one class whose clips an archive holds, where its name tells it.

    Kinetics-600's archives of train and val are named after the class, Kinetics-700's numbered
    by its place in the alphabet, from 1 on (so does FiftyOne read them). ``labels`` are all
    classes, sorted.

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
