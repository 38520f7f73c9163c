"""``python -m beam_pipeline``, and what the ``beam-pipeline`` command calls."""

import os
import signal
from types import FrameType
from typing import NoReturn

STOPPED = b"\nbeam_pipeline: stopped; run the same command again to continue\n"


def main() -> int:
    """Run the command line. While it is imported, and when it is done, a signal ends it plainly."""
    _on_signals(_stop_at_once)
    from beam_pipeline import cli, quick_start

    quick_start.hide_pandas()
    status = cli.main()
    _on_signals(signal.SIG_DFL)  # handlers in Python may fail while Python shuts down
    return status


def _on_signals(handler: "signal._HANDLER") -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, STOPPED)
    os._exit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main())
