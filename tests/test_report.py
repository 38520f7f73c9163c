"""The page about an output: what stands on it, and that it asks nothing of anybody else."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.codec.outcome import Reason
from beam_pipeline.elements import Row
from beam_pipeline.fetch.reasons import FINAL, PASSING
from beam_pipeline.kinetics.label_map import read_label_map
from beam_pipeline.kinetics.published_counts import PUBLISHED_COUNTS, releases_of
from beam_pipeline.report.about import About, percent
from beam_pipeline.report.charts import bars
from beam_pipeline.report.contact_sheet import ContactSheet
from beam_pipeline.report.facts import read_facts, splits_with_manifest
from beam_pipeline.report.page import draw_page
from beam_pipeline.report.reasons import ADVICE, advice_for
from tests.docs.pages import ROOT, table
from tests.rule_output import summary_of
from tests.test_report_facts import output_of, row

EVIL = "<script>alert(1)</script>\u202e"


class Page(HTMLParser):
    """What the tests look at in a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def drawn(
    root: Path, *rows: Row, sheet: ContactSheet | None = None, label_ids: Any = None, **summary: Any
) -> Page:
    """The page of an output with these rows; ``summary`` has changes of its summary."""
    output = output_of(root, *rows)
    facts = read_facts(output, splits_with_manifest(output))
    whole: dict[str, Any] = {**summary_of({}, root, 2), **summary}
    ids = {"archery": 0, "zumba": 1} if label_ids is None else label_ids
    return Page(draw_page(About(str(root), whole, ids, "abc"), facts, sheet))


ROWS = (
    row(1), row(2, label="archery", decode_errors=3), row(3, status="missing", reason="no_file"),
    row(4, status="failed", reason="truncated", detail="of 300 frames, 20 decode"),
    row(5, "val", sha256=row(1).sha256), row(6, "test", label=None, duration=0.5),
    row(7, "val", source_width=200, source_height=150),
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return drawn(tmp_path_factory.mktemp("page"), *ROWS)


def test_ids_are_unique_and_what_is_named_by_them_is_there(page: Page) -> None:
    ids = page.values("id")
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    named = [name for key in ("aria-labelledby", "for", "data-filters", "data-counts",
                              "data-copies") for name in page.values(key)]  # fmt: skip
    anchors = [href[1:] for href in page.values("href") if href.startswith("#")]
    assert len(named) > 8
    assert len(anchors) > 8
    assert set(named + anchors) <= set(ids)


def test_nothing_is_asked_of_another_file_or_of_the_network(page: Page) -> None:
    addresses = page.values("src") + page.values("xlink:href") + page.values("href")
    other = [each for each in addresses if not each.startswith(("#", "./videos/", "data:"))]
    assert other == []
    policy = next(attrs for tag, attrs in page.tags if "http-equiv" in attrs)
    assert "default-src 'none'" in (policy["content"] or "")
    style = (ROOT / "beam_pipeline" / "report" / "style.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_each_chart_is_a_named_image_with_a_table_of_the_same_numbers(tmp_path: Path) -> None:
    text = draw_page_text(tmp_path)
    figures = re.findall(r'<figure class="chart">(.*?)</figure>', text, re.DOTALL)
    assert len(figures) > 8
    for figure in figures:
        assert re.search(r'<div role="img" aria-label="[^"]+"><svg ', figure)
        assert re.search(r"<details>.*<table>.*<tbody>\s*<tr>.*</table>", figure, re.DOTALL)
        assert "pygal.config" not in figure
    assert len(re.findall("<svg ", text)) == len(figures)


def draw_page_text(root: Path) -> str:
    output = output_of(root, *ROWS)
    facts = read_facts(output, splits_with_manifest(output))
    about = About(str(root), summary_of({}, root, 2), {"archery": 0, "zumba": 1}, "abc")
    return draw_page(about, facts, None).decode()


def test_headings_of_sections_and_what_the_run_did(page: Page) -> None:
    headings = [attrs["id"] for tag, attrs in page.tags if tag == "h2"]
    assert headings == [
        "notes", "coverage", "failures", "classes", "measures", "contact-sheet",
        "galleries", "equal", "run", "trainers",
    ]  # fmt: skip
    for text in (
        "71.4 % of the annotated clips are there 5 of 7", "3 h 25 min", "something to see",
        "python -m beam_pipeline --dataset kinetics700_2020", "f" * 64, "e" * 64, "av 18.1.0",
        "Damaged clips: 1", "Very short clips: 1", "Upscaled clips: 1",
        "1 group of clips with equal bytes is in more than one split",
    ):  # fmt: skip
        assert text in page.text


def test_a_reason_comes_with_examples_and_what_helps(page: Page) -> None:
    assert "What helps: fetch it again" in page.text
    assert "of 300 frames, 20 decode" in page.text
    assert advice_for("of a later release").helps.startswith("read its detail")


FETCH = {
    "fetched": 1234, "reasons": {"private": 3, "removed": 1},
    "years": {"2026": {"private": 2, "removed": 1}, "2025": {"private": 1}},
}  # fmt: skip


def test_what_a_site_does_not_give_is_told_by_year_and_reason(tmp_path: Path) -> None:
    lost = [row(n, status="missing", reason="private") for n in (2, 3, 4)]
    page = drawn(tmp_path / "fetched", row(1), *lost, fetch=FETCH)
    title = "Clips that YouTube does not give, by year and reason"
    assert any(title in label for label in page.values("aria-label"))
    assert "year and reason clips 2025: private 1 2026: private 2 2026: removed 1" in page.text
    assert "fetched from YouTube 1,234 clips" in page.text
    for number, fetch in enumerate(({"fetched": 0, "reasons": {}, "years": {}}, {}, 3)):
        page = drawn(tmp_path / str(number), row(1), *lost, fetch=fetch)
        assert "does not give" not in page.text
        assert "fetched from" not in page.text


def test_what_a_site_does_not_give_has_its_section_where_the_manifest_is_gone(
    tmp_path: Path,
) -> None:
    page = drawn(tmp_path, row(1), fetch=FETCH)
    assert "failures" in page.values("id")
    assert "#failures" in page.values("href")
    assert "2025: private" in page.text


def test_shards_are_told_by_split_with_their_bytes(tmp_path: Path) -> None:
    none = {"seed": 0, "shards": 0, "samples": 0, "bytes": 0}
    train = {**none, "shards": 1200, "bytes": 1_100_000_000_000}
    page = drawn(tmp_path, row(1), webdataset={"train": train, "val": none, "test": 3})
    assert "WebDataset shards train 1,200 (1.1 TB) Settings".lower() in page.text.lower()
    assert "WebDataset shards" not in drawn(tmp_path / "none", row(1)).text


def test_every_reason_has_the_words_of_the_page_about_troubles() -> None:
    stated = {
        reason.strip("`"): (meaning, helps)
        for reason, meaning, helps in table(ROOT / "docs" / "troubleshooting.md", "reasons")
    }
    assert {reason: tuple(advice) for reason, advice in ADVICE.items()} == stated
    assert {*Reason.__args__, *FINAL, *PASSING} <= set(ADVICE)


@pytest.mark.parametrize("reason", ADVICE)
def test_no_marks_of_markdown_are_shown(reason: str) -> None:
    advice = advice_for(reason)
    assert not {"`", "[", "]"} & {*advice.meaning, *advice.helps}


def test_a_link_of_the_page_about_troubles_is_named(tmp_path: Path) -> None:
    page = drawn(tmp_path, row(1), row(2, status="missing", reason="private"))
    assert (
        "Missing: YouTube says that the video is private. What helps: not asked again, see what "
        "cannot be had (docs/youtube.md)." in page.text
    )


def test_a_clip_with_conflicting_annotations_is_of_no_class(tmp_path: Path) -> None:
    conflict = row(2, label=None, status="failed", reason="conflicting_annotations")
    page = drawn(tmp_path / "conflict", row(1), conflict)
    assert page.values("data-name").count("zumba") > 0
    assert "without a label" not in page.values("data-name")
    assert "conflicting_annotations 1 failed" in page.text
    page = drawn(tmp_path / "bare", row(1), row(2, label=None))
    assert "without a label" in page.values("data-name")


def test_text_of_strangers_is_text(tmp_path: Path) -> None:
    page = drawn(
        tmp_path,
        row(1, label=EVIL, source=EVIL, path=f"videos/train/{EVIL}.mp4", source_codec=EVIL),
        row(2, label=EVIL, status="failed", reason=EVIL, detail=EVIL, source=EVIL),
        row(3, detail=EVIL, clip_id=EVIL),
        warnings=[EVIL], command=EVIL, label_ids={EVIL: 0},
    )  # fmt: skip
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts == [{}]
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text
    assert "\\u202e" in page.text
    assert any("%3Cscript%3E" in href for href in page.values("href"))


def test_places_of_pictures_cannot_end_their_script(tmp_path: Path) -> None:
    sheet = ContactSheet(b"jpeg", 128, 96, {"</script>": (0, 0), row(1).clip_id: (128, 96)}, {})
    page = drawn(tmp_path, row(1), sheet=sheet)
    scripts = [attrs.get("id") for tag, attrs in page.tags if tag == "script"]
    assert scripts == ["tiles", None]
    tiles = [attrs for tag, attrs in page.tags if attrs.get("class") == "tile"]
    assert tiles == [{
        "class": "tile", "role": "img", "aria-label": f"A frame of {row(1).clip_id}",
        "style": "background-position: -128px -96px",
    }]  # fmt: skip
    (image,) = [attrs for tag, attrs in page.tags if tag == "img"]
    assert (image["id"], image["src"]) == ("sheet", "data:image/jpeg;base64,anBlZw==")


def test_without_annotations_there_are_no_classes_and_no_trainers(tmp_path: Path) -> None:
    rows = [row(number, "all", label=None) for number in range(3)]
    page = drawn(tmp_path, *(each._replace(youtube_id=None) for each in rows), label_ids={})
    headings = [attrs["id"] for tag, attrs in page.tags if tag == "h2"]
    assert "classes" not in headings
    assert "trainers" not in headings
    assert "100 % of the found clips are there" in page.text
    assert "This output has no splits" in page.text


def test_videos_that_are_listed_as_they_are(tmp_path: Path) -> None:
    nothing = dict.fromkeys(
        ("path", "width", "height", "bytes", "source_width", "source_height", "duration",
         "decode_errors", "has_audio", "source_codec", "source_fps", "sha256")
    )  # fmt: skip
    listed = row(1, status="listed", source="/videos/a.mp4", **nothing)
    page = drawn(tmp_path, listed, settings={"path_prefix": None, "separator": " "})
    assert "listed as they are" in page.text
    assert "nobody has read them" in page.text
    assert "galleries" not in page.values("id")
    assert "a link opens" not in page.text
    assert [href for href in page.values("href") if href.startswith("./")] == []
    assert "Size of the sources" in page.text
    assert "Short edge of the sources" not in page.text


def test_a_damaged_manifest_is_noted_once(tmp_path: Path) -> None:
    output = output_of(tmp_path, row(1), row(2, "val"))
    (tmp_path / "manifest" / "val.parquet").write_bytes(b"PAR1")
    facts = read_facts(output, splits_with_manifest(output))
    noted = {"warnings": [f"{facts.unreadable[0]}; val is not counted here"]}
    for summary in (None, noted):
        page = Page(draw_page(About(str(tmp_path), summary, {}, ""), facts, None))
        assert page.text.count("val.parquet was damaged") == 1


def test_a_page_without_a_summary(tmp_path: Path) -> None:
    output = output_of(tmp_path, row(1))
    facts = read_facts(output, ["train"])
    page = Page(draw_page(About(str(tmp_path), None, {}, ""), facts, None))
    assert "without a finished run" in page.text
    assert "trainers" not in page.values("id")


def test_a_summary_with_other_things_in_it_is_no_error(tmp_path: Path) -> None:
    odd = {"inputs": 3, "warnings": "x", "settings": [], "versions": None, "duration": "long",
           "classes": "many", "lists": 0}  # fmt: skip
    assert "100 % of the annotated" in drawn(tmp_path, row(1), label_ids={}, **odd).text


# Published counts


def test_the_release_is_told_by_data_set_label_map_or_classes() -> None:
    names = frozenset(read_label_map("kinetics400"))
    assert releases_of("kinetics600", "kinetics400", names) == ("Kinetics-600",)
    assert releases_of(None, "kinetics700", names) == ("Kinetics-700", "Kinetics-700-2020")
    assert releases_of(None, "/my/map.txt", names) == ("Kinetics-400",)
    assert releases_of(None, None, names - {"zumba"}) == ()
    assert releases_of(None, None, (names - {"zumba"}) | {"other"}) == ()


@pytest.mark.parametrize(
    "part",
    [
        {"limit": 5}, {"limit_per_class": 5}, {"classes": ["zumba"]},
        {"exclude_from": ["train"]}, {"dataset": None},
    ],
)  # fmt: skip
def test_a_part_of_a_data_set_is_not_held_against_it(tmp_path: Path, part: dict[str, Any]) -> None:
    settings = {
        "dataset": "kinetics400", "limit": None, "classes": None, "limit_per_class": None,
        "exclude_from": [],
    }  # fmt: skip
    page = drawn(tmp_path / "whole", row(1), settings=settings)
    assert "Against published counts" in page.text
    assert f"{PUBLISHED_COUNTS['Kinetics-400'][0].train:,}" in page.text
    page = drawn(tmp_path / "part", row(1), settings={**settings, **part})
    assert "Against published counts" not in page.text


def test_without_the_clips_of_another_data_set_it_is_a_part_too(tmp_path: Path) -> None:
    inputs = {"exclude_annotations": ["/a/test.csv"]}
    page = drawn(tmp_path, row(1), settings={"dataset": "kinetics400"}, inputs=inputs)
    assert "Against published counts" not in page.text


def test_some_splits_are_held_against_the_counts_of_these(tmp_path: Path) -> None:
    page = drawn(tmp_path, row(1, "val"), settings={"dataset": "kinetics400"})
    counts = PUBLISHED_COUNTS["Kinetics-400"][0]
    assert f"{counts.val:,}" in page.text
    assert f"{counts.train:,}" not in page.text


# Small parts


def test_100_percent_is_said_of_all_alone() -> None:
    shares = [percent(part, 100_000) for part in (99_999, 100_000, 0, 1)]
    assert shares == ["99.9 %", "100 %", "0 %", "< 0.1 %"]
    assert percent(101_000, 100_000) == "101.0 %"  # of a published count


def test_a_chart_shows_its_numbers_and_cuts_long_names_off_the_drawing_alone() -> None:
    name = "a name that is much longer than any bar's name may be"
    chart = bars("Codecs", "codec", [(name, 12_345), ("h264", 0)])
    assert chart.rows == [(name, "12,345"), ("h264", "0")]
    assert name not in chart.svg
    assert f">{name[:25]}…</text>" in chart.svg
    assert ">12.3k</text>" in chart.svg
