"""Files that lie in an output before the first run there: nothing of others is overwritten."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain

from beam_pipeline.config import Config
from beam_pipeline.errors import InputError
from beam_pipeline.output.output_errors import read_error
from beam_pipeline.output.output_folder import (
    LABEL_IDS,
    LISTS,
    MANIFESTS,
    REPORT,
    SUMMARY,
    VIDEOS,
    WEBDATASET,
)
from beam_pipeline.storage import files, urls

WHOLE_OUTPUT = (LABEL_IDS, "missing.csv", "failed.csv", "damaged.csv", SUMMARY)


def refuse_files_of_others(config: Config, found: Sequence[str] = ()) -> None:
    """Check an output in which no run has recorded its settings yet.

    ``found`` are files of others, relative to the output, that are known already.

    Raises:
        InputError: a file lies where this run would write one.
        OutputError: the output cannot be listed.
    """
    if relative := next(chain(found, _files_of_others(config)), None):
        raise InputError(
            f"{config.output.url(relative)} is no file of this program, and this run would write "
            "another in its place; type another --output, or move that file away"
        )


def _files_of_others(config: Config) -> Iterator[str]:
    """Files, relative to the output, where this run would write."""
    root = config.output.root
    try:
        entries = files.list_folder(root)
    except FileNotFoundError:
        return
    except OSError as error:
        raise read_error(root, error) from error
    lists = {f"{split}.csv" for split in config.listed_splits()} if config.annotations else set()
    whole = (*WHOLE_OUTPUT, REPORT) if config.report else WHOLE_OUTPUT
    for entry in entries:
        name = _relative(entry, root)
        if name in whole or (name in lists and not _is_annotation(entry.url, config)):
            yield name
        elif (
            name in (MANIFESTS, LISTS)
            or (name == VIDEOS and config.resize)
            or (name == WEBDATASET and config.packs)
        ):
            with suppress(FileNotFoundError):
                below = (_relative(found, root) for found in files.find(entry.url))
                yield from (found for found in below if may_be_written(found, config))


def _is_annotation(url: str, config: Config) -> bool:
    """Whether ``--annotations`` names a file: then ``ReadFiles`` refuses to replace it."""
    return any(
        url == argument or url.startswith(f"{argument}/") or fnmatch.fnmatch(url, argument)
        for argument in config.annotations
    )


def _relative(entry: files.Entry, root: str) -> str:
    return entry.url.removeprefix(urls.join(root, ""))


def may_be_written(relative: str, config: Config) -> bool:
    """Whether a path is one that a run may write below its folders for clips, lists and the like.

    Which clips there will be is not known yet: a clip is told by the form of its path.
    """
    folder, _, path = relative.partition("/")
    splits = "|".join(config.splits)
    if folder == MANIFESTS:
        return re.fullmatch(rf"({splits})\.parquet", path) is not None
    if folder == LISTS:
        formats, listed = "|".join(config.list_formats), "|".join(config.listed_splits())
        return re.match(rf"({formats})/({listed})(\.csv$|\.parquet$|/)", path) is not None
    if folder == WEBDATASET:
        splits = "|".join(config.packed_splits())
        return (
            re.fullmatch(rf"({splits})(-\d{{6}}\.tar|shards\.json)|sizes\.json", path) is not None
        )
    if not config.annotations:
        return path.endswith(".mp4")
    class_folder = "[^/]+/" if config.layout == "class" else ""
    return re.fullmatch(rf"({splits})/{class_folder}[^/]+_\d{{6,}}_\d{{6,}}\.mp4", path) is not None
