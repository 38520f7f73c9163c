"""Lists of test that an earlier run has written with another ``--test_from``."""

import os
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from beam_pipeline.config import Config
from beam_pipeline.output.list_formats import TORCHVISION
from beam_pipeline.output.output_folder import LISTS
from beam_pipeline.results.link_classes import folder_of_links

LISTS_OF_TEST = "lists_of_test"
"""The entry of ``summary.json``: such lists, each with the split whose clips it holds."""

LINKS = f"{LISTS}/{TORCHVISION}/test"
"""The folder of links, which is among them but not among the ``lists`` of the summary."""


def other_lists_of_test(
    earlier: Mapping[str, Any], lists: Collection[str], written: Collection[str], config: Config
) -> dict[str, str]:
    """The lists of test with clips of another split than ``--test_from`` says now.

    Args:
        earlier: the summary of the last finished run, empty if there is none.
        lists: the names of all lists that are in the output now.
        written: the names of those that this run has written.
        config: the settings of this run.

    Returns:
        the split whose clips each of them holds, by its name.
    """
    known = earlier.get(LISTS_OF_TEST, {})
    before = earlier.get("settings", {}).get("test_from", "test")
    names = [name for name in lists if posixpath.splitext(posixpath.basename(name))[0] == "test"]
    if _has_old_links(config):
        names.append(LINKS)
    held = {name: known.get(name, before) for name in sorted(names) if name not in written}
    return {name: split for name, split in held.items() if split != config.test_from}


def _has_old_links(config: Config) -> bool:
    """Whether there are links for test that this run has not made."""
    if "test" in config.listed_splits() and TORCHVISION in config.list_formats:
        return False
    return config.output.is_local and os.path.isdir(folder_of_links("test", config.output))


def notes_on(held: Mapping[str, str], config: Config) -> Iterator[str]:
    """A note about each of these lists."""
    for name, split in held.items():
        folder = name.removeprefix(f"{LISTS}/").partition("/")[0]
        flags = [] if folder == name else [f"--list_format {folder}"]
        if "test" not in config.listed_splits():
            flags.append("--splits test")
        yield (
            f"{name} holds the clips of {split}, as it was written with --test_from {split}; to "
            f"write it anew, run with {' '.join(flags)}, or remove it"
        )
