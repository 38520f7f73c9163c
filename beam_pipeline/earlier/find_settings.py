"""The settings that the clips in an output were made with, from whatever still tells them."""

from contextlib import suppress
from typing import Any, NamedTuple

from beam_pipeline.elements import ALL, SPLITS
from beam_pipeline.errors import DamagedError
from beam_pipeline.output import manifest
from beam_pipeline.output.output_folder import MANIFESTS, SETTINGS, SUMMARY, Output, manifest_of
from beam_pipeline.output.runs import runs_in


class Recorded(NamedTuple):
    """What earlier runs have recorded of themselves.

    settings: those of the clips; None if nothing tells them, empty if a killed ``--overwrite``
        has left clips of any settings.
    is_ours: whether a run of this program has written in the output.
    notes: about a damaged ``settings.json``, for the user.
    """

    settings: dict[str, Any] | None
    is_ours: bool
    notes: list[str]


def find_settings(output: Output) -> Recorded:
    """Find the settings in the state, else in the summary, else in a manifest.

    If what is there under these names is damaged, the output is taken for this program's only if
    it also has a manifest or the state of a run.

    Raises:
        OutputError: a file cannot be read.
    """
    damaged = False
    notes: list[str] = []
    try:
        settings = output.read_json(SETTINGS)
        if settings is not None:
            return Recorded(settings, True, notes)
    except DamagedError as error:
        damaged = True
        notes.append(f"{error.what}; it was written anew")
    try:
        settings = (output.read_json(SUMMARY) or {}).get("settings")
        if isinstance(settings, dict):
            return Recorded(settings, True, notes)
    except DamagedError:  # the results replace it, with a note
        damaged = True
    manifests = manifests_in(output)
    for url in manifests:
        with suppress(DamagedError, FileNotFoundError):
            settings = manifest.read_settings(url)
            if settings is not None:
                return Recorded(settings, True, notes)
    others = [run for run in runs_in(output) if run != output.state]
    is_ours = damaged and bool(manifests or others)
    return Recorded(None, is_ours, notes)


def manifests_in(output: Output) -> list[str]:
    """The URLs of the manifests."""
    known = {output.url(manifest_of(split)) for split in (*SPLITS, ALL)}
    return [url for url in output.urls_in(MANIFESTS) if url in known]
