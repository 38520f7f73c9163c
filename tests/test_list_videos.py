"""Which files are found, and which are not."""

import errno
import io
import itertools
import os
import tracemalloc
from collections import Counter
from functools import reduce
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.elements import PassedOver, Video
from beam_pipeline.errors import InputError, message_of
from beam_pipeline.kinetics.file_names import EXTENSIONS
from beam_pipeline.sources.list_tree import list_folder, search_folder
from beam_pipeline.sources.list_videos import ListVideos, resolve_argument
from beam_pipeline.sources.passed_over import CountPassedOver
from beam_pipeline.storage import files
from tests.kinetics import on_beam


def put(root: Path, *names: str) -> None:
    """Files whose size is the length of their name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"." * len(path.name))


def found(argument: Path | str, output: Path | str = "/elsewhere") -> list[Video]:
    """Every video that one argument names, sorted by path."""
    videos = []
    for entry in resolve_argument(0, str(argument), str(output)):
        if isinstance(entry, Video):
            videos.append(entry)
        else:
            below = search_folder(entry, str(output))
            videos += [found for found in below if isinstance(found, Video)]
    return sorted(videos, key=lambda video: video.path)


def names(argument: Path | str, root: Path, output: Path | str = "/elsewhere") -> list[str]:
    return [os.path.relpath(video.path, root) for video in found(argument, output)]


def check_on_beam(*arguments: Path, expected: list[Video]) -> None:
    """Hold what the transform itself finds under several arguments against what it should."""
    with on_beam() as pipeline:
        ranked = list(enumerate(map(str, arguments)))
        listed = pipeline | beam.Create(ranked) | ListVideos("/elsewhere")
        assert_that(listed["videos"], equal_to(expected))
        assert_that(listed["archives"], equal_to([]), "no archives")


# Folders


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "train/air drumming/b.mkv", "1/2/3/4/5/6/c.webm")
    assert names(tmp_path, tmp_path) == ["1/2/3/4/5/6/c.webm", "a.mp4", "train/air drumming/b.mkv"]


def test_videos_are_told_by_their_extension_in_any_case(tmp_path: Path) -> None:
    videos = ["a.mp4", "b.MKV", "c.WebM", "d.avi", "e.MOV"]
    put(tmp_path, *videos, "f.mp3", "mp4", "g.mp4.part", "h.txt", "i.mp4~", "j")
    assert names(tmp_path, tmp_path) == videos


HIDDEN = [
    "._a.mp4", ".AppleDouble/a.mp4", ".Trashes/501/a.mp4", ".Trash-1000/files/a.mp4",
    "@eaDir/a.mp4/thumb.mp4", "$RECYCLE.BIN/a.mp4", "System Volume Information/a.mp4",
    "train/lost+found/a.mp4", "train/.cache/deep/down/a.mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_systems_hide_is_not_searched(tmp_path: Path, name: str) -> None:
    put(tmp_path, "good.mp4", "train/good.mp4", name)
    assert names(tmp_path, tmp_path) == ["good.mp4", "train/good.mp4"]
    assert name not in names(tmp_path / "*", tmp_path)
    assert name not in names(tmp_path / "**" / "*.mp4", tmp_path)


def test_what_is_hidden_is_searched_where_it_is_named(tmp_path: Path) -> None:
    put(tmp_path, ".hidden/a.mp4", ".hidden/train/b.mp4", ".c.mp4")
    assert names(tmp_path / ".hidden", tmp_path) == [".hidden/a.mp4", ".hidden/train/b.mp4"]
    assert names(tmp_path / ".hidden" / "*.mp4", tmp_path) == [".hidden/a.mp4"]
    assert names(tmp_path / ".c.mp4", tmp_path) == [".c.mp4"]
    listing = tmp_path / "list.txt"
    listing.write_text(".hidden/a.mp4\n.c.mp4\n")
    assert names(listing, tmp_path) == [".c.mp4", ".hidden/a.mp4"]


def test_crawlers_suffixes_are_videos(tmp_path: Path) -> None:
    made = [f"{n}{suffix}" for n, suffix in enumerate(EXTENSIONS)]
    put(tmp_path, *made, "x.gif", "y.ts.part")
    assert names(tmp_path, tmp_path) == sorted(made)


def test_a_folder_named_like_a_video_is_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "trap.mp4/a.mp4")
    assert names(tmp_path, tmp_path) == ["trap.mp4/a.mp4"]


def test_each_file_comes_with_its_rank_and_size(tmp_path: Path) -> None:
    put(tmp_path, "abc.mp4")
    assert list(list_folder((3, str(tmp_path), str(tmp_path)), None)) == [
        Video(f"{tmp_path}/abc.mp4", 3, 7)
    ]


def test_links_are_followed_and_sized_as_what_they_lead_to(tmp_path: Path) -> None:
    put(tmp_path, "real/abc.mp4")
    put(tmp_path / "videos", "other.mp4")
    (tmp_path / "videos" / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "videos" / "file.mp4").symlink_to(tmp_path / "real" / "abc.mp4")
    assert [(Path(v.path).name, v.size) for v in found(tmp_path / "videos")] == [
        ("file.mp4", 7),
        ("abc.mp4", 7),
        ("other.mp4", 9),
    ]


def test_a_root_that_is_a_link_is_searched(tmp_path: Path) -> None:
    put(tmp_path, "real/abc.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(tmp_path / "link", tmp_path) == ["link/abc.mp4"]


@pytest.mark.parametrize("depth", [0, 2, 4, 6])
def test_links_in_a_circle_come_to_an_end(tmp_path: Path, depth: int) -> None:
    bottom = tmp_path.joinpath(*"abcdef"[:depth])
    put(bottom, "clip.mp4")
    (bottom / "again").symlink_to(tmp_path)
    assert {Path(video.path).name for video in found(tmp_path)} == {"clip.mp4"}
    with on_beam() as pipeline:
        listed = pipeline | beam.Create([(0, str(tmp_path))]) | ListVideos("/elsewhere")
        videos = listed["videos"]
        files = videos | beam.Map(lambda video: Path(video.path).name) | beam.Distinct()
        assert_that(files, equal_to(["clip.mp4"]))


def test_a_link_to_nowhere_is_listed_for_it_may_be_a_clip(tmp_path: Path) -> None:
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert names(tmp_path, tmp_path) == ["gone.mp4"]


def test_the_output_below_a_folder_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "output/videos/val/b.mp4", "output/_state/tmp/c.mp4", "output2/d.mp4")
    assert names(tmp_path, tmp_path, tmp_path / "output") == ["a.mp4", "output2/d.mp4"]


def test_the_output_is_left_out_by_whatever_link_it_is_reached(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "output/videos/val/b.mp4")
    (tmp_path / "link").symlink_to(tmp_path / "output")
    assert names(tmp_path, tmp_path, tmp_path / "output") == ["a.mp4"]


def test_a_folder_that_is_also_the_output_is_searched_but_for_what_was_made(
    tmp_path: Path,
) -> None:
    put(tmp_path, "train/a.mp4", "videos/train/a.mp4", "_state/b.mp4")
    assert names(tmp_path, tmp_path, tmp_path) == ["train/a.mp4"]


# Globs and files


def test_a_glob_matches_files_and_folders(tmp_path: Path) -> None:
    put(tmp_path, "part_1/a.mp4", "part_2/deep/b.mp4", "other/c.mp4", "part_3.mkv", "part_4.txt")
    assert names(tmp_path / "part_*", tmp_path) == [
        "part_1/a.mp4",
        "part_2/deep/b.mp4",
        "part_3.mkv",
    ]


def test_a_glob_leaves_the_output_out(tmp_path: Path) -> None:
    put(tmp_path, "a/a.mp4", "output/videos/val/b.mp4")
    assert names(tmp_path / "*", tmp_path, tmp_path / "output") == ["a/a.mp4"]
    assert names(tmp_path / "**" / "*.mp4", tmp_path, tmp_path / "output") == ["a/a.mp4"]


def test_a_name_with_brackets_is_a_name_where_there_is_such_a_thing(tmp_path: Path) -> None:
    put(tmp_path, "[old] clips/a.mp4", "b [1].mp4")
    assert names(tmp_path / "[old] clips", tmp_path) == ["[old] clips/a.mp4"]
    assert names(tmp_path / "b [1].mp4", tmp_path) == ["b [1].mp4"]


def test_a_single_file_is_itself(tmp_path: Path) -> None:
    put(tmp_path, "-abc.MP4")
    assert found(tmp_path / "-abc.MP4") == [Video(f"{tmp_path}/-abc.MP4", 0, 8)]


# Listings


def test_a_listing_has_a_path_or_url_a_line(tmp_path: Path) -> None:
    listing = tmp_path / "lists" / "my list.txt"
    listing.parent.mkdir()
    listing.write_bytes(
        b"\xef\xbb\xbfnear by.mp4\r\n../up/a.mkv\r\n\r\n  /abs/b.mp4 \n"
        b"gs://bucket/with space/c.mp4\nhttps://example.org/d.webm\nlast.mov"
    )
    assert found(listing) == [
        Video("/abs/b.mp4", 0, None),
        Video(f"{tmp_path}/lists/last.mov", 0, None),
        Video(f"{tmp_path}/lists/near by.mp4", 0, None),
        Video(f"{tmp_path}/up/a.mkv", 0, None),
        Video("gs://bucket/with space/c.mp4", 0, None),
        Video("https://example.org/d.webm", 0, None),
    ]


def test_a_listing_does_not_name_what_the_job_makes(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.mp4\noutput/videos/val/a.mp4\n")
    assert names(tmp_path / "list.txt", tmp_path, tmp_path / "output") == ["a.mp4"]


def test_a_line_feed_alone_ends_a_line_of_a_listing(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a\u2028b.mp4\nc\x0cd.mp4\n")
    assert names(tmp_path / "list.txt", tmp_path) == ["a\u2028b.mp4", "c\x0cd.mp4"]


def test_a_listing_of_any_size_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"https://host/folder/a.mp4\n" * 300_000)  # 8 MB
    tracemalloc.start()
    try:
        videos = resolve_argument(0, str(tmp_path / "list.txt"), "/elsewhere")
        assert sum(1 for _ in itertools.islice(videos, 3000)) == 3000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_line_without_end_in_a_listing_is_named(tmp_path: Path) -> None:
    longest = "v/" * 8000 + "a.mp4"
    (tmp_path / "list.txt").write_text(f"{longest}\n{longest}\n" + "x" * 16_385)
    with pytest.raises(InputError, match=r"list\.txt line 3: has more than 16,384 bytes"):
        found(tmp_path / "list.txt")


def test_a_byte_order_mark_of_a_listing_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("\ufeffa.mp4\nb.mp4".encode())
    assert names(tmp_path / "list.txt", tmp_path) == ["a.mp4", "b.mp4"]


def test_a_listing_of_endless_suffixes_counts_the_first_of_them(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"a.x{number}\n" for number in range(3000)))
    passed = list(resolve_argument(0, str(tmp_path / "list.txt"), "/elsewhere"))
    assert len(passed) == 1001
    assert PassedOver("suffixes", "", 2000) in passed


def test_a_listing_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"list\.txt"):
        found(tmp_path / "list.txt")


# What is not there


@pytest.mark.parametrize("name", ["nowhere", "nowhere.mp4", "list.txt", "*.mp4", "part_[12]"])
def test_what_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        found(tmp_path / name)
    assert f"--videos {tmp_path}/{name}" in str(caught.value)


def test_what_is_neither_video_nor_listing_is_named(tmp_path: Path) -> None:
    put(tmp_path, "notes.md")
    with pytest.raises(InputError, match=r"notes\.md: not a folder"):
        found(tmp_path / "notes.md")


# On Beam


def test_beam_finds_the_same_in_every_depth_and_gives_ranks(tmp_path: Path) -> None:
    put(tmp_path / "one", "a.mp4", "1/b.mp4", "1/2/c.mp4", "1/2/3/d.mp4", "1/2/3/4/e.mp4")
    put(tmp_path / "two", "f.mp4", "notes.md")
    (tmp_path / "list.txt").write_text("g.mp4\n")
    check_on_beam(
        tmp_path / "one", tmp_path / "two" / "f.mp4", tmp_path / "list.txt",
        expected=[
            *found(tmp_path / "one"),
            Video(f"{tmp_path}/two/f.mp4", 1, 5),
            Video(f"{tmp_path}/g.mp4", 2, None),
        ],
    )  # fmt: skip


def test_beam_says_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nowhere") as caught, on_beam() as pipeline:
        _ = pipeline | beam.Create([(0, str(tmp_path / "nowhere"))]) | ListVideos("/elsewhere")
    assert f"--videos {tmp_path}/nowhere" in message_of(caught.value)


def test_names_that_are_not_utf_8_do_not_stop_the_listing(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", os.fsdecode(b"odd-\xff.mp4"), os.fsdecode(b"folder-\xff/b.mp4"))
    with on_beam() as pipeline:
        listed = pipeline | beam.Create([(0, str(tmp_path))]) | ListVideos("/elsewhere")
        videos = listed["videos"]
        endings = videos | beam.Map(lambda video: video.path[-5:])
        assert_that(endings, equal_to(["a.mp4"[-5:], "f.mp4"[-5:], "b.mp4"[-5:]]))


# What is passed over


def passed_over(root: Path) -> list[PassedOver]:
    below = search_folder((0, str(root), str(root)), "/elsewhere")
    return sorted(found for found in below if isinstance(found, PassedOver))


def test_other_files_are_counted_by_suffix(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.GIF", "c.gif", "notes", "d.zip", "deep/e.gif", ".hidden.gif")
    passed = passed_over(tmp_path)
    assert passed == [
        PassedOver("suffixes", "", 1),
        PassedOver("suffixes", ".gif", 1),
        PassedOver("suffixes", ".gif", 2),
        PassedOver("suffixes", ".zip", 1),
    ]
    counted = CountPassedOver()
    added = reduce(counted.add_input, passed, counted.create_accumulator())
    merged = counted.merge_accumulators([added, counted.create_accumulator()])
    assert counted.extract_output(merged)["suffixes"] == {"": 1, ".gif": 3, ".zip": 1}


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path, error: OSError) -> None:
    """Have the file system refuse to list a folder, as it does to a user who is not root."""
    listed = files.list_folder

    def list_or_fail(url: str) -> list[files.Entry]:
        if url == str(folder):
            raise error
        return listed(url)

    monkeypatch.setattr(files, "list_folder", list_or_fail)


def test_a_folder_that_may_not_be_read_is_named_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.mp4", "closed/b.mp4", "open/c.mp4")
    refused = PermissionError(errno.EACCES, "Permission denied")
    forbid(monkeypatch, tmp_path / "closed", refused)
    assert names(tmp_path, tmp_path) == ["a.mp4", "open/c.mp4"]
    (passed,) = passed_over(tmp_path)
    assert passed == PassedOver("folders", f"{tmp_path}/closed (Permission denied)")
    said = CountPassedOver().extract_output(Counter({(passed.kind, passed.name): 1}))
    assert (said["folders"], said["first_folders"]) == (1, [passed.name])


@pytest.mark.parametrize(
    ("folder", "error"),
    [
        ("", PermissionError(errno.EACCES, "Permission denied")),
        ("deep", OSError(errno.EIO, "Input/output error")),
    ],
)
def test_an_argument_must_be_readable_and_a_fault_is_no_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, error: OSError
) -> None:
    put(tmp_path, "deep/a.mp4")
    forbid(monkeypatch, tmp_path / folder, error)
    with pytest.raises(InputError, match=error.strerror):
        names(tmp_path, tmp_path)


def test_a_real_folder_is_visited_once(tmp_path: Path) -> None:
    put(tmp_path, "videos/train/a.mp4", "videos/val/b.mp4", "outside/deep/c.mp4")
    videos = tmp_path / "videos"
    (videos / "again").symlink_to("train")
    (videos / "val" / "up").symlink_to("../train")
    for name in ("one", "two"):
        (videos / name).symlink_to(tmp_path / "outside")
    (tmp_path / "outside" / "deep" / "around").symlink_to(tmp_path / "outside")
    found_names = [Path(name).name for name in names(videos, videos)]
    assert sorted(found_names) == ["a.mp4", "b.mp4", "c.mp4"]


def test_many_links_into_each_other_are_searched_in_no_time(tmp_path: Path) -> None:
    """Each folder has two links to the next one: 2 ** 24 ways lead to the video."""
    put(tmp_path, "store/24/a.mp4")
    for number in range(24):
        folder = tmp_path / "store" / str(number)
        folder.mkdir()
        for name in ("left", "right"):
            (folder / name).symlink_to(tmp_path / "store" / str(number + 1))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "start").symlink_to(tmp_path / "store" / "0")
    assert len(names(tmp_path / "videos", tmp_path)) == 1


def test_a_link_into_a_hidden_folder_is_followed(tmp_path: Path) -> None:
    put(tmp_path, ".store/videos/a.mp4")
    (tmp_path / "train").symlink_to(".store/videos")
    assert names(tmp_path, tmp_path) == ["train/a.mp4"]


# Listings from elsewhere, and addresses in listings


def resolved(
    listing: str, text: str, monkeypatch: pytest.MonkeyPatch, allow_local: bool = False
) -> list[str]:
    """The paths that a listing at an address names."""
    monkeypatch.setattr(files, "open_file", lambda url, limit: io.BytesIO(text.encode()))
    monkeypatch.setattr(files, "info", lambda url: files.Entry(url, False, len(text)))
    named = resolve_argument(0, listing, "/elsewhere", allow_local=allow_local)
    return [entry.path for entry in named if not isinstance(entry, PassedOver)]


@pytest.mark.parametrize("listing", ["https://host/a/list.txt", "gs://host/a/list.txt"])
def test_a_listing_from_elsewhere_names_addresses(
    listing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(
        ("https://other/a.mp4", "gs://bucket/b.mp4", "s3://bucket/c.mp4", "near.mp4", "../d.mp4",
         "../../../../up/e.tar", "")
    )  # fmt: skip
    below = listing.removesuffix("/a/list.txt")
    assert resolved(listing, text, monkeypatch) == [
        "https://other/a.mp4", "gs://bucket/b.mp4", "s3://bucket/c.mp4", f"{below}/a/near.mp4",
        f"{below}/d.mp4", f"{below}/up/e.tar",
    ]  # fmt: skip


@pytest.mark.parametrize("listing", ["https://host/list.txt", "gs://host/a/list.txt"])
@pytest.mark.parametrize("name", ["/etc/a.mp4", "file:///etc/a.mp4", "//other/a.mp4"])
def test_it_names_local_files_only_if_that_is_allowed(
    listing: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as caught:
        resolved(listing, f"good.mp4\n{name}\n", monkeypatch)
    assert f"--videos {listing} line 2: {name!r}" in str(caught.value)
    assert "type --allow_local" in str(caught.value)
    path = os.path.abspath(name.removeprefix("file://"))
    assert resolved(listing, name, monkeypatch, allow_local=True) == [path]


@pytest.mark.parametrize("listing", ["https://host/list.txt", "gs://host/list.txt"])
@pytest.mark.parametrize(
    "name", ["local:///a.mp4", "ftp://host/a.mp4", "memory://a.mp4", "github://o:r@/a.mp4"]
)
@pytest.mark.parametrize("allow_local", [False, True])
def test_no_listing_from_elsewhere_names_other_protocols(
    listing: str, name: str, allow_local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"line 1: .* which a listing cannot name; type a path"):
        resolved(listing, name, monkeypatch, allow_local)


@pytest.mark.parametrize("listing", ["https://host/list.txt", "/a/list.txt"])
@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]"])
def test_no_listing_names_a_metadata_server(
    listing: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"line 2: .* never read; remove the line"):
        resolved(listing, f"https://host/a.mp4\nhttp://{host}/a.mp4", monkeypatch, True)


def test_a_refused_line_is_told_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "https://me:hunter2@host/list.txt?sig=SECRET"
    with pytest.raises(InputError) as caught:
        resolved(listing, "ftp://me:hunter2@host/a.mp4", monkeypatch)
    assert "hunter2" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_addresses_with_a_query_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(
        ("https://h/v.mp4?id=1", "https://h/v.mp4?id=2#top", "https://h/get?file=a", "w.mp4?id=3",
         "https://h/a.tar?sig=x", "https://h/page.html?v=1", "notes.txt", "https://h/a.mp4#top")
    )  # fmt: skip
    listing = "https://me:word@host/list.txt?sig=1"
    assert resolved(listing, text, monkeypatch) == [
        "https://h/v.mp4?id=1", "https://h/v.mp4?id=2", "https://h/get?file=a",
        "https://me:word@host/w.mp4?id=3", "https://h/a.tar?sig=x", "https://h/a.mp4",
    ]  # fmt: skip
    passed = [e for e in resolve_argument(0, listing, "/o") if isinstance(e, PassedOver)]
    assert sorted(passed) == [PassedOver("suffixes", ".html"), PassedOver("suffixes", ".txt")]


def test_a_local_listing_takes_a_question_mark_for_a_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("what?.mp4\n#1.mp4\n")
    assert names(tmp_path / "list.txt", tmp_path) == ["#1.mp4", "what?.mp4"]
