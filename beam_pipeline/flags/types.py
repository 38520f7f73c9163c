"""The types of flags: each turns a text into a value, or says what to type instead."""

import argparse
from fractions import Fraction

from beam_pipeline.shard import Shard


def even(text: str) -> int:
    """An even number of pixels."""
    number = between(2, 8192)(text)
    if number % 2:
        raise argparse.ArgumentTypeError(f"{number} is odd; type {number + 1}")
    return number


def between(least: int, most: int) -> "type[int]":
    """The type of whole numbers from ``least`` to ``most``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return number

    return read  # type: ignore[return-value]  # argparse accepts any callable


def boolean(text: str) -> bool:
    """True or false."""
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false; type one") from None


def rate(text: str) -> str:
    """Check a rate; it stays text, because options are serialized as JSON."""
    try:
        rate = Fraction(text).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 240:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a rate above 0, up to 240; type 30, 29.97 or 30000/1001"
        )
    return str(rate)


def part(text: str) -> str:
    """Check a part; it stays text, because options are serialized as JSON."""
    try:
        return str(Shard.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from None


def crf(text: str) -> float:
    """A constant rate factor."""
    number = _number(text, 1, 51, "a number from 1 to 51")
    return int(number) if number.is_integer() else number


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    return _number(text, 0.001, 1e9, "a number of seconds above 0")


def share(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, 0, 1, "a number from 0 to 1")


def _number(text: str, least: float, most: float, wanted: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return number
