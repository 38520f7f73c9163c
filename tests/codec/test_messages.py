"""What a parent and a child tell each other: it comes over as it was, or not at all."""

import errno
import json
import multiprocessing
import socket
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline.codec import child
from beam_pipeline.codec.messages import (
    MAX_HEADER,
    READY,
    Malformed,
    decode_outcome,
    decode_request,
    encode_outcome,
    encode_request,
)
from beam_pipeline.codec.outcome import MAX_DETAIL, Facts, Outcome
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.timestamps import Segment
from tests.codec import outcome_of
from tests.make_clips import clip

FACTS = Facts(
    "h264", 340, 256, 29.97, None, 456, 256, 300, 29.97, 10.01, 0, False, "0" * 64, 12_345, 0.0
)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("resized", facts=FACTS, cpu_seconds=0.25),
        Outcome("copied", None, "a remark", facts=FACTS, cpu_seconds=0.0),
        Outcome.failed("truncated", "1 s of 10 s", FACTS),
        Outcome.failed("not_a_video", "x" * 10_000),
        Outcome.failed(
            "undecodable", "two\nlines\x1b[2J\udcff and \U0001f600" + "\U0001f600" * 600
        ),
    ],
)
def test_an_outcome_comes_over_as_it_was(outcome: Outcome) -> None:
    header = encode_outcome(outcome)
    assert len(header) <= MAX_HEADER
    assert decode_outcome(header) == outcome


def test_an_error_of_the_disk_comes_over() -> None:
    full = Outcome("failed", write_error=OSError(errno.ENOSPC, "No space left on device"))
    error = decode_outcome(encode_outcome(full)).write_error
    assert (error.errno, error.strerror) == (errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("fps", [None, Fraction(30000, 1001)])
@pytest.mark.parametrize("segment", [None, Segment(Fraction(1, 3), Fraction(7))])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_request_comes_over_as_it_was(
    in_memory: bool, fps: Fraction | None, segment: Segment | None, thumbnail: bool
) -> None:
    settings = ClipSettings(short_edge=64, fps=fps, upscale=False)
    header = encode_request(settings, segment, in_memory, thumbnail)
    assert decode_request(header) == (settings, segment, in_memory, thumbnail)


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_clip_to_decode_comes_over_without_settings(in_memory: bool, thumbnail: bool) -> None:
    header = encode_request(None, None, in_memory, thumbnail)
    assert decode_request(header) == (None, None, in_memory, thumbnail)


def test_a_detail_is_one_short_line() -> None:
    outcome = Outcome.failed("undecodable", "a\nb\x1b[2Jc" + "x" * 1000)
    assert outcome.detail.startswith("a b [2Jc")
    assert outcome.detail.endswith("...")
    assert len(outcome.detail) == MAX_DETAIL


WRONG: list[dict[str, Any]] = [
    {"status": "made"}, {"status": None}, {"status": ["failed"]}, {"status": "resized"},
    {"reason": "boredom"}, {"reason": None}, {"reason": 3}, {"reason": {}},
    {"detail": None}, {"detail": ""}, {"detail": 1}, {"detail": "a\nb"}, {"detail": "\x1b[2J"},
    {"detail": "x" * (MAX_DETAIL + 1)},
    {"facts": None}, {"facts": {}}, {"facts": []},
    {"write_error": 28}, {"write_error": [28]}, {"write_error": ["28", "full"]},
    {"write_error": [28, "a\nb"]}, {"write_error": [28, None]}, {"write_error": [True, "full"]},
    {"cpu_seconds": "1"}, {"cpu_seconds": float("nan")}, {"cpu_seconds": 10**400},
    {"cpu_seconds": -1.0},
]  # fmt: skip
WRONG_FACTS: list[dict[str, Any]] = [
    {"frames": -1}, {"frames": 2**63}, {"frames": 1.5}, {"frames": "1"}, {"frames": True},
    {"duration": float("inf")}, {"fps": float("nan")}, {"duration": 1},
    {"source_codec": "x" * 101}, {"source_codec": "h\n264"}, {"source_codec": []},
    {"has_audio": 1}, {"sha256": 0}, {"output": "more"},
]  # fmt: skip


@pytest.mark.parametrize("changed", [*WRONG, *({"facts": facts} for facts in WRONG_FACTS)], ids=str)
def test_a_field_that_is_wrong_is_refused(changed: dict[str, Any]) -> None:
    good = json.loads(encode_outcome(Outcome.failed("truncated", "half", FACTS)))
    good["cpu_seconds"] = 0.5
    decode_outcome(json.dumps(good).encode())
    if changed.get("facts"):
        changed = {"facts": good["facts"] | changed["facts"]}
    with pytest.raises(Malformed):
        decode_outcome(json.dumps(good | changed).encode())


@pytest.mark.parametrize("missing", ["status", "reason", "detail", "facts", "write_error"])
def test_a_field_that_is_missing_is_refused(missing: str) -> None:
    message = json.loads(encode_outcome(Outcome.failed("truncated", "half", FACTS)))
    del message[missing]
    with pytest.raises(Malformed):
        decode_outcome(json.dumps(message).encode())


def test_a_child_answers_until_its_pipe_closes(tmp_path: Path) -> None:
    """Its loop in this process, on bytes and on files."""
    source = clip(frames=3)
    (tmp_path / "source").write_bytes(source)
    (tmp_path / "target").touch()
    ours, theirs = multiprocessing.Pipe()
    settings = ClipSettings(short_edge=64)
    ours.send_bytes(encode_request(settings, None, True))
    ours.send_bytes(source)
    ours.send_bytes(encode_request(settings, None, False))
    beside = socket.fromfd(theirs.fileno(), socket.AF_UNIX, socket.SOCK_STREAM)
    with (
        (tmp_path / "source").open("rb") as read,
        (tmp_path / "target").open("rb+") as written,
        socket.fromfd(ours.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as sender,
    ):
        socket.send_fds(sender, [b"\0"], [read.fileno(), written.fileno()])
        sender.shutdown(socket.SHUT_WR)
    with pytest.raises(EOFError):
        child.answer_requests(theirs, beside, 2**30)
    expected = outcome_of(source, short_edge=64)
    assert decode_outcome(ours.recv_bytes()).facts == expected.facts
    assert ours.recv_bytes() == expected.output
    assert decode_outcome(ours.recv_bytes()).facts == expected.facts
    assert (tmp_path / "target").read_bytes() == expected.output
    for end in (ours, theirs, beside):
        end.close()


def test_a_child_says_when_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, which must keep its rights and its terminal."""
    given_up: list[tuple[int, int]] = []
    monkeypatch.setattr(child, "confine", lambda pipe, *limits: given_up.append(limits))
    monkeypatch.setattr(child, "_silence_output", lambda: None)
    monkeypatch.setattr(child, "_lower_priority", lambda: None)
    ours, theirs = multiprocessing.Pipe()
    with socket.fromfd(ours.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as sender:
        sender.shutdown(socket.SHUT_WR)
    child.serve(theirs, 1, 2)
    assert given_up == [(1, 2)]
    assert ours.recv_bytes() == READY
    for end in (ours, theirs):
        end.close()
