"""Errors that end a run, each with a one-line message for the user."""

import re

from beam_pipeline.privacy import one_line


class _OneLine(Exception):
    """An error for the user. Its message is one line without secrets and control characters."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class RunError(_OneLine):
    """The run cannot continue. The message says what is wrong, where, and what to do."""


class InputError(RunError):
    """Annotations or videos that cannot be used as they are."""


class OutputError(RunError):
    """The output cannot be written."""


OF_A_RUN = ", or choose another --output; then run the same command again"
"""The end of a message about the output that only a run should say: others have no --output."""


def without_a_run(message: str) -> str:
    """A message about the output as what is no run says it."""
    return message.removesuffix(OF_A_RUN)


class DamagedError(OutputError):
    """A file of the output is not as a run has written it.

    Attributes:
        what: which file, and what is wrong with it, for a note.
        why: what is wrong with it.
    """

    def __init__(self, url: str, why: object) -> None:
        self.why = one_line(str(why)).rstrip(".")  # the sentence goes on
        self.what = one_line(f"{url} was damaged: {self.why}")
        super().__init__(f"{url} is damaged: {self.why}; run the same command again")


class UsageError(_OneLine):
    """The command line is wrong. Raised before anything is read."""


_RAISED = re.compile(rf"^{re.escape(__name__)}\.\w+: (.*)$", re.MULTILINE)
_STEP = re.compile(r" \[while running '.*$")


def message_of(error: BaseException) -> str | None:
    """The message of a RunError, also if it arrives as text in a worker's traceback.

    Beam's runners pass on a worker's exception as text, and append the step to it. None for any
    other error.
    """
    raised = [str(error)] if isinstance(error, RunError) else _RAISED.findall(str(error))
    return _STEP.sub("", raised[-1]) if raised else None
