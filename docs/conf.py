"""The site: every page of this folder, with the README in front. ``make docs`` builds it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INIT = ROOT / "beam_pipeline" / "__init__.py"

project = "beam_pipeline"
version = release = re.findall(r'^__version__ = "(.+)"$', INIT.read_text("utf-8"), re.MULTILINE)[0]

extensions = ["myst_parser"]
myst_heading_anchors = 4  # links may name a heading, as on GitHub
nitpicky = True
smartquotes = False  # or --flag would get a dash
highlight_language = "none"

html_theme = "furo"
html_title = f"{project} {version}"
html_show_copyright = False
html_copy_source = False
