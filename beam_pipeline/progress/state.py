"""What is said of a run at one moment. The live line, plain lines, JSON and the log all say this.

>>> line_of(State("making clips", 65, 200, 50, 48, 2, 1, 10**9, 4 * 10**8, 2.0, 75.0))
'50 of 200 clips, 2.0 clips/s, 1 min left, 2 failed, 1 damaged, 0:01:05, 1.0 GB read, \
400.0 MB written'
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from rich.filesize import decimal

from beam_pipeline.progress.counts import Counts

Phase = Literal[
    "reading", "making clips", "waiting to fetch", "finishing", "checking leases", "ended"
]

READING = "reading annotations, listing videos"
CHECKING_LEASES = "all clips are done; checking whether another run is active in this output"
WAITING_TO_FETCH = "waiting: another run fetches clips into this output"

MINUTE, HOUR, DAY = 60, 3600, 86400


class State(NamedTuple):
    """The progress of a run. JSON has these keys, after ``time``; docs/progress.md explains them.

    ``elapsed`` and ``seconds_left`` are in seconds. The latter is None if it is unknown.
    """

    phase: Phase
    elapsed: float
    planned: int
    done: int
    made: int
    failed: int
    damaged: int
    bytes_in: int
    bytes_out: int
    clips_per_second: float
    seconds_left: float | None
    unavailable: int = 0


def state_of(counts: Counts) -> State:
    """The progress that the counts tell."""
    rate, left = counts.rate, max(counts.tasks - counts.done, 0)
    seconds_left = None
    if counts.tasks and (rate or not left):
        seconds_left = left / rate if left else 0.0
    return State(
        phase_of(counts),
        counts.elapsed,
        counts.tasks,
        counts.done,
        counts.succeeded,
        counts.failed,
        counts.damaged,
        counts.bytes_in,
        counts.bytes_out,
        rate,
        seconds_left,
        counts.unavailable,
    )


def ended_state(counts: Counts, status: int = 0) -> State:
    """The state of a run that has ended: no time is left, or nobody knows how much it would be.

    Clips that were sought in archives may be planned and never done.
    """
    return state_of(counts)._replace(phase="ended", seconds_left=None if status else 0.0)


def phase_of(counts: Counts) -> Phase:
    """The phase that the counts tell. Clips in archives may be found while others are made."""
    if counts.checking_leases:
        return "checking leases"
    if counts.waiting_to_fetch:
        return "waiting to fetch"
    if not counts.tasks:
        return "reading"
    return "making clips" if counts.done < counts.tasks else "finishing"


def line_of(state: State) -> str:
    """The progress as one line for people."""
    if state.phase == "checking leases":
        return CHECKING_LEASES
    if state.phase == "waiting to fetch":
        return WAITING_TO_FETCH
    if state.phase == "reading":
        return f"{READING}, {elapsed_text(state)}"
    return ", ".join((f"{state.done:,} of {counted(state.planned, 'clip')}", *parts_of(state)))


def parts_of(state: State) -> tuple[str, ...]:
    """What a line says behind the number of clips, the most important first."""
    left = ("time left unknown",)
    if state.seconds_left is not None:
        left = (f"{duration_text(state.seconds_left)} left",)
    return (
        f"{state.clips_per_second:.1f} clips/s",
        *(() if state.phase == "ended" else left),
        f"{state.failed:,} failed",
        *((f"{state.unavailable:,} unavailable",) if state.unavailable else ()),
        f"{state.damaged:,} damaged",
        elapsed_text(state),
        f"{decimal(state.bytes_in)} read",
        f"{decimal(state.bytes_out)} written",
    )


def elapsed_text(state: State) -> str:
    """Time since the start, as 1:02:03."""
    return str(timedelta(seconds=int(state.elapsed)))


def duration_text(seconds: float) -> str:
    """A duration for people, in days and hours where it is long.

    >>> [duration_text(s) for s in (45, 170, 2 * 3600 + 629, 3 * 86400 + 15000)]
    ['45 s', '3 min', '2 h 10 min', '3 d 4 h']
    """
    if round(seconds) < MINUTE:
        return f"{round(seconds)} s"
    minutes = round(seconds / MINUTE)
    if minutes < HOUR // MINUTE:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, HOUR // MINUTE)
    if hours < DAY // HOUR:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, DAY // HOUR)
    return f"{days} d {hours} h"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things, in words.

    >>> counted(1, "clip"), counted(2_000, "clip"), counted(0, "class", "classes")
    ('1 clip', '2,000 clips', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def json_of(state: State, **more: object) -> str:
    """The progress as one line of JSON, without its line break; ``more`` keys come last."""
    said: dict[str, object] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **state._asdict(),
        "elapsed": round(state.elapsed, 1),
        "clips_per_second": round(state.clips_per_second, 3),
        "seconds_left": None if state.seconds_left is None else round(state.seconds_left),
    }
    return json.dumps({**said, **more}, ensure_ascii=False)
