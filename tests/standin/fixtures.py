"""Fixtures of a data set to fetch; a test module names this one in ``pytest_plugins``."""

from collections.abc import Iterator

import pytest

from tests.kinetics import Kinetics
from tests.make_clips import Sound, clip, remuxed
from tests.standin import Media, StandIn
from tests.standin.data_set import PAGES, SIZE, Made


@pytest.fixture(scope="module")
def whole() -> bytes:
    return clip(size=SIZE, frames=12 * 25, sounds=[Sound(seconds=12)])


@pytest.fixture(scope="module")
def kinetics(tmp_path_factory: pytest.TempPathFactory) -> Kinetics:
    made = Kinetics(tmp_path_factory.mktemp("fetched"))
    made.add("aWhole_000000_000002", "train", "zumba")
    made.add("aWhole_000003_000005", "train", "zumba")
    made.add("bApart_000001_000003", "val", "zumba")
    made.add("cPrivate_000001_000011", "train", "air drumming")
    made.add("dRemoved_000001_000011", "val", "air drumming")
    made.add("eShort_000020_000030", "train", "zumba")
    made.add("fBroken_000001_000011", "val", "zumba")
    return made.write()


@pytest.fixture
def site(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    silent = remuxed(whole, options=["-an"])
    heard = remuxed(whole, options=["-vn"])
    media = {
        ("aWhole", "18"): Media(whole), ("eShort", "18"): Media(whole),
        ("bApart", "p"): Media(silent), ("bApart", "s"): Media(heard),
        ("fBroken", "18"): Media(b"<html>" * 99), ("gDown", "18"): Media(whole),
    }  # fmt: skip
    with StandIn(dict(PAGES), media) as serving:
        monkeypatch.setenv("STANDIN", serving.address)
        yield serving


@pytest.fixture
def made(kinetics: Kinetics, site: StandIn) -> Made:
    return Made(kinetics, site)
