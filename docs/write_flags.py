"""Writes flags.md, the page of all flags, from the options themselves.

    python docs/write_flags.py

from the project's root, whenever an option changes.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from beam_pipeline.options import KineticsOptions

PAGE = Path(__file__).parent / "flags.md"

HEAD = """\
<!-- Written by docs/write_flags.py from beam_pipeline/options.py. Do not edit it here. -->

# Flags

`--flag value` and `--flag=value` are the same. A flag that takes several values takes them
separated by spaces or commas, or repeated. A flag that is on or off takes `true` or `false`; alone
it means `true`.

Any option of Apache Beam may follow. `--runner` names the engine: without it the job runs on this
machine, as with `DirectRunner`; see [Dataflow](dataflow.md) for `DataflowRunner` and
[clusters](clusters.md) for `FlinkRunner`. `--version` and `--help` print and exit.

An unknown flag is an error, with a guess at what was meant. So is a flag that would do nothing,
such as `--crf` with `--resize false`.
"""

_DEFAULT = re.compile(r"\s*\(default: (?P<value>.*)\)$")


def page() -> str:
    """The whole page."""
    parser = argparse.ArgumentParser(add_help=False)
    KineticsOptions._add_argparse_args(parser)
    sections = [HEAD]
    for group in parser._action_groups:
        if group._group_actions:
            title = group.title or ""
            rows = "\n".join(_rows(group._group_actions))
            sections.append(f"## {title[:1].upper()}{title[1:]}\n\n{rows}\n")
    return "\n".join(sections)


def _rows(actions: list[argparse.Action]) -> Iterator[str]:
    yield "| flag | default | meaning |"
    yield "| --- | --- | --- |"
    for action in actions:
        meaning = (action.help or "") % vars(action)
        default = ""
        if stated := _DEFAULT.search(meaning):
            meaning, default = meaning[: stated.start()], stated["value"]
        yield f"| `{_usage(action)}` | {_text(default)} | {_text(meaning)} |"


def _usage(action: argparse.Action) -> str:
    """The flag as it is typed, such as ``--splits S ...``."""
    if action.const is True:
        return f"{action.option_strings[0]} true/false"
    value = action.metavar or "/".join(map(str, action.choices or ()))
    return f"{action.option_strings[0]} {value}{' ...' if action.nargs == '+' else ''}"


def _text(said: str) -> str:
    """Plain text for a cell: nothing in it is Markdown."""
    return re.sub(r"([\\`*_<>\[\]|{}])", r"\\\1", said)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
