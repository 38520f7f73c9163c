"""Check clips against their rows: by name and size, or by their bytes and what decodes of them."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import NamedTuple, TypeVar

from beam_pipeline.codec.outcome import Facts
from beam_pipeline.codec.pool import CodecPool
from beam_pipeline.codec.request import Inspection
from beam_pipeline.commands.verify.damage import GONE, Damage
from beam_pipeline.elements import LISTED
from beam_pipeline.errors import RunError
from beam_pipeline.output.output_folder import VIDEOS, Output
from beam_pipeline.storage import files, urls
from beam_pipeline.work.budget import Budget
from beam_pipeline.work.load_source import MAX_IN_MEMORY
from beam_pipeline.work.worker_pool import READ_AHEAD, memory_for

TIME_TOLERANCE = 0.001
"""Seconds: a source may count in other ticks than the clip."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ClipRow(NamedTuple):
    """The columns of a row that a clip is checked against; those of an older manifest are None."""

    status: str
    path: str | None
    source: str | None
    bytes: int | None
    source_bytes: int | None
    width: int | None
    height: int | None
    frames: int | None
    duration: float | None
    has_audio: bool | None
    sha256: str | None

    @property
    def is_clip(self) -> bool:
        """Whether there is a clip in the output."""
        return self.status in LISTED and self.path is not None

    @property
    def is_source(self) -> bool:
        """Whether the original is listed as it is, where it is."""
        return self.status in LISTED and self.path is None and self.source is not None


def is_inside(path: str) -> bool:
    """Whether the path of a row is one at which a run puts clips."""
    return path.startswith(f"{VIDEOS}/") and ".." not in path.split("/")


def check_name(row: ClipRow, sizes: dict[str, int | None], output: Output) -> Damage | None:
    """Check that a clip is there and has its size. ``sizes`` are those of the files in a listing.

    The files that rows name are taken out of ``sizes``.
    """
    path = row.path or ""
    if not is_inside(path):
        return Damage("clip", path, "its row names a place outside of videos/")
    if path in sizes:
        size = sizes.pop(path)
    else:  # a listing does not follow every link
        try:
            size = files.info(output.url(path)).size
        except FileNotFoundError:
            return Damage("clip", path, GONE, row.source)
        except OSError as error:
            return Damage("clip", path, _cannot_be_read(error), row.source)
    if size != row.bytes:
        problem = f"it has {_count(size)} bytes, not {_count(row.bytes)}"
        return Damage("clip", path, problem, row.source, size=size)
    return None


def check_source(row: ClipRow) -> Damage | None:
    """Check that a listed original is there and has its size. On the web nothing is asked."""
    source = row.source or ""
    if urls.is_on_the_web(source):
        return None
    try:
        size = files.info(source).size
    except FileNotFoundError:
        return Damage("clip", source, GONE)
    except OSError as error:
        return Damage("clip", source, _cannot_be_read(error))
    if row.source_bytes is not None and size != row.source_bytes:
        return Damage("clip", source, f"it has {_count(size)} bytes, not {row.source_bytes:,}")
    return None


def _cannot_be_read(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or error}"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


class ClipChecker:
    """Reads and decodes clips, so many at once. Use it as a context manager."""

    def __init__(self, output: Output, workers: int) -> None:
        self._output = output
        self._at_once = workers + READ_AHEAD
        self._codecs = CodecPool(workers)
        self._memory = Budget(memory_for(workers))
        self._threads = ThreadPoolExecutor(self._at_once)

    def __enter__(self) -> "ClipChecker":
        return self

    def __exit__(self, *_: object) -> None:
        self._codecs.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def check_all(self, rows: Iterable[ClipRow]) -> Iterator[Damage | None]:
        """Check clips that have their name and size; in the order of the rows."""
        return _in_order(self._threads, self.check, rows, self._at_once)

    def check(self, row: ClipRow) -> Damage | None:
        """Check the bytes of a clip, and what decodes of them, against its row.

        Raises:
            RunError: a process that decodes was killed from outside.
        """
        path = row.path or ""
        try:
            with ExitStack() as stack:
                content, sha256 = self._read(path, row.bytes or 0, stack)
                problems, other = [], None
                if row.sha256 is not None and sha256 != row.sha256:
                    other = sha256
                    problems.append(f"its SHA-256 is {sha256[:12]}…, not {row.sha256[:12]}…")
                problems += self._problems_of_decoding(row, content)
        except OSError as error:
            return Damage("clip", path, _cannot_be_read(error), row.source)
        if not problems:
            return None
        return Damage("clip", path, "; ".join(problems), row.source, other)

    def with_sha256(self, damages: Iterable[Damage]) -> Iterator[Damage]:
        """The damage of clips of another size, with the SHA-256 of the bytes that are there."""
        return _in_order(self._threads, self._with_sha256, damages, self._at_once)

    def _with_sha256(self, damage: Damage) -> Damage:
        with suppress(OSError), ExitStack() as stack:
            return damage._replace(sha256=self._read(damage.path, damage.size or 0, stack)[1])
        return damage

    def _read(self, path: str, size: int, stack: ExitStack) -> tuple[bytes | str, str]:
        """The bytes of a clip, or a local path if it is too large for memory, and its SHA-256."""
        url = self._output.url(path)
        if size <= MAX_IN_MEMORY:
            stack.enter_context(self._memory.hold(size))
            data = files.read(url, size + 1)  # more shows in the SHA-256
            return data, hashlib.sha256(data).hexdigest()
        path = stack.enter_context(files.open_file(url)).name
        with open(path, "rb") as file:
            return path, hashlib.file_digest(file, "sha256").hexdigest()

    def _problems_of_decoding(self, row: ClipRow, content: bytes | str) -> list[str]:
        outcome = self._codecs.run(Inspection(content), 60 + 30 * (row.duration or 0))
        if outcome.killed:
            raise RunError(
                "a process that decodes was killed, as by a system that is out of memory; type "
                "fewer --workers"
            )
        if outcome.status == "failed":
            return [f"it does not decode ({outcome.reason}: {outcome.detail})"]
        found = [f"it decodes with damage ({outcome.detail})"] if outcome.detail else []
        return found + list(differences(row, outcome.facts))


def differences(row: ClipRow, seen: Facts) -> Iterator[str]:
    """How what was decoded differs from the row. What the row does not state is not compared."""
    if row.frames is not None and seen.frames != row.frames:
        yield f"{seen.frames} frames, not {row.frames}"
    if row.width is not None and (seen.width, seen.height) != (row.width, row.height):
        yield f"{seen.width}x{seen.height} pixels, not {row.width}x{row.height}"
    if row.has_audio is not None and seen.has_audio != row.has_audio:
        yield "sound, but none in its row" if seen.has_audio else "no sound, but some in its row"
    if row.duration is not None and (seen.duration or 0) > row.duration + TIME_TOLERANCE:
        yield f"its last picture is at {seen.duration:.3f} s of {row.duration:.3f} s"


def _in_order(
    threads: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    at_once: int,
) -> Iterator[Result]:
    """The result of work on each item, in their order, with a few items ahead."""
    ahead: deque[Future[Result]] = deque()
    for item in items:
        ahead.append(threads.submit(work, item))
        if len(ahead) > 4 * at_once:  # so that a slow one holds up none of the others
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()
