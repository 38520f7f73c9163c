"""A split as torchvision reads it: a folder per class that holds links to its clips."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from beam_pipeline.annotations.assign_label_ids import check_torchvision_ids
from beam_pipeline.elements import Split
from beam_pipeline.errors import OutputError
from beam_pipeline.kinetics.classes import class_folder
from beam_pipeline.output import durable
from beam_pipeline.output.list_formats import TORCHVISION
from beam_pipeline.output.output_errors import as_write_error
from beam_pipeline.output.output_folder import LISTS, Output
from beam_pipeline.storage import urls

EXTENSIONS = (".mp4", ".avi")
"""The default ``extensions`` of ``torchvision.datasets.Kinetics``."""


class ListedClip(NamedTuple):
    """An existing clip: resized, at ``path`` in the output, or the original, at ``source``.

    ``frames`` is None where nobody has asked for it.
    """

    clip_id: str
    label: str | None
    label_id: int
    path: str | None
    source: str
    frames: int | None = None


def link_classes(split: Split, clips: Sequence[ListedClip], output: Output) -> None:
    """Make ``lists/torchvision/<split>`` hold ``<class>/<clip_id>.mp4``, and nothing else.

    Links to the output's own clips are relative, so the output can be moved. Every link name
    ends in .mp4, whatever the container: torchvision selects files by suffix, and decoders detect
    the container. Clips without a label are left out: torchvision requires a class.

    Raises:
        OutputError: a link cannot be made, or the folder holds other videos too.
    """
    top = folder_of_links(split, output)
    wanted = links_of(split, clips, output)
    with as_write_error(top):
        for path in _links_below(top):
            if path not in wanted or os.readlink(path) != wanted[path][0]:
                os.remove(path)
                with suppress(OSError):  # not empty
                    os.rmdir(os.path.dirname(path))
        for path, (target, _) in wanted.items():
            if not os.path.islink(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with suppress(FileExistsError):  # another run made the same link
                    os.symlink(target, path)
                durable.names_changed(os.path.dirname(path))
    read = dict(read_classes(top))
    if read != {path: label_id for path, (_, label_id) in wanted.items()}:
        raise OutputError(
            f"{top} also holds files that are not of this output; remove it, then run the same "
            "command again"
        )


def folder_of_links(split: Split, output: Output) -> str:
    """The path of a split's class folders."""
    return urls.local_path(output.url(f"{LISTS}/{TORCHVISION}/{split}"))


def links_of(
    split: Split, clips: Sequence[ListedClip], output: Output
) -> dict[str, tuple[str, int]]:
    """The path of each link of a split, with its target and the clip's label id."""
    links: dict[str, tuple[str, int]] = {}
    for clip in clips:
        if clip.label is not None:
            folder = os.path.join(folder_of_links(split, output), class_folder(clip.label))
            if clip.path is None:
                target = urls.local_path(clip.source)
            else:
                target = os.path.relpath(urls.local_path(output.url(clip.path)), folder)
            links[os.path.join(folder, f"{clip.clip_id}.mp4")] = target, clip.label_id
    return links


def read_classes(folder: str) -> Iterator[tuple[str, int]]:
    """Path and class id of every video, as torchvision assigns them: by sorted class folder.

    Source: ``find_classes`` and ``make_dataset`` in ``torchvision/datasets/folder.py``.
    """
    if not os.path.isdir(folder):
        return
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    for number, name in enumerate(classes):
        for root, _, names in os.walk(os.path.join(folder, name), followlinks=True):
            for file in names:
                if file.lower().endswith(EXTENSIONS):
                    yield os.path.join(root, file), number


def check_classes(clips: Sequence[ListedClip], split: Split) -> None:
    """Raise InputError if torchvision would give a class another id."""
    check_torchvision_ids(
        {clip.label: clip.label_id for clip in clips if clip.label is not None}, split
    )


_LINK = re.compile(r".+_\d{6,}_\d{6,}\.mp4")


def _links_below(folder: str) -> list[str]:
    """The links in a folder that are named as a run names them; none if it is a link itself."""
    if os.path.islink(folder):
        return []
    return [
        os.path.join(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if _LINK.fullmatch(name) and os.path.islink(os.path.join(root, name))
    ]
