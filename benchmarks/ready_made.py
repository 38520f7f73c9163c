"""Run the command with children that answer at once, and print the parent's processor time.

    python -m benchmarks.ready_made ANSWERS FLAGS...

ANSWERS is a file of ``save_answers``. Everything but the codecs is as in any run.
"""

import functools
import hashlib
import pickle
import resource
import sys
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from beam_pipeline import cli
from beam_pipeline.codec import pool
from beam_pipeline.codec.messages import READY, encode_outcome
from beam_pipeline.codec.outcome import Outcome


def save_answers(file: Path, outcomes: Iterable[tuple[bytes, Outcome]]) -> None:
    """Save what a child has to answer to each source."""
    answers = {
        _name(source): (encode_outcome(outcome), outcome.output) for source, outcome in outcomes
    }
    file.write_bytes(pickle.dumps(answers))


def answer_at_once(file: str, connection: Connection, *_limits: int) -> None:
    """What runs in a child: send the answer that was saved for each source."""
    answers = pickle.loads(Path(file).read_bytes())
    connection.send_bytes(READY)
    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while True:
            connection.recv_bytes()  # the settings
            header, output = answers[_name(connection.recv_bytes())]
            connection.send_bytes(header)
            connection.send_bytes(output)


def _name(source: bytes) -> bytes:
    return hashlib.sha256(source).digest()


def main() -> None:
    """Run the command; the seconds are the last line that it prints."""
    file, *flags = sys.argv[1:]
    # By its full name: the children do not run this module as the program.
    from benchmarks import ready_made

    pool.serve = functools.partial(ready_made.answer_at_once, file)
    status = cli.main(flags)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime)
    sys.exit(status)


if __name__ == "__main__":
    main()
