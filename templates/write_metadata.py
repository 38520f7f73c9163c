"""Write metadata.json, the description of the template for Dataflow, from the options.

    python templates/write_metadata.py

Run it from the project's root whenever an option changes. Facts that argparse lacks are below.
"""

import argparse
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beam_pipeline.kinetics.label_map import PUBLISHED
from beam_pipeline.kinetics.splits import SPLIT_WORDS
from beam_pipeline.options import KineticsOptions
from beam_pipeline.output.list_formats import LIST_FORMATS, TORCHVISION

METADATA = Path(__file__).parent / "metadata.json"

IMAGE = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/beam_pipeline:TAG"
"""Placeholder in the file; ``make template-build`` replaces it with the image."""


@dataclass(frozen=True)
class ParameterType:
    """A parameter's Dataflow type, and a POSIX extended regex for its whole value."""

    type: str
    regex: str | None = None


def _comma_separated(value: str) -> str:
    return f"{value}( *, *{value})*"


def _any_of(words: Iterable[str]) -> str:
    return f"({'|'.join(words)})"


LIST_FORMATS_OF_BUCKETS = [name for name in LIST_FORMATS if name != TORCHVISION]

# No local paths: a worker would look on its own disk. No s3://: the image has no s3fs.
ADDRESS = "(gs|gcs|https?)://[^,]+"

# Other options are ENUM, BOOLEAN, or TEXT with any value. Dataflow's own types for files to read
# accept neither several addresses nor web addresses.
PARAMETER_TYPES = {
    "annotations": ParameterType("TEXT", _comma_separated(ADDRESS)),
    "exclude_annotations": ParameterType("TEXT", _comma_separated(ADDRESS)),
    "exclude_from": ParameterType("TEXT", _comma_separated(_any_of(SPLIT_WORDS))),
    "videos": ParameterType("TEXT", _comma_separated(ADDRESS)),
    "output": ParameterType("GCS_WRITE_FOLDER", "gs://[^/].*"),
    "dataset_mirror": ParameterType("TEXT", ADDRESS),
    "splits": ParameterType("TEXT", _comma_separated(_any_of(SPLIT_WORDS))),
    "short_edge": ParameterType("NUMBER", "([2468]|[1-9][0-9]?[0-9]?[02468])"),
    "crf": ParameterType("NUMBER", "(([1-9]|[1-4][0-9]|50)([.][0-9]+)?|51([.]0+)?)"),
    "gop": ParameterType("NUMBER", "([1-9][0-9]?[0-9]?|1000)"),
    "fps": ParameterType("TEXT", "[0-9]+([.][0-9]+|/[1-9][0-9]*)?"),
    # No torchvision: a bucket cannot hold its links.
    "list_format": ParameterType("TEXT", _comma_separated(_any_of(LIST_FORMATS_OF_BUCKETS))),
    "label_map": ParameterType("TEXT", f"({'|'.join(PUBLISHED)}|{ADDRESS})"),
    "limit": ParameterType("NUMBER", "[1-9][0-9]*"),
    "limit_per_class": ParameterType("NUMBER", "[1-9][0-9]*"),
    "seed": ParameterType("NUMBER", "(0|[1-9][0-9]*)"),
    "shard": ParameterType("TEXT", "[1-9][0-9]*/[1-9][0-9]*"),
    "storage_options": ParameterType("TEXT", "[{].*[}]"),
    "clip_timeout": ParameterType("NUMBER", "[0-9]+([.][0-9]+)?"),
    "max_missing_ratio": ParameterType("NUMBER", "(0?[.][0-9]+|0|1([.]0+)?)"),
    "max_failure_ratio": ParameterType("NUMBER", "(0?[.][0-9]+|0|1([.]0+)?)"),
}

REQUIRED = ("output",)
"""Required options of this project. ``videos`` is not: ``dataset`` can replace it."""

EXCLUDED = {
    "workers": "a machine has one process, with a worker for each core",
    "progress": "the launcher only writes the job; the service's own page shows its progress",
    "log_file": "the launcher's disk is gone with it; the service keeps the logs of the workers",
    "quiet": "the launcher says nothing that anybody would miss",
    "verbose": "the launcher has nothing more to say; the logs of the workers have it",
    **dict.fromkeys(
        ("fetch", "cookies", "proxy", "fetch_options", "fetch_again"),
        "sites block the addresses of data centres, and the image has no yt-dlp",
    ),
}
"""Options that are not parameters, with the reason."""

ACRONYMS = {"crf": "CRF", "gop": "GOP", "fps": "FPS"}


def metadata() -> dict[str, Any]:
    """The content of metadata.json, as declared by Dataflow's ``TemplateMetadata``."""
    parser = argparse.ArgumentParser(add_help=False)
    KineticsOptions._add_argparse_args(parser)
    return {
        "name": "Prepare Kinetics",
        "description": "Resizes the clips of Kinetics-400, 600 or 700 and writes the lists that "
        "trainers read.",
        "streaming": False,
        "supportsAtLeastOnce": False,
        "supportsExactlyOnce": False,
        "parameters": [
            *(
                _parameter(action, group.title or "")
                for group in parser._action_groups
                for action in group._group_actions
                if action.dest not in EXCLUDED
            ),
            _workers_image(),
        ],
    }


def _parameter(action: argparse.Action, group: str) -> dict[str, Any]:
    parameter_type = PARAMETER_TYPES.get(action.dest, ParameterType(_type_of(action)))
    words = action.dest.replace("_", " ")
    parameter: dict[str, Any] = {
        "name": action.dest,
        "label": ACRONYMS.get(action.dest, words[0].upper() + words[1:]),
        "helpText": _help_text(action),
        "isOptional": action.dest not in REQUIRED,
        "groupName": group[0].upper() + group[1:],
        "paramType": parameter_type.type,
    }
    if parameter_type.regex is not None:
        parameter["regexes"] = [f"^{parameter_type.regex}$"]
    if action.choices is not None:
        parameter["enumOptions"] = [{"value": str(c), "label": str(c)} for c in action.choices]
    if action.default is not None:
        parameter["defaultValue"] = _text(action.default)
    return parameter


def _workers_image() -> dict[str, Any]:
    """Beam's option for the workers' image, whose value the template knows."""
    # Required: workers with Beam's own image would lack the package. The console fills in default
    # values, but other ways to start a job do not.
    return {
        "name": "sdk_container_image",
        "label": "Image for the workers",
        "helpText": "the image that the template was built with",
        "isOptional": False,
        "groupName": "How the job runs",
        "paramType": "TEXT",
        "defaultValue": IMAGE,
    }


def _type_of(action: argparse.Action) -> str:
    if action.choices is not None:
        return "ENUM"
    return "BOOLEAN" if action.const is True else "TEXT"


def _help_text(action: argparse.Action) -> str:
    text = (action.help or "") % vars(action)
    if action.default is not None:  # it is in defaultValue
        text = re.sub(r" *\(default: [^()]*\)$", "", text)
    return f"{text}; separate several values with commas" if action.nargs == "+" else text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    METADATA.write_text(
        json.dumps(metadata(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
