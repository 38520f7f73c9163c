"""One clip: what is done where its child dies, and what its source is called."""

import io
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

from beam_pipeline.codec.outcome import Outcome
from beam_pipeline.codec.request import Request
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.elements import Clip
from beam_pipeline.sources.tar_stream import members
from beam_pipeline.work.budget import Budget
from beam_pipeline.work.make_clip import _run, _segment
from beam_pipeline.work.resize_members import source_of
from tests.packing import packed


class Codecs:
    """Children that die of sound, or of anything."""

    def __init__(self, silent: Outcome, killed: bool = False) -> None:
        self.silent = silent
        self.killed = killed
        self.asked: list[str] = []

    def run(self, request: Request, timeout: float) -> Outcome:
        self.asked.append(request.settings.audio)
        if request.settings.audio == "drop":
            return self.silent
        died = Outcome.failed("crashed", "its process was ended by SIGABRT")
        return replace(died, killed=self.killed)


def run(codecs: Codecs, audio: str = "keep") -> Outcome:
    return _run(Request(b"", None, ClipSettings(audio=audio)), 1.0, codecs)


def test_sound_of_which_the_child_dies_does_not_cost_the_clip() -> None:
    codecs = Codecs(Outcome("resized", detail="1 decode error"))
    outcome = run(codecs)
    assert codecs.asked == ["keep", "drop"]
    assert outcome.status == "resized"
    assert outcome.detail == (
        "sound dropped: with it its process was ended by SIGABRT; 1 decode error"
    )


def test_pictures_of_which_the_child_dies_are_failed_for_that_reason() -> None:
    outcome = run(Codecs(Outcome.failed("timeout", "not done after 1 s")))
    assert (outcome.reason, outcome.detail) == ("crashed", "its process was ended by SIGABRT")


def test_without_sound_nothing_is_tried_twice() -> None:
    codecs = Codecs(Outcome.failed("crashed", "its process was ended by SIGSEGV"))
    assert run(codecs, "drop").reason == "crashed"
    assert codecs.asked == ["drop"]


def test_a_clip_whose_child_was_killed_from_outside_does_not_lose_its_sound() -> None:
    codecs = Codecs(Outcome("resized"), killed=True)
    assert run(codecs).reason == "crashed"
    assert codecs.asked == ["keep"]


def test_a_member_s_name_does_not_depend_on_the_archive_s_address() -> None:
    """A query may hold slashes; a clip named by its own id is never cut out of it."""
    archive = packed({"in/a_000001_000011.mp4": b"x"}, "w")
    member = next(members(io.BufferedReader(io.BytesIO(archive))))
    path = "https://host/a.tar?path=/x/in/a_000001_000011.mp4"
    pool = SimpleNamespace(memory=Budget(1))
    source = source_of(member, path, pool, ExitStack())
    clip = Clip("a_000001_000011", "a", 1, 11)
    assert _segment(clip, source.name) is None
    assert _segment(clip, "a") is not None
