"""The one line that reaches the person."""

import re

import apache_beam as beam
import pytest

from beam_pipeline.errors import InputError, OutputError, RunError, UsageError, message_of
from tests.kinetics import on_beam


def test_an_error_says_its_own_message() -> None:
    assert message_of(InputError("val.csv line 2: no")) == "val.csv line 2: no"


def test_a_message_is_one_line_whatever_is_put_into_it() -> None:
    assert message_of(OutputError("two\nlines \t and\r\nmore")) == "two lines and more"


def test_anything_else_has_no_message_for_a_person() -> None:
    assert message_of(ValueError("beam_pipeline went wrong")) is None
    assert message_of(RuntimeError("")) is None


def test_an_error_is_found_in_a_workers_traceback() -> None:
    told = (
        "Traceback (most recent call last):\n"
        '  File "worker.py", line 1, in process\n'
        "beam_pipeline.errors.InputError: val.csv line 2: no [while running 'Read-ptransform-12']\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
    )
    assert message_of(RuntimeError(told)) == "val.csv line 2: no"


@pytest.mark.parametrize(
    "message",
    [
        "plain",
        "in [brackets] and 'quotes'",
        "with: colons: in it",
        "ends with a bracket]",
        "the label 'beam_pipeline.errors.InputError: nested'",
        "Ümläute und 漢字",
    ],
)
def test_a_message_comes_through_beam_as_it_was(message: str) -> None:
    def fail(element: str) -> None:
        raise InputError(element)

    with pytest.raises(Exception, match=re.escape(message)) as caught, on_beam() as pipeline:
        _ = pipeline | beam.Create([message]) | beam.Map(fail)
    assert message_of(caught.value) == message


def test_a_wrong_command_line_is_not_a_run_that_failed() -> None:
    assert not issubclass(UsageError, RunError)
