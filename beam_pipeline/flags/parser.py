"""Refuse a command line that cannot be read, in one line that says what to type instead."""

import argparse
import difflib
import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

from beam_pipeline.errors import UsageError
from beam_pipeline.kinetics.spelling import meant


class Parser(argparse.ArgumentParser):
    """Raises an error of one line instead of printing the usage of two hundred flags."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Say what to type in place of a value that is not among the choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        near = meant(str(value), choices)
        hint = f"type {near}" if near else f"type one of {', '.join(choices)}"
        raise argparse.ArgumentError(action, f"there is no {value!r}; {hint}")


def refuse_unknown(argument: str, argv: list[str], flags: Sequence[str]) -> NoReturn:
    """Raise UsageError for an argument of ``argv`` that belongs to none of the ``flags``."""
    name = argument.partition("=")[0]
    if not name.startswith("-"):
        _refuse_rest(argument, argv)
    near = difflib.get_close_matches(name, flags, n=1)
    hint = f"did you mean {near[0]}?" if near else "--help lists the flags"
    what = "flag" if name.startswith("-") else "argument"
    raise UsageError(f"unknown {what} {name}; {hint}")


def _refuse_rest(argument: str, argv: list[str]) -> None:
    """Raise UsageError if an argument is the rest of a value that the shell has taken apart."""
    before = argv[: argv.index(argument)] if argument in argv else argv
    places = [place for place, word in enumerate(before) if word.startswith("-")]
    if not places:
        return
    flag, _, value = before[places[-1]].partition("=")
    if flag == "--storage_options":
        raise UsageError(
            "--storage_options takes one value; put it in quotes, such as "
            '\'{"gs": {"token": "anon"}}\''
        )
    words = [*filter(None, [value]), *before[places[-1] + 1 :], argument]
    if len(words) > 1:
        raise UsageError(
            f"{flag} takes one value, and {argument!r} is another; a value with spaces stands in "
            f"quotes: {flag} {shlex.quote(' '.join(words))}"
        )
