"""Writes metadata.json, what Dataflow knows of the template, from the options themselves.

    python templates/write_metadata.py

from the project's root, whenever an option changes. What argparse cannot tell stands here.
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
from beam_pipeline.output.list_formats import TEXT_FORMATS

METADATA = Path(__file__).parent / "metadata.json"

IMAGE = "REGION-docker.pkg.dev/PROJECT/REPOSITORY/beam_pipeline:TAG"
"""Stands in the file for the image, which ``make template-build`` puts in its place."""


@dataclass(frozen=True)
class Kind:
    """A parameter's type at Dataflow, and what its whole value must match, in POSIX egrep form."""

    type: str
    regex: str | None = None


def _several(one: str) -> str:
    return f"{one}( *, *{one})*"


def _any_of(words: Iterable[str]) -> str:
    return f"({'|'.join(words)})"


# Nothing local, for a worker would look on its own disk, and no s3://, for the image has no s3fs.
ADDRESS = "(gs|gcs|https?)://[^,]+"

# Options that are not here are TEXT that may be anything, ENUM or BOOLEAN. Dataflow's own types
# for what is read from a bucket take neither several addresses nor one on the web.
KINDS = {
    "annotations": Kind("TEXT", _several(ADDRESS)),
    "videos": Kind("TEXT", _several(ADDRESS)),
    "output": Kind("GCS_WRITE_FOLDER", "gs://[^/].*"),
    "dataset_mirror": Kind("TEXT", ADDRESS),
    "splits": Kind("TEXT", _several(_any_of(SPLIT_WORDS))),
    "short_edge": Kind("NUMBER", "([2468]|[1-9][0-9]?[0-9]?[02468])"),
    "crf": Kind("NUMBER", "([1-9]|[1-4][0-9]|5[01])"),
    "gop": Kind("NUMBER", "([1-9][0-9]?[0-9]?|1000)"),
    "fps": Kind("TEXT", "[0-9]+([.][0-9]+|/[1-9][0-9]*)?"),
    # No torchvision: its folders of links cannot be in a bucket.
    "list_format": Kind("TEXT", _several(_any_of(TEXT_FORMATS))),
    "label_map": Kind("TEXT", f"({'|'.join(PUBLISHED)}|{ADDRESS})"),
    "limit": Kind("NUMBER", "[1-9][0-9]*"),
    "storage_options": Kind("TEXT", "[{].*[}]"),
    "clip_timeout": Kind("NUMBER", "[0-9]+([.][0-9]+)?"),
    "max_failure_ratio": Kind("NUMBER", "(0?[.][0-9]+|0|1([.]0+)?)"),
}

REQUIRED = ("output",)
"""Of our own; ``videos`` is not among them, for ``dataset`` can stand for it."""

LEFT_OUT = {
    "workers": "it counts what one process does at once, and Dataflow starts one for each core",
}
"""Options that are no parameters, with the reason."""

SHORT_FOR = {"crf": "CRF", "gop": "GOP", "fps": "FPS"}


def metadata() -> dict[str, Any]:
    """What metadata.json holds, as Dataflow's ``TemplateMetadata`` declares it."""
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
                if action.dest not in LEFT_OUT
            ),
            _workers_image(),
        ],
    }


def _parameter(action: argparse.Action, group: str) -> dict[str, Any]:
    kind = KINDS.get(action.dest, Kind(_type_of(action)))
    words = action.dest.replace("_", " ")
    parameter: dict[str, Any] = {
        "name": action.dest,
        "label": SHORT_FOR.get(action.dest, words[0].upper() + words[1:]),
        "helpText": _help_text(action),
        "isOptional": action.dest not in REQUIRED,
        "groupName": group[0].upper() + group[1:],
        "paramType": kind.type,
    }
    if kind.regex is not None:
        parameter["regexes"] = [f"^{kind.regex}$"]
    if action.choices is not None:
        parameter["enumOptions"] = [{"value": str(c), "label": str(c)} for c in action.choices]
    if action.default is not None:
        parameter["defaultValue"] = _text(action.default)
    return parameter


def _workers_image() -> dict[str, Any]:
    """Beam's own option, for which the template knows the value."""
    # Required: workers on Beam's own image would lack the package, and default values are filled
    # in by the console, not where a job is started in another way.
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
    if action.default is not None:  # then it has a field of its own
        text = re.sub(r" *\(default: [^()]*\)$", "", text)
    return f"{text}; several with commas between them" if action.nargs == "+" else text


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    METADATA.write_text(
        json.dumps(metadata(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
