"""Draws report.png, a picture of the report of the sample.

    python docs/draw_report.py

from the project's root, whenever the report's looks change. Needs playwright, and Debian's package
chromium or another Chromium that CHROMIUM names.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "report.png"
SIZE = {"width": 1100, "height": 1250}
MOST_BYTES = 300_000

# A page names the folders of who made it; those of the picture are everybody's.
SHOWN_FOLDER = "/data"
_RENAME = """([folder, shown]) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        texts.currentNode.data = texts.currentNode.data.replaceAll(folder, shown);
    }
}"""


def prepare_sample(folder: Path) -> Path:
    """Prepare the sample in a folder; its report."""
    python = [sys.executable]
    subprocess.run([*python, ROOT / "examples" / "make_sample.py", folder / "k400"], check=True)
    subprocess.run(
        [
            *python, "-m", "beam_pipeline", "--annotations", "k400/annotations",
            "--videos", "k400/videos", "--output", "k400-256",
        ],
        check=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return folder / "k400-256" / "report.html"


def draw(report: Path, picture: Path, folder: Path) -> None:
    """Open a report in Chromium, and keep a picture of its beginning."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium: apt-get install chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(report.as_uri())
        page.evaluate(_RENAME, [str(folder), SHOWN_FOLDER])
        page.screenshot(path=picture)
        browser.close()


def main() -> None:
    """Make the picture anew."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        draw(prepare_sample(folder), PICTURE, folder)
    if (size := PICTURE.stat().st_size) > MOST_BYTES:
        sys.exit(f"{PICTURE} has {size:,} bytes, more than {MOST_BYTES:,}")
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
