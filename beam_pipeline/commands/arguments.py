"""What all subcommands share: their flags, their exit statuses, and how they print."""

import argparse
import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from beam_pipeline.errors import UsageError
from beam_pipeline.flags.addresses import check_protocol, configure_storage
from beam_pipeline.flags.parser import Parser
from beam_pipeline.output.output_folder import Output
from beam_pipeline.privacy import printable, redact
from beam_pipeline.storage import urls

WHOLE, DIFFERS = 0, 1
"""Exit statuses: nothing was found, or something was. If nothing can be said, it is 2."""


def parser_of(
    name: str, usage: str, description: str, epilog: str, workers: str | None = None
) -> argparse.ArgumentParser:
    """A parser with the flags of every subcommand.

    ``usage`` is what follows the name, ``workers`` what so many workers do at once; None if the
    command reads no clip.
    """
    parser = Parser(
        prog=f"beam_pipeline {name}",
        usage=f"python -m beam_pipeline {name} {usage} [options]",
        description=description,
        epilog=epilog,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument(
        "--storage_options",
        metavar="JSON",
        help="options for fsspec, as for a run (default: none)",
    )
    parser.add_argument(
        "--workers",
        type=at_least_1,
        metavar="N",
        help=f"{workers} (default: the number of available cores)"
        if workers
        else f"does nothing here: {name} reads no clip",
    )
    return parser


def at_least_1(text: str) -> int:
    """A whole number from 1 on, as the type of an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def output_at(address: str, storage_options: str | None) -> Output:
    """The output at a path or URL, as it was typed.

    Raises:
        UsageError: nothing can open such an address, or it is that of a file.
    """
    configure_storage(storage_options)
    if not address:
        raise UsageError("the output is empty; type the --output of a run")
    root = urls.absolute(address)
    check_protocol("OUTPUT", root)
    if urls.is_local(root) and os.path.isfile(urls.local_path(root)):
        raise UsageError(f"{root} is a file; type the --output of a run, which is a folder")
    return Output(root, run="")


def print_json(content: dict[str, Any]) -> None:
    """Print an object, without secrets."""
    print(redact(json.dumps(content, indent=2, ensure_ascii=False)))


NO_EDGE = 500
"""Columns of a table in a file or a pipe, which nobody has to see at once: names stay whole there,
so that ``grep`` finds them."""


def print_table(table: Table) -> None:
    """Print a table that fits the terminal."""
    (Console() if sys.stdout.isatty() else Console(width=NO_EDGE)).print(table)


def say(text: str) -> None:
    """Print a line, without secrets and control characters."""
    print(printable(redact(text)))
