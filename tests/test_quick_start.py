"""What a command imports, and what Beam is kept from doing over and over."""

import json
import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.transforms import core

from beam_pipeline.engines.local import LocalEngine
from beam_pipeline.options import parse_command_line
from beam_pipeline.quick_start import is_local

PRINT_IMPORTED = """
import json, sys
from beam_pipeline.__main__ import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""


def imported_by(*flags: str) -> set[str]:
    """The modules that a command with these flags has imported by its end."""
    command = [sys.executable, "-c", PRINT_IMPORTED, *flags, "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(json.loads(printed.splitlines()[-1]))


def test_a_local_command_imports_no_clients_of_clouds() -> None:
    pytest.importorskip("google.cloud.storage")
    unused = {"google.cloud.storage", "pymongo", "pandas", "aiohttp"}
    assert not imported_by() & unused
    assert "google.cloud.storage" in imported_by("--runner=DataflowRunner")


@pytest.mark.parametrize(
    ("flags", "local"),
    [
        ([], True),
        (["--runner", "DirectRunner"], True),
        (["--runner=direct"], True),
        (["--runner", "DataflowRunner"], False),
        (["--runner=FlinkRunner", "--limit=3"], False),
        (["--runner"], False),
    ],
)
def test_which_commands_are_local(flags: list[str], local: bool) -> None:
    assert is_local(["--videos", "v", *flags]) == local


def test_views_of_the_options_are_kept_and_share_their_values() -> None:
    options = parse_command_line(["--annotations=a"])
    first = options.view_as(StandardOptions)
    first.runner = "FlinkRunner"
    assert options.view_as(StandardOptions) is first
    assert options.get_all_options()["runner"] == "FlinkRunner"


class _Stage:
    def process(self, element: str, times: int = 2) -> str:
        return element * times


def test_a_function_is_inspected_once_and_what_is_found_stays_as_it_was() -> None:
    LocalEngine(parse_command_line([]))
    inspect = core.get_function_args_defaults
    names, defaults = inspect(_Stage().process)
    assert (names, defaults) == (["element", "times"], [2])
    names.clear()
    assert inspect(_Stage().process) == (["element", "times"], [2])
    assert inspect(_Stage.process) == (["self", "element", "times"], [2])
    LocalEngine(parse_command_line([]))
    assert core.get_function_args_defaults is inspect
