"""Annotation files after a spreadsheet, a browser or an archiver had them; and other files."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from beam_pipeline.annotations.formats import parse
from beam_pipeline.annotations.read_files import find_files, read_file
from beam_pipeline.elements import Annotation
from beam_pipeline.errors import InputError
from beam_pipeline.sources.list_videos import resolve_argument
from tests.kinetics import SHARED
from tests.make_clips import clip

REPORTS = SHARED / "reports"

PLAIN = (
    "label,youtube_id,time_start,time_end,split\n"
    "air drumming,--nQbRBEz2s,104,114,train\n"
    "zumba,abc,1,11,train\n"
)
CLIP_IDS = ["--nQbRBEz2s_000104_000114", "abc_000001_000011"]


def clip_ids(data: bytes) -> list[str]:
    return [annotation.clip_id for annotation in parse(0, "train.csv", io.BytesIO(data))]


def read(file: Path) -> list[Annotation]:
    return list(read_file(0, str(file)))


@pytest.mark.parametrize("text", [
    PLAIN.replace(",", ";"),
    PLAIN.replace(",", "\t"),
    "sep=;\n" + PLAIN.replace(",", ";"),
    "SEP=,\r\n" + PLAIN.replace("\n", "\r\n"),
    PLAIN + ",,,,\n\n,,\n",
    "\n,,,,\n" + PLAIN,
    PLAIN.replace("label,youtube_id", "Label,YouTube_ID"),
    PLAIN.replace("air drumming", '"air; drumming"').replace(",", ";"),
], ids=[
    "semicolons", "tabs", "stated", "stated in capitals", "blank rows", "blank rows above",
    "capitals", "quoted",
])  # fmt: skip
def test_what_a_spreadsheet_writes_is_read(text: str) -> None:
    assert clip_ids(text.encode()) == CLIP_IDS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_are_no_obstacle(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    assert clip_ids((mark + PLAIN).encode(encoding)) == CLIP_IDS


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(("name", "data"), [
    ("train.csv.gz", gzip.compress(PLAIN.encode())),
    ("kinetics_train.zip", zipped({"kinetics_train/train.csv": PLAIN.encode()})),
    ("train.zip", zipped({"train.csv": PLAIN.encode(), "__MACOSX/._train.csv": b"\0\0"})),
], ids=["gzip", "zip", "zip of macOS"])  # fmt: skip
def test_compressed_files_are_read(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert [stated.clip_id for stated in read(tmp_path / name)] == CLIP_IDS


def test_a_compressed_file_in_a_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    assert list(find_files(0, str(tmp_path))) == [(0, str(tmp_path / "train.csv.gz"))]


@pytest.mark.parametrize(
    "data",
    [zipped({"train.csv": PLAIN.encode()})[:60], b"PK\x03\x04nonsense"],
    ids=["cut", "nonsense"],
)
def test_a_damaged_zip_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "train.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"train\.zip: a damaged zip archive"):
        read(tmp_path / "train.zip")


@pytest.mark.parametrize(
    ("data", "about"),
    [
        (b"/data/air_drumming/a.mp4 12\n/data/b.mp4 399\n", "a list for a trainer"),
        (b"/data/a.mp4 0 -1\n", "a list for a trainer"),
        (b"videos/a.mp4,12\n", "a list for a trainer"),
        (b"abseiling\nair drumming\nbeer (drinking)\n", "type an annotation file.*--label_map"),
        (b"-3B32lodo2M\nabcdefghijk\n", "bare YouTube ids; type an annotation file"),
        (b"abcdefghijk\n", "a CSV with a header that contains youtube_id,time_start,time_end"),
        (clip(size=(96, 64), frames=2), "is a video; type --videos"),
        (clip("matroska", size=(96, 64), frames=2), "is a video; type --videos"),
        (b"some text\nwith 2 lines\n", "a header that contains youtube_id,time_start,time_end"),
        (b"", "a header that contains"),
        (b",,,\n", "a header that contains"),
    ],
    ids=[
        "list",
        "pretraining",
        "commas",
        "classes",
        "ids",
        "id",
        "mp4",
        "mkv",
        "text",
        "empty",
        "blank",
    ],
)
def test_a_file_that_is_something_else_is_told_by_name(data: bytes, about: str) -> None:
    with pytest.raises(InputError, match=about):
        clip_ids(data)


def test_bare_youtube_ids_are_no_label_map() -> None:
    with pytest.raises(InputError) as caught:
        clip_ids(b"abcdefghijk\nlmnopqrstuv\n")
    assert "--label_map" not in str(caught.value)


def test_swapped_arguments_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "abc.mp4").write_bytes(b"video")
    (tmp_path / "train.csv").write_text(PLAIN)
    with pytest.raises(InputError, match=r"holds videos, no annotations; type --videos"):
        list(find_files(0, str(tmp_path / "videos")))
    with pytest.raises(InputError, match=r"is an annotation file; type --annotations"):
        list(resolve_argument(0, str(tmp_path / "train.csv"), "/out"))


@pytest.mark.skipif(not REPORTS.exists(), reason="no reports beside the project")
@pytest.mark.parametrize("name", ["train.csv", "semicolon_train.csv", "kinetics_train.zip"])
def test_the_files_of_the_reports_are_read(name: str) -> None:
    assert read(REPORTS / name)
