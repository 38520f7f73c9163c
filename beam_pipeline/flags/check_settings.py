"""What only the settings as a whole show to be wrong."""

import os
import re
from typing import TYPE_CHECKING

from beam_pipeline.errors import UsageError
from beam_pipeline.flags.addresses import check_protocol
from beam_pipeline.output.list_formats import FRAMES, TORCHVISION, WEBDATASET
from beam_pipeline.output.output_folder import VIDEOS
from beam_pipeline.storage import urls

if TYPE_CHECKING:
    from beam_pipeline.config import Config

# Characters of the paths in the lists of any data set.
_ALWAYS_IN_PATHS = re.compile(r"[A-Za-z0-9_./-]")


def check_settings(config: "Config") -> None:
    """Raise UsageError if a run with these settings could not do what they say."""
    _check_output(config)
    _check_addresses(config)
    _check_separator(config.separator)
    _check_formats(config)
    _check_videos(config)
    _check_lists(config)
    _check_exclusion(config)
    _check_listed_paths(config)


def _check_output(config: "Config") -> None:
    root = config.output.root
    if root in config.annotations:
        raise UsageError(
            f"--output {root} is where --annotations are, which this run would replace; type "
            "another --output"
        )
    if config.output.is_local and os.path.isfile(root):
        raise UsageError(f"--output {root} is a file; type --output FOLDER")


def _check_addresses(config: "Config") -> None:
    for flag in ("annotations", "videos", "exclude_annotations"):
        for address in getattr(config, flag):
            check_protocol(f"--{flag}", address)
    check_protocol("--output", config.output.root)
    if urls.is_on_the_web(config.output.root):
        raise UsageError(f"--output {config.output.root} cannot be written to; type a folder")
    if config.label_map is not None:
        check_protocol("--label_map", config.label_map)


def _check_separator(separator: str) -> None:
    if not separator:
        raise UsageError("--separator is empty; type --separator ' ' or --separator ','")
    if _ALWAYS_IN_PATHS.search(separator) or not separator.isprintable():
        raise UsageError(
            f"--separator {separator!r} can be part of a path; type --separator ' ' "
            "(SlowFast's default) or --separator ','"
        )


def _check_formats(config: "Config") -> None:
    if TORCHVISION in config.list_formats and not config.output.is_local:
        raise UsageError(
            f"--list_format {TORCHVISION} makes folders of links, which --output "
            f"{config.output.root} cannot hold; leave it out"
        )
    if config.packs and not config.resize:
        raise UsageError(
            f"--list_format {WEBDATASET} packs the clips that a run makes, and --resize false "
            "makes none; leave one of the two out"
        )


def _check_videos(config: "Config") -> None:
    for videos in config.videos:
        if f"{videos}/".startswith(config.output.url(VIDEOS) + "/"):
            raise UsageError(
                f"--videos {videos} is where --output {config.output.root} puts its clips; "
                "type another --output"
            )


def _check_lists(config: "Config") -> None:
    if config.test_from == "val" and "val" not in config.splits:
        raise UsageError(
            "--test_from val lists the clips of val as test, but --splits leaves val out; "
            f"type --splits {','.join(('val', *config.splits))}"
        )
    if FRAMES in config.list_formats and not config.resize:
        raise UsageError(
            f"--list_format {FRAMES} lists the number of frames of each clip, and --resize "
            "false opens none; leave one of them out"
        )


def _check_exclusion(config: "Config") -> None:
    if config.exclude_annotations and not {*config.exclude_from} & {*config.splits}:
        raise UsageError(
            "--exclude_annotations leaves clips out of "
            f"{' and '.join(config.exclude_from)} alone, and --splits leaves that out; type "
            f"--exclude_from {','.join(config.splits)}, or no --exclude_annotations"
        )


def _check_listed_paths(config: "Config") -> None:
    if not config.annotations or config.path_prefix is None:
        return
    if not config.path_prefix.isprintable():
        raise UsageError(
            f"the paths in the lists would begin with {config.path_prefix!r}, which contains "
            "unprintable characters; type another --output or --path_prefix"
        )
    if config.separator in config.path_prefix:
        raise UsageError(
            f"the paths in the lists would begin with {config.path_prefix!r}, which contains the "
            f"separator {config.separator!r}: SlowFast would split them there; type "
            "--separator ',' (and DATA.PATH_LABEL_SEPARATOR in its config), --path_prefix '' "
            "for relative paths, or another --output"
        )
