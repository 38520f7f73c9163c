"""The report in a real browser: it loads without an error, asks nothing, and does what it offers.

Needs Debian's package chromium, or another Chromium that CHROMIUM names.
"""

import io
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from beam_pipeline.commands.report import make_report
from beam_pipeline.output.output_folder import Output
from beam_pipeline.report import write_report as module
from beam_pipeline.report.contact_sheet import ContactSheet, Pictured
from tests.rule_output import make_output

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")

SIZES = (1, 300, 650_000)
MOST_BYTES, MOST_BYTES_WITH_PICTURES = 6_000_000, 14_000_000
MOST_SECONDS_TO_MAKE, MOST_MEMORY = 30, 1_000_000_000
MOST_SECONDS_TO_LOAD = 2
TILE = (128, 96)
COLUMNS = 40


def sheet_of(_: Output, wanted: list[Pictured], _workers: int | None) -> ContactSheet:
    """A sheet of pictures by rule: each of another colour, with noise as films have it."""
    width, height = TILE
    rows = -(-len(wanted) // COLUMNS)
    random = np.random.default_rng(0)
    image = random.integers(0, 90, (rows * height, COLUMNS * width, 3), np.uint8)
    tiles = {}
    for number, clip in enumerate(wanted):
        top, left = number // COLUMNS * height, number % COLUMNS * width
        image[top : top + height, left : left + width] += random.integers(0, 160, 3, np.uint8)
        tiles[clip.clip_id] = (left, top)
    return ContactSheet(jpeg_of(image), width, height, tiles, {})


def jpeg_of(image: Any) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width, stream.pix_fmt = *image.shape[:2], "yuvj420p"
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Outputs of each size with their reports: without pictures, and in ``pictures`` with them."""
    made = {}
    for rows in SIZES:
        root = make_output(tmp_path_factory.mktemp("rows") / "k700", rows, classes=min(rows, 700))
        report_of(root)
        (root / "pictures").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "sheet_of", sheet_of)
            plain = (root / "report.html").read_bytes()
            report_of(root)
            (root / "report.html").rename(root / "pictures" / "report.html")
            (root / "report.html").write_bytes(plain)
        made[rows] = root
    return made


def report_of(root: Path) -> None:
    make_report(Output(str(root), run="0" * 32))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """A page in the browser, with what it asked for and complained of."""

    def __init__(self, browser: Browser, file: Path, **context: Any) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        context = {"viewport": {"width": 1200, "height": 900}, **context}
        self.page: Page = browser.new_context(**context).new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.file = file

    def others(self) -> list[str]:
        """What it asked for beside itself; data and blobs are in the page."""
        own = (self.file.as_uri(), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.mark.parametrize("pictures", [False, True], ids=["plain", "pictures"])
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_the_page_loads_in_time_without_a_complaint_or_a_request(
    outputs: dict[int, Path], browser: Browser, rows: int, pictures: bool, scheme: Any, width: int
) -> None:
    file = outputs[rows] / ("pictures" if pictures else "") / "report.html"
    assert file.stat().st_size < (MOST_BYTES_WITH_PICTURES if pictures else MOST_BYTES)
    opened = Opened(
        browser, file, color_scheme=scheme, viewport={"width": width, "height": 900}
    )  # fmt: skip
    expect(opened.page.locator("html.ready")).to_be_attached()
    assert (opened.complaints, opened.others()) == ([], [])
    loaded = opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < loaded < 1000 * MOST_SECONDS_TO_LOAD
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    keep_picture(opened.page, f"{rows}-{'pictures' if pictures else 'plain'}-{scheme}-{width}")


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture for people in the folder that SCREENSHOTS names."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


@pytest.fixture
def large(outputs: dict[int, Path], browser: Browser) -> Iterator[Opened]:
    opened = Opened(browser, outputs[650_000] / "pictures" / "report.html")
    yield opened
    assert (opened.complaints, opened.others()) == ([], [])


def column(opened: Opened, number: int, rows: str = "tr") -> list[str]:
    cells = f"document.querySelectorAll('#class-table tbody {rows} > :nth-child({number})')"
    return list(opened.evaluate(f"[...{cells}].map((cell) => cell.innerText)"))


def test_a_header_sorts_and_says_how(large: Opened) -> None:
    button = large.page.get_by_role("button", name="class", exact=True)
    header = large.page.locator("#class-table th").first
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    names = column(large, 1)
    assert len(names) == 700
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    assert column(large, 1) == names[::-1]
    large.page.get_by_role("button", name="annotated").click()
    counts = [int(text.replace(",", "")) for text in column(large, 4)]
    assert counts == sorted(counts)
    assert header.get_attribute("aria-sort") is None


def test_search_leaves_the_classes_with_all_its_words(large: Opened) -> None:
    rows = large.page.locator("#class-table tbody tr")
    large.page.locator("#class-search").fill("GAME 12")
    shown = column(large, 1, "tr:not([hidden])")
    assert 0 < len(shown) < 700
    assert all("game" in text and "12" in text for text in shown)
    assert large.page.locator("#class-count").inner_text() == f"{len(shown)} of 700"
    large.page.locator("#class-search").fill("")
    assert rows.last.is_visible()
    large.page.locator("#sheet-search").fill("thing 22's dance")
    left = large.page.locator("#sheet-classes > :not([hidden]) h3").all_inner_texts()
    assert "thing 22's dance" in left
    assert all("22's dance" in label for label in left)


def test_the_page_works_by_keyboard_and_shows_where_it_is(
    outputs: dict[int, Path], browser: Browser
) -> None:
    opened = Opened(browser, outputs[300] / "report.html")
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] > 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_role("button", name="failed", exact=True).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert page.locator("th[aria-sort]").inner_text().startswith("failed")
    page.locator("details summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None


def test_the_switch_turns_light_into_dark_and_back(
    outputs: dict[int, Path], browser: Browser
) -> None:
    opened = Opened(browser, outputs[1] / "report.html", color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = opened.evaluate(colour)
    opened.page.get_by_role("button", name="Light / dark").click()
    dark = opened.evaluate(colour)
    assert brightness(dark) < 60 < 200 < brightness(light)
    opened.page.get_by_role("button", name="Light / dark").click()
    assert opened.evaluate(colour) == light


def brightness(colour: str) -> float:
    return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(","))) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(
    outputs: dict[int, Path], browser: Browser, scheme: Any
) -> None:
    """The contrast that WCAG asks for: 4.5 for text."""
    opened = Opened(browser, outputs[300] / "report.html", color_scheme=scheme)
    script = """() => {
        const canvas = document.createElement("canvas").getContext("2d");
        const parts = (colour) => {
            canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return canvas.getImageData(0, 0, 1, 1).data;
        };
        const light = (colour) => {
            const [r, g, b] = [...parts(colour)].map((v) =>
                v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if (colour !== "rgba(0, 0, 0, 0)") return colour;
            }
        };
        const found = {};
        for (const element of document.querySelectorAll("body *")) {
            const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
            if (!text || !element.checkVisibility()) continue;
            const style = getComputedStyle(element);
            const own = element.closest("svg") ? style.fill : style.color;
            const [a, b] = [light(own), light(behind(element))].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            if (contrast < 4.5) found[element.tagName + " " + own] = contrast;
        }
        return found;
    }"""
    assert opened.evaluate(script) == {}


def test_copy_gives_the_settings_of_a_trainer(outputs: dict[int, Path], browser: Browser) -> None:
    opened = Opened(
        browser, outputs[300] / "report.html", permissions=["clipboard-read", "clipboard-write"]
    )  # fmt: skip
    opened.page.get_by_role("button", name="Copy the settings of mmaction2", exact=True).click()
    expect(opened.page.get_by_text("Copied")).to_be_visible()
    copied = opened.evaluate("navigator.clipboard.readText()")
    assert f'ann_file="{outputs[300]}/lists/mmaction2/train.csv"' in copied
    assert "num_classes=300" in copied


def test_each_picture_is_the_part_of_the_sheet_that_is_its_clip(large: Opened) -> None:
    tiles = large.page.locator(".tile")
    assert tiles.count() > 1400
    place = tiles.nth(1)
    place.scroll_into_view_if_needed()
    style = place.evaluate("(e) => [getComputedStyle(e).backgroundImage, e.offsetWidth]")
    assert style[0].startswith('url("blob:')
    assert style[1] == TILE[0]
    colours = {tiles.nth(number).screenshot() for number in range(3)}
    assert len(colours) == 3


@pytest.mark.parametrize("width", [360, 390])
def test_on_a_phone_the_pictures_of_a_class_are_side_by_side(
    outputs: dict[int, Path], browser: Browser, width: int
) -> None:
    opened = Opened(
        browser, outputs[650_000] / "pictures" / "report.html",
        viewport={"width": width, "height": 800},
    )  # fmt: skip
    pair = opened.page.locator(".pair").first
    pair.scroll_into_view_if_needed()
    tops = pair.evaluate("(e) => [...e.children].map((f) => f.getBoundingClientRect().top)")
    assert len(tops) == 2
    assert tops[0] == tops[1]
    assert opened.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [360, 1200])
def test_no_line_breaks_inside_a_flag_or_the_times_of_a_clip(
    outputs: dict[int, Path], browser: Browser, width: int
) -> None:
    opened = Opened(
        browser, outputs[300] / "pictures" / "report.html",
        viewport={"width": width, "height": 800},
    )  # fmt: skip
    lines = opened.evaluate("""() => [...document.querySelectorAll("main .whole")].map((word) =>
        word.getClientRects().length).filter((lines) => lines > 0)""")
    assert len(lines) > 300
    assert {*lines} == {1}


def test_without_javascript_the_page_has_all_but_pictures(
    outputs: dict[int, Path], browser: Browser
) -> None:
    opened = Opened(browser, outputs[300] / "pictures" / "report.html", java_script_enabled=False)
    assert opened.page.locator("#class-table tbody tr").count() > 200
    assert opened.page.locator(".chart svg").count() > 8
    assert opened.page.locator(".tile").first.is_visible()
    assert opened.complaints == []


def test_a_report_of_650_000_rows_takes_less_than_30_s_and_1_gb(outputs: dict[int, Path]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "beam_pipeline", "report", str(outputs[650_000])],
        check=True, capture_output=True, timeout=MOST_SECONDS_TO_MAKE,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < MOST_SECONDS_TO_MAKE
    assert after.ru_maxrss * 1024 < MOST_MEMORY
