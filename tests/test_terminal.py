"""What Ctrl-C leaves on a terminal that shows the live line."""

import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from beam_pipeline import cli
from beam_pipeline.cli import INTERRUPTED
from tests.terminal import CTRL_C, Screen, Terminal

# Row logs that take their time to be saved: meanwhile the live line would go on being drawn.
AT_WORK = """
import sys, time, types
from beam_pipeline import cli
from beam_pipeline.progress.counts import LOCAL_COUNTS
from beam_pipeline.progress.live_line import LiveLine

sys.modules["beam_pipeline.output.row_log"] = types.SimpleNamespace(
    flush_all=lambda seconds: time.sleep(0.5)
)
cli._on_signal(lambda: cli.INTERRUPTED)
with LiveLine():
    for _ in range(6):
        LOCAL_COUNTS.plan()
    while True:
        print("a warning", file=sys.stderr)
        time.sleep(0.01)
"""
HIDES_CURSOR = "\x1b[?25l"


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("shown", [HIDES_CURSOR, "0/6"])
def test_ctrl_c_leaves_one_line_and_the_cursor_below_it(shown: str, times: int) -> None:
    with Terminal([sys.executable, "-c", AT_WORK]) as terminal:
        terminal.wait_for(shown)
        terminal.press(CTRL_C)
        terminal.wait_for("stopped")
        for _ in range(times - 1):
            terminal.press(CTRL_C)
        assert terminal.ended() == 128 + signal.SIGINT
    screen = Screen(terminal.output)
    *_, message, below = screen.lines
    assert message == f"beam_pipeline: {INTERRUPTED}"
    assert (below, screen.column) == ("", 0)
    assert not any("clips/s" in line for line in screen.lines)
    assert screen.has_cursor


def test_sigterm_after_ctrl_c_is_no_second_message() -> None:
    with Terminal([sys.executable, "-c", AT_WORK]) as terminal:
        terminal.wait_for("0/6")
        terminal.press(CTRL_C)
        terminal.wait_for("stopped")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended() == 128 + signal.SIGINT
    screen = Screen(terminal.output)
    assert sum("stopped" in line for line in screen.lines) == 1
    assert screen.lines[-1] == ""
    assert screen.has_cursor


AS_IT_IS_IMPORTED = """
import signal, sys
from beam_pipeline import __main__

class Finder:
    def find_spec(self, name, *_):
        if name == "beam_pipeline.cli":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
__main__.main()
"""


def test_ctrl_c_while_the_program_is_imported_is_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", AS_IT_IS_IMPORTED], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGINT, "")
    assert ended.stderr == f"\nbeam_pipeline: {INTERRUPTED}\n"


WHILE_IT_ENDS = """
import os, signal
from beam_pipeline import cli

cli._exit_now = lambda status: print(*map(callable, map(signal.getsignal, (2, 15))))
cli._on_signal(lambda: cli.INTERRUPTED)
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_that_has_come_and_waits_to_be_handled_is_no_error() -> None:
    """Python prints one if a handler of its own was replaced by ``SIG_IGN`` meanwhile."""
    ended = subprocess.run(
        [sys.executable, "-c", WHILE_IT_ENDS], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "True True\n"


def test_a_stopped_program_calls_functions_that_exist() -> None:
    """It looks them up by name, and passes over what it does not find."""
    called = re.findall(r'_call\("([\w.]+)", "(\w+)"', Path(cli.__file__).read_text("utf-8"))
    assert len(called) == 5
    for module, function in called:
        assert callable(getattr(import_module(f"beam_pipeline.{module}"), function))
