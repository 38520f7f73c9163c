"""What ends a run: one plain line for the person who started it."""

import re


class RunError(Exception):
    """The run cannot do its work. The message says what is wrong, where, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InputError(RunError):
    """Annotations or videos that cannot be used as they are."""


class OutputError(RunError):
    """The output cannot be written."""


class UsageError(Exception):
    """The command line is wrong: said before anything is read."""


_RAISED = re.compile(rf"^{re.escape(__name__)}\.\w+: (.*)$", re.MULTILINE)
_STEP = re.compile(r" \[while running '.*$")


def message_of(error: BaseException) -> str | None:
    """The message of a RunError, also of one that reached us as a worker's traceback.

    Beam's runners carry what a worker raised as text, and add the step to it. None if it was
    something else.
    """
    raised = [str(error)] if isinstance(error, RunError) else _RAISED.findall(str(error))
    return _STEP.sub("", raised[-1]) if raised else None
