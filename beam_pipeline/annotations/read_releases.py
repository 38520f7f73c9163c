"""Read the annotations of several releases of Kinetics, under the class names of Kinetics-710.

Outputs of this program are as good as annotation files: their manifests name all their clips.
"""

import json
from collections.abc import Collection, Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_files import find_files, read_file
from beam_pipeline.annotations.read_outputs import (
    PARQUET,
    find_manifests,
    read_manifest,
    settings_of,
)
from beam_pipeline.config import Config
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.kinetics.datasets import DATASETS
from beam_pipeline.kinetics.kinetics710 import RELEASES, TITLES, known_classes, merged_name
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import urls

FILES, STATEMENTS, LEFT_OUT, NOTES = "files", "statements", "left out", "notes"

RANKS = 3
"""Ranks of a release: one for each of its public annotation files, or of its manifests."""


class ReadReleases(beam.PTransform):
    """Read every annotation of every release; ``release_of`` tells which one it is from.

    Returns them (Annotation), those among them that an output has as excluded (Annotation), and
    notes for the user (str).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, root: beam.Pipeline
    ) -> tuple[beam.PCollection[Annotation], beam.PCollection[Annotation], beam.PCollection[str]]:
        lists = frozenset(urls.real(path) for path in self._config.slowfast_lists())
        found = (
            root
            | "Releases" >> beam.Create(list(range(len(self._config.releases))))
            | "Find files"
            >> beam.FlatMap(_find, self._config, lists)
            .with_output_types(tuple[int, str], **{NOTES: str})
            .with_outputs(NOTES, main=FILES)
        )
        read = (
            found[FILES]
            | "Spread files" >> beam.Reshuffle()
            | "Read files"
            >> beam.FlatMapTuple(read_release_file)
            .with_output_types(Annotation, **{LEFT_OUT: Annotation})
            .with_outputs(LEFT_OUT, main=STATEMENTS)
        )
        return read[STATEMENTS], read[LEFT_OUT], found[NOTES]


def release_of(annotation: Annotation) -> int:
    """The number of the release that an annotation is from; newer ones have higher numbers."""
    return annotation.place[0] // RANKS


def _find(
    release: int, config: Config, lists: Collection[str]
) -> Iterator[tuple[int, str] | pvalue.TaggedOutput]:
    if release == 0:
        yield from (pvalue.TaggedOutput(NOTES, note) for note in lost_folders(config))
    arguments = config.annotations_of(release)
    if config.prepared and find_manifests(config.prepared[release]) is not None:
        arguments = (config.prepared[release],)
    for number, argument in enumerate(arguments):
        manifests = find_manifests(argument)
        if manifests is None:
            rank = release * RANKS + number
            yield from find_files(rank, argument, lists, config.output.root)
            continue
        _refuse_other_release(argument, release)
        yield from enumerate(manifests, release * RANKS)
        yield from (pvalue.TaggedOutput(NOTES, note) for note in limits_of(argument))


def limits_of(argument: str) -> Iterator[str]:
    """A note if an output holds only some clips of its data set."""
    settings = settings_of(argument) or {}
    names = ("classes", "limit", "limit_per_class")
    given = [f"--{name}" for name in names if settings.get(name) is not None]
    if given:
        yield (
            f"{public_address(argument)} was made with {' and '.join(given)}: clips that its "
            "manifest does not name are neither here nor taken out of train"
        )


def lost_folders(config: Config) -> Iterator[str]:
    """A note if the lists do not tell in which of several folders a file is."""
    if not config.resize and config.path_prefix is not None and len(config.videos) > 1:
        prefix = public_address(config.path_prefix)
        yield (
            f"with --path_prefix {prefix!r} the lists do not say in which --videos argument a file "
            "is; they lead to the files only where the contents of all are in one folder"
        )


def _refuse_other_release(argument: str, release: int) -> None:
    """Raise InputError if an output states that it is of another release than its place."""
    settings = settings_of(argument) or {}
    stated = _data_set_of(settings.get("dataset"), settings.get("label_map"))
    if stated not in (None, RELEASES[release]):
        raise InputError(
            f"{argument} was made of {TITLES.get(stated or '', stated)}, and stands in the place "
            f"of {TITLES[RELEASES[release]]}; type the three outputs in the order "
            f"{', '.join(TITLES.values())}, such as --videos k400-256 k600-256 k700-256"
        )


def _data_set_of(dataset: str | None, label_map: str | None) -> str | None:
    """The data set that the settings of an output name; None if they name none."""
    if dataset is not None:
        return dataset
    name = (label_map or "").removeprefix("videomaev2-")
    return next((each for each, of in DATASETS.items() if of.label_map == name), None)


def read_release_file(rank: int, path: str) -> Iterator[Annotation | pvalue.TaggedOutput]:
    """Every annotation in a file of a release, with the name of its class in Kinetics-710.

    An annotation that an output has as excluded comes once more, tagged.

    Raises:
        InputError: the file cannot be read, or the release has no such class.
    """
    release = rank // RANKS
    for annotation, is_left_out in _read(rank, path):
        if annotation.label is None:
            yield annotation
        elif annotation.label not in known_classes(RELEASES[release]):
            raise InputError(_foreign(annotation, release))
        else:
            yield annotation._replace(label=merged_name(annotation.label))
        if is_left_out:
            yield pvalue.TaggedOutput(LEFT_OUT, annotation)


def _read(rank: int, path: str) -> Iterator[tuple[Annotation, bool]]:
    """Every annotation in a file, and whether it is of a clip that an output has as excluded."""
    if path.endswith(PARQUET):
        for annotation, status in read_manifest(rank, path):
            yield annotation, status == "excluded"
    else:
        for annotation in read_file(rank, path):
            yield annotation, False


def _foreign(annotation: Annotation, release: int) -> str:
    _, path, line, _ = annotation.place
    return (
        f"{path} line {line}: {TITLES[RELEASES[release]]} has no class "
        f"{json.dumps(annotation.label)}; type --annotations, or the three outputs after --videos, "
        f"in the order {', '.join(TITLES.values())}"
    )
