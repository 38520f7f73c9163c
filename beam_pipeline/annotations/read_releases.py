"""Read the annotations of several releases of Kinetics, under the class names of Kinetics-710.

Outputs of this program are as good as annotation files: their manifests name all their clips.
"""

import json
from collections.abc import Collection, Iterator

import apache_beam as beam
from apache_beam import pvalue

from beam_pipeline.annotations.read_files import find_files, read_file
from beam_pipeline.config import Config
from beam_pipeline.elements import SPLITS, Annotation
from beam_pipeline.errors import DamagedError, InputError
from beam_pipeline.kinetics.kinetics710 import RELEASES, TITLES, known_classes, merged_name
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, STATE, SUMMARY, Output
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files, urls

FILES, NOTES = "files", "notes"

RANKS = 3
"""Ranks of a release: one for each of its public annotation files, or of its manifests."""

PARQUET = ".parquet"


class ReadReleases(beam.PTransform):
    """Read every annotation of every release; ``release_of`` tells which one it is from.

    Returns them (Annotation), and notes for the user (str).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def expand(
        self, root: beam.Pipeline
    ) -> tuple[beam.PCollection[Annotation], beam.PCollection[str]]:
        lists = frozenset(urls.real(path) for path in self._config.slowfast_lists())
        found = (
            root
            | "Releases" >> beam.Create(list(range(len(self._config.releases))))
            | "Find files"
            >> beam.FlatMap(_find, self._config, lists)
            .with_output_types(tuple[int, str], **{NOTES: str})
            .with_outputs(NOTES, main=FILES)
        )
        statements = (
            found[FILES]
            | "Spread files" >> beam.Reshuffle()
            | "Read files" >> beam.FlatMapTuple(read_release_file).with_output_types(Annotation)
        )
        return statements, found[NOTES]


def release_of(annotation: Annotation) -> int:
    """The number of the release that an annotation is from; newer ones have higher numbers."""
    return annotation.place[0] // RANKS


def _find(
    release: int, config: Config, lists: Collection[str]
) -> Iterator[tuple[int, str] | pvalue.TaggedOutput]:
    arguments = config.annotations_of(release)
    if config.prepared and find_manifests(config.prepared[release]) is not None:
        arguments = (config.prepared[release],)
    for number, argument in enumerate(arguments):
        manifests = find_manifests(argument)
        if manifests is None:
            rank = release * RANKS + number
            yield from find_files(rank, argument, lists, config.output.root)
            continue
        yield from enumerate(manifests, release * RANKS)
        yield from (pvalue.TaggedOutput(NOTES, note) for note in limits_of(argument))


def find_manifests(argument: str) -> list[str] | None:
    """The manifests of a finished output, in the order of their splits; None if it is no output.

    Raises:
        InputError: it is an output, but not finished, or made without annotations.
    """
    try:
        if not files.info(argument).is_folder:
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{argument}: cannot be read: {error.strerror or error}") from error
    output = Output(argument, run="")
    is_finished = _settings_of(output) is not None
    there = output.urls_in(MANIFESTS)
    known = [output.url(f"{MANIFESTS}/{split}{PARQUET}") for split in SPLITS]
    manifests = [url for url in known if url in there]
    if not is_finished and (manifests or output.urls_in(STATE)):
        raise InputError(
            f"{argument} is an output that is not finished; run the command that makes it to its "
            "end, then this one"
        )
    if is_finished and not manifests:
        raise InputError(
            f"{argument} was made without annotations, so it names no classes; type --annotations "
            "k400/annotations k600/annotations k700/annotations"
        )
    return manifests if is_finished else None


def limits_of(argument: str) -> Iterator[str]:
    """A note if an output holds only some clips of its data set."""
    settings = _settings_of(Output(argument, run="")) or {}
    given = [f"--{name}" for name in ("classes", "limit") if settings.get(name) is not None]
    if given:
        yield (
            f"{public_address(argument)} was made with {' and '.join(given)}: clips that its "
            "manifest does not name are neither here nor taken out of train"
        )


def _settings_of(output: Output) -> dict[str, object] | None:
    """The settings that the summary of a finished output states; None if there is none."""
    settings = (output.read_json_if_whole(SUMMARY) or {}).get("settings")
    return settings if isinstance(settings, dict) else None


def read_release_file(rank: int, path: str) -> Iterator[Annotation]:
    """Every annotation in a file of a release, with the name of its class in Kinetics-710.

    Raises:
        InputError: the file cannot be read, or the release has no such class.
    """
    release = rank // RANKS
    is_manifest = path.endswith(PARQUET)
    for annotation in read_manifest(rank, path) if is_manifest else read_file(rank, path):
        if annotation.label is None:
            yield annotation
            continue
        if annotation.label not in known_classes(RELEASES[release]):
            raise InputError(_foreign(annotation, release))
        yield annotation._replace(label=merged_name(annotation.label))


def _foreign(annotation: Annotation, release: int) -> str:
    _, path, line, _ = annotation.place
    return (
        f"{path} line {line}: {TITLES[RELEASES[release]]} has no class "
        f"{json.dumps(annotation.label)}; type --annotations, or the three outputs after --videos, "
        f"in the order {', '.join(TITLES.values())}"
    )


def read_manifest(rank: int, url: str) -> Iterator[Annotation]:
    """Every clip that a manifest names; a row counts as a line.

    Raises:
        InputError: the manifest cannot be read, or does not name its clips.
    """
    columns = ("youtube_id", "time_start", "time_end", "label", "split")
    try:
        tables = manifest.read_parquet(url, columns)
        rows = (row for table in tables for row in manifest.values_of(table))
        for line, (youtube_id, start, end, label, split) in enumerate(rows, start=1):
            if youtube_id is None or start is None or end is None or split is None:
                raise InputError(f"{url} line {line}: names no clip of YouTube")
            place = (rank, public_address(url), line, 0)
            yield Annotation(youtube_id, int(start), int(end), label, split, place)
    except DamagedError as error:
        raise InputError(
            f"{error.what}; the command that made this output writes it anew"
        ) from None
    except FileNotFoundError as error:
        raise InputError(f"{url} is gone; run this command again") from error
