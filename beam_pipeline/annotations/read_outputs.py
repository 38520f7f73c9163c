"""Read finished outputs of this program as annotations: their manifests name all their clips."""

from collections.abc import Iterator
from typing import Any

from beam_pipeline.elements import SPLITS, Annotation, Status
from beam_pipeline.errors import DamagedError, InputError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, STATE, SUMMARY, Output
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files

PARQUET = ".parquet"
"""The end of a manifest's name, which no annotation file has."""


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
    is_finished = settings_of(argument) is not None
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
            f"{argument} was made without annotations, so it names no clips of YouTube; type "
            "annotation files in its place, or an output that was made with --annotations"
        )
    return manifests if is_finished else None


def settings_of(argument: str) -> dict[str, Any] | None:
    """The settings that the summary of a finished output states; None if there is none."""
    settings = (Output(argument, run="").read_json_if_whole(SUMMARY) or {}).get("settings")
    return settings if isinstance(settings, dict) else None


def read_manifest(rank: int, url: str) -> Iterator[tuple[Annotation, Status]]:
    """Every clip that a manifest names, with its status; a row counts as a line.

    Raises:
        InputError: the manifest cannot be read, or does not name its clips.
    """
    columns = ("youtube_id", "time_start", "time_end", "label", "split", "status")
    try:
        tables = manifest.read_parquet(url, columns)
        rows = (row for table in tables for row in manifest.values_of(table))
        for line, (youtube_id, start, end, label, split, status) in enumerate(rows, start=1):
            if youtube_id is None or start is None or end is None or split is None:
                raise InputError(f"{url} line {line}: names no clip of YouTube")
            place = (rank, public_address(url), line, 0)
            yield Annotation(youtube_id, int(start), int(end), label, split, place), status
    except DamagedError as error:
        raise InputError(
            f"{error.what}; the command that made this output writes it anew"
        ) from None
    except FileNotFoundError as error:
        raise InputError(f"{url} is gone; run this command again") from error
