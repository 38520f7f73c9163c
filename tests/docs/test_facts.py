"""What the pages say of the program is what the program says of itself."""

import ast
import errno
import importlib.util
import os
import re
import subprocess
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from beam_pipeline.codec.outcome import Reason
from beam_pipeline.elements import STATUSES, Row
from beam_pipeline.fetch.pace import BACK_OFF
from beam_pipeline.fetch.package import MIN_VERSION
from beam_pipeline.fetch.reasons import FINAL, PASSING
from beam_pipeline.fetch.settings import PAUSE
from tests.docs.pages import PAGES, ROOT, blocks, name_of, table

DOCS, PACKAGE = ROOT / "docs", ROOT / "beam_pipeline"

# Not worth a line in a tree: every package has them.
UNNAMED = {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
MADE = {"build", "dist", "sample"}


def load_write_flags() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("write_flags", DOCS / "write_flags.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_page_of_flags_is_what_the_options_say_today():
    write_flags = load_write_flags()
    assert write_flags.PAGE.read_text("utf-8") == write_flags.page(), (
        "run python docs/write_flags.py"
    )


def test_every_column_of_the_manifest_is_in_the_table_in_order_with_its_type():
    stated = {
        column: kind
        for name, kind, _ in table(DOCS / "outputs.md", "columns")
        for column in words(name)
    }
    types_of = {str: "text", int: "int64", float: "float64", bool: "bool"}
    hints = get_type_hints(Row)
    expected = {}
    for column in Row._fields:
        hint = hints[column]
        if get_origin(hint) is types.UnionType:
            hint = get_args(hint)[0]
        expected[column] = types_of.get(hint, "text")
    assert list(stated.items()) == list(expected.items())


def test_every_reason_is_in_the_table():
    stated = [words(reason)[0] for reason, *_ in table(DOCS / "troubleshooting.md", "reasons")]
    assert sorted(stated) == sorted(["no_file", *get_args(Reason), *FINAL, *PASSING])


def test_every_answer_of_the_site_is_in_its_table_with_what_follows():
    text = (DOCS / "youtube.md").read_text("utf-8")
    stated = re.findall(r"^\| `(\w+)` \|.*\| (yes|no) \|$", text, re.MULTILINE)
    expected = [(reason, "no") for reason in FINAL] + [(reason, "yes") for reason in PASSING]
    assert sorted(stated) == sorted(expected)


def test_the_pause_is_the_one_that_is_stated():
    text = (DOCS / "youtube.md").read_text("utf-8")
    assert f"pause of {PAUSE[0]:g} to {PAUSE[1]:g} seconds" in text.replace("\n", " ")
    assert "waits {}, {} and {} pauses".format(*BACK_OFF) in text


def test_setup_asks_for_the_yt_dlp_that_the_program_asks_for():
    setup = (ROOT / "setup.py").read_text("utf-8")
    assert re.findall(r'"yt-dlp(?:\[default\])?>=([\d.]+)"', setup) == [MIN_VERSION] * 2


@pytest.mark.parametrize("page", ["README.md", "docs/outputs.md"])
def test_every_status_is_in_the_table(page):
    text = (ROOT / page).read_text("utf-8")
    _, _, after = text.partition("| status | meaning |\n| --- | --- |\n")
    stated = [
        status
        for line in after.partition("\n\n")[0].splitlines()
        for status in words(line.split("|")[1])
    ]
    assert stated == list(STATUSES)


def test_every_target_of_make_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for page in PAGES:
        text = page.read_text("utf-8")
        named = re.findall(r"`make ([a-z-]+)", text)
        for block in blocks(page):
            named += re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)
        for target in named:
            assert target in targets, f"{name_of(page)}: there is no make {target}"


def test_the_tree_in_the_readme_is_the_tree_on_disk():
    tree = next(b.text for b in blocks(ROOT / "README.md") if b.text.startswith("beam_pipeline/\n"))
    _, *entries = tree.splitlines()
    inside = [line.split()[0] for line in entries if line.startswith("  ")]
    beside = [name for line in entries if not line.startswith(" ") for name in line.split()]
    on_disk = {p.name + "/" * p.is_dir() for p in PACKAGE.iterdir() if p.name not in UNNAMED}
    assert sorted(inside) == sorted(on_disk)
    folders = {
        f"{p.name}/"
        for p in ROOT.iterdir()
        if p.is_dir() and not p.name.startswith((".", "_")) and p.suffix != ".egg-info"
    }
    assert sorted(beside) == sorted(folders - {f"{name}/" for name in MADE} - {"beam_pipeline/"})


def test_every_file_that_the_architecture_names_exists():
    text = (DOCS / "architecture.md").read_text("utf-8")
    for path in sorted(
        set(re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]*\.?[a-z]*|[a-z_0-9]+\.py)`", text))
    ):
        places = [PACKAGE, ROOT, ROOT / "benchmarks", ROOT / "docs", ROOT / "tests"]
        assert any((place / path).exists() for place in places), f"there is no {path}"


def test_every_folder_of_the_package_is_in_the_architecture():
    text = (DOCS / "architecture.md").read_text("utf-8")
    for path in PACKAGE.iterdir():
        if path.is_dir() and path.name not in UNNAMED:
            assert f"`{path.name}/`" in text, f"it does not say what {path.name}/ is for"


def test_the_layers_in_the_architecture_are_those_that_lint_checks():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    stated = [words(names) for names, _ in table(DOCS / "architecture.md", "layers")]
    assert [[name.removesuffix(".py").strip("/") for name in names] for names in stated] == [
        layer.split(" | ") for layer in layers
    ]


def test_a_benchmark_finds_its_place():
    for page, section in (
        ("benchmarks", "bench"), ("benchmarks", "feed"), ("benchmarks", "reads"),
        ("encoding", "defaults"), ("encoding", "search"), ("dataflow", "cost"),
    ):  # fmt: skip
        assert table_is_there(page, section), f"docs/{page}.md has no <!-- {section} -->"


def table_is_there(page: str, section: str) -> bool:
    text = (DOCS / f"{page}.md").read_text("utf-8")
    return f"<!-- {section} -->\n" in text and f"<!-- /{section} -->" in text


def test_the_commands_of_make_in_the_makefile_can_be_listed():
    made = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    for target in ("docs", "test-docs"):
        assert f"make {target}" in made.stdout


def said_in(file: Path) -> Iterator[str]:
    """Every text in a file of code; what a message fills in is an ellipsis."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_message_that_is_explained_is_one_that_the_program_says():
    texts = [text for file in (ROOT / "beam_pipeline").rglob("*.py") for text in said_in(file)]
    texts.append(os.strerror(errno.ENOSPC))
    page = ROOT / "docs" / "troubleshooting.md"
    messages = [row[0].strip("`") for row in table(page, "messages")]
    assert len(messages) > 10
    for message in messages:
        for piece in filter(None, (piece.strip(" :;") for piece in message.split("…"))):
            assert any(piece in text for text in texts), message
