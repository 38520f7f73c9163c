"""Write ``report.html``, and tell whether the one that is there still fits."""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from beam_pipeline.errors import DamagedError, OutputError, without_a_run
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import REPORT, Output
from beam_pipeline.privacy import one_line
from beam_pipeline.report.about import About
from beam_pipeline.report.contact_sheet import ContactSheet, sheet_of
from beam_pipeline.report.facts import Facts, read_facts, splits_with_manifest
from beam_pipeline.report.page import draw_page, pictured_clips
from beam_pipeline.report.shown_clips import pictured
from beam_pipeline.storage import files

_HEAD = re.compile(
    rb'<!DOCTYPE html>\s*<html lang="en">\s*<head>\s*'
    rb'<meta name="generator" content="beam_pipeline report ([0-9a-f]*)">'
)
_HEAD_BYTES = 400
_END = b"<!-- whole -->"

LABEL_IDS = "label2id.json"

NOT_FINISHED = "no run has finished here yet: type the command of the run again"
"""The note about an output that holds nothing but the state of runs."""

NO_SUMMARY = (
    "there is no whole summary.json, so what was done, the fingerprints and the settings of "
    "trainers are not known: type the command of the run again"
)
"""The note about an output whose last run has not finished, or whose summary is damaged."""


def mark_of(about_the_output: Mapping[str, Any] | None) -> str:
    """What a page states of the summary that it was made with, to be known again.

    It is the beginning of a SHA-256 over what the summary says of the output; empty without one.
    """
    if about_the_output is None:
        return ""
    # Read back first, for a key that is no text becomes one.
    content = json.loads(json.dumps(about_the_output))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


class Found(NamedTuple):
    """What lies at the place of the report.

    ``mark`` is that of a report of this program, None if it is none, or damaged. ``is_foreign`` if
    somebody else has put a file there.
    """

    mark: str | None
    is_foreign: bool


def look_at_report(output: Output) -> Found:
    """See what lies at the place of the report.

    Raises:
        OutputError: it cannot be read.
    """
    url = output.url(REPORT)
    try:
        size = files.info(url).size or 0
        head = files.read(url, end=min(_HEAD_BYTES, size))
        end = files.read(url, begin=max(size - 2 * len(_END), 0), end=size)
    except FileNotFoundError:
        return Found(None, is_foreign=False)
    except OSError as error:
        raise read_error(url, error) from error
    if stated := _HEAD.match(head):
        return Found(stated[1].decode() if _END in end else None, is_foreign=False)
    return Found(None, is_foreign=bool(head.strip(b"\0")))  # what a power cut leaves is no file


def has_report(output: Output) -> bool:
    """Whether there is a whole report of this program that can be read."""
    try:
        return look_at_report(output).mark is not None
    except OutputError:
        return False


def keeps_report(output: Output) -> bool:
    """Whether an output has a report, or what was one, which later steps should keep up to date.

    None was made with ``--report false``, and by older releases.
    """
    try:
        files.info(output.url(REPORT))
        return not look_at_report(output).is_foreign
    except FileNotFoundError:
        return False
    except (OSError, OutputError):
        return True  # whoever writes it notes what is wrong


def update_report(
    output: Output,
    summary: Mapping[str, Any],
    mark: str,
    is_wanted: bool,
    workers: int | None = None,
) -> list[str]:
    """Make the report fit the output, or take one away that does not; notes for the user.

    Without a report the output is as good as with one, so nothing that goes wrong here is an
    error. A file of others stays where it is.
    """
    try:
        found = look_at_report(output)
        if found.mark == mark:
            return []
        if found.is_foreign:
            return [f"{_of_others(output)}; there is no report"] if is_wanted else []
        if is_wanted:
            write_report(output, summary, mark, workers)
        elif found.mark is not None:
            output.remove(REPORT)
    except Exception as error:
        with suppress(Exception):
            # Better none than one that tells of another state. Another worker of this run may
            # have written the right one meanwhile.
            if look_at_report(output).mark not in (None, mark):
                output.remove(REPORT)
        return [f"{REPORT} could not be made: {_why(error)}"]
    return []


def _why(error: Exception) -> str:
    """What went wrong, and one thing to do: what the error says to, if it says it."""
    if isinstance(error, OutputError):
        return without_a_run(str(error))
    why = one_line(str(error)) or type(error).__name__
    return f"{why}; python -m beam_pipeline report tries again"


def _of_others(output: Output) -> str:
    return f"{output.url(REPORT)} is no report of this program, and stays; move it away"


class Written(NamedTuple):
    """A report that was written: its size in bytes, and what could not be shown."""

    size: int
    notes: list[str]


def write_report(
    output: Output, summary: Mapping[str, Any] | None, mark: str, workers: int | None = None
) -> Written:
    """Read the manifests, and write the report; ``workers`` clips are read at once for pictures.

    Raises:
        OutputError: a manifest cannot be read, the report cannot be written, or a file of others
            lies in its place.
    """
    if look_at_report(output).is_foreign:
        raise OutputError(_of_others(output))
    facts = read_facts(output, splits_with_manifest(output))
    if summary is None:
        facts.unreadable.append(NO_SUMMARY if facts.statuses else NOT_FINISHED)
    about = About(output.root, summary, _label_ids(output), mark)
    page = draw_page(about, facts, _sheet(output, facts, workers))
    output.write(REPORT, page)
    return Written(len(page), facts.unreadable)


def _label_ids(output: Output) -> dict[str, Any]:
    return output.read_json_if_whole(LABEL_IDS) or {}


def _sheet(output: Output, facts: Facts, workers: int | None) -> ContactSheet | None:
    """The pictures; without them the page is still of use."""
    try:
        return sheet_of(output, pictured(pictured_clips(facts)), workers)
    except (DamagedError, OutputError, OSError, ValueError) as error:
        why = without_a_run(str(error))
        facts.unreadable.append(one_line(f"there are no pictures: {why}"))
        return None
