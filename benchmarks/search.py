"""Search x264's parameters for those that take the least processor time at the same likeness.

    python benchmarks/search.py --clips FOLDER [--unseen FOLDER] [--minutes 60] [--frames 150]
        [--candidates FILE] [--write docs/encoding.md]

Every clip is decoded and scaled once, as the program does it; the encoder alone is timed. A
candidate is a set of words for x264. It is encoded at two values of CRF, and between them the
CRF is taken at which the worst clip is ``WORST`` less like its source than what mmaction2's
command makes of it. All figures of a row are those at this CRF.

The search starts at the words of ``BEGIN``. It tries every change of one word, takes the one that
costs least within the rule, and goes on from there until the time is up or nothing is better.
``--candidates`` tries the words in a file instead, one candidate a line, at its ``crf`` if there is
one. With ``--unseen``, what is not beaten is measured once more on clips that the search has not
seen.
"""

import argparse
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import imageio_ffmpeg
from av.video.frame import VideoFrame
from contenders import SCALE
from dataset import videos_in
from markdown import replace_section, table
from quality import REFERENCE_SCALER, mean_window_seconds, picture_bytes

from beam_pipeline.codec.copy_pictures import is_resized_already
from beam_pipeline.codec.geometry import output_shape
from beam_pipeline.codec.outcome import BadClip
from beam_pipeline.codec.scale_pictures import PictureScaler, orientation_of
from beam_pipeline.codec.settings import ClipSettings
from beam_pipeline.codec.source import Source, open_source

WORST = -0.95
"""How much less like its source the worst clip may be than mmaction2's, in 1/1000 of SSIM. The rule
allows 1.00; the rest is for clips that are not here."""

MAX_BYTES = 1.04
"""Bytes of all clips, divided by those that ``BASE`` makes."""

READS = 0.98
"""Reads a second, divided by those of ``BASE``; 1, less what two measurements of one differ by."""

Words = dict[str, str]
"""Options of the encoder: ``preset``, ``tune``, ``coder`` and ``g`` are FFmpeg's, others x264's."""

FFMPEGS = ("preset", "tune", "coder", "g")

BASE: Words = {"preset": "veryfast", "tune": "psnr", "coder": "cavlc", "g": "32"}
"""The defaults of the first release. Times and reads are compared with theirs, at CRF 22."""
BASE_CRF = 22.0

BEGIN: Words = {
    "preset": "superfast", "tune": "psnr", "coder": "cavlc", "g": "32", "bframes": "1",
    "b-adapt": "0", "rc-lookahead": "10", "mbtree": "1", "aq-mode": "1", "aq-strength": "0.5",
}  # fmt: skip

SPACE: dict[str, tuple[str, ...]] = {
    "bframes": ("0", "1", "2", "3"),
    "b-adapt": ("0", "1"),
    "rc-lookahead": ("4", "7", "10", "15", "20"),
    "mbtree": ("0", "1"),
    "aq-mode": ("0", "1", "2"),
    "aq-strength": ("0.3", "0.4", "0.5", "0.6", "0.8"),
    "qcomp": ("0.5", "0.6", "0.7", "0.8"),
    "partitions": ("none", "i4x4", "i8x8,i4x4", "p8x8,i8x8,i4x4"),
    "8x8dct": ("0", "1"),
    "subme": ("0", "1", "2"),
    "me": ("dia", "hex"),
    "merange": ("4", "8", "16"),
    "ref": ("1", "2"),
    "weightp": ("0", "1"),
    "weightb": ("0", "1"),
    "direct": ("none", "spatial", "temporal"),
    "deblock": ("-1,-1", "0,0", "1,1"),
    "no-deblock": ("0", "1"),
    "scenecut": ("0", "40"),
    "chroma-qp-offset": ("-3", "-2", "0", "2"),
    "ipratio": ("1.2", "1.4", "1.6"),
    "pbratio": ("1.1", "1.3", "1.5"),
    "no-chroma-me": ("0", "1"),
    "no-fast-pskip": ("0", "1"),
    "no-dct-decimate": ("0", "1"),
    "deadzone-inter": ("11", "16", "21", "26"),
    "deadzone-intra": ("6", "11", "16"),
    "trellis": ("0", "1"),
    "g": ("28", "32", "36", "40", "48"),
}

CRFS = (20.0, 23.0)
"""Between these the CRF of a candidate is taken; a line fits SSIM and the logarithm of bytes."""


@dataclass(frozen=True)
class Measured:
    """One encoding: seconds of the encoder, bytes of pictures, SSIM, seconds to read a window."""

    seconds: float
    bytes: float
    ssim: float
    read: float

    def between(self, other: "Measured", part: float) -> "Measured":
        """What lies between two encodings; bytes grow with the power of CRF."""

        def at(mine: float, its: float) -> float:
            return mine + (its - mine) * part

        size = self.bytes * (other.bytes / self.bytes) ** part
        return Measured(
            at(self.seconds, other.seconds), size, at(self.ssim, other.ssim),
            at(self.read, other.read),
        )  # fmt: skip


@dataclass
class Clip:
    """The scaled pictures of a clip with their times, and what other ways make of it."""

    name: str
    pictures: list[VideoFrame]
    rate: Fraction
    reference: Path
    mmaction2: Measured
    base: Measured = field(init=False)


@dataclass(frozen=True)
class Row:
    """A candidate and what was measured.

    Time and bytes are divided by those of ``BASE``. ``worst`` and ``mean`` are SSIM less that of
    mmaction2's clips, in 1/1000; ``reads`` is how many times as fast as theirs.
    """

    words: tuple[tuple[str, str], ...]
    crf: float
    time: float
    spread: tuple[float, float]
    bytes: float
    bytes_to_mmaction2: float
    worst: float
    worst_clip: str
    mean: float
    reads: float
    reads_of_base: float

    @property
    def within_rule(self) -> bool:
        """Whether it may be chosen."""
        return self.bytes <= MAX_BYTES and self.reads >= READS * self.reads_of_base

    @property
    def cost(self) -> float:
        """Its time, made longer the more it breaks the rule: so the search finds its way in."""
        too_large = max(0.0, self.bytes / MAX_BYTES - 1)
        too_slow = max(0.0, READS * self.reads_of_base / self.reads - 1)
        return self.time * (1 + 4 * (too_large + too_slow))

    def is_beaten_by(self, other: "Row") -> bool:
        """Whether another is nowhere worse and somewhere better."""
        mine = (self.time, self.bytes, -self.reads)
        its = (other.time, other.bytes, -other.reads)
        return mine != its and all(a >= b for a, b in zip(mine, its, strict=True))


def scaled_pictures(path: Path, most: int) -> tuple[list[VideoFrame], Fraction]:
    """At most so many pictures of a clip, scaled and timed as the program does it; and its rate.

    Raises:
        BadClip: there is no whole clip, or the program would copy it.
    """
    pictures: list[VideoFrame] = []
    with path.open("rb") as file, open_source(file) as source:
        if is_resized_already(source, ClipSettings()):
            raise BadClip("undecodable", "it would be copied")
        clock, scaler = source.clock(None), None
        for packet in source.packets(with_sound=False):
            for frame in source.frames(packet):
                timing = clock.next(frame.pts, frame.dts, frame.duration)
                if timing is None or len(pictures) == most:
                    continue
                if scaler is None:
                    scaler = _scaler_for(frame, source)
                picture = scaler.scale(frame)
                picture.time_base = clock.output_tick
                picture.pts, picture.duration = timing
                picture.pict_type = 0
                pictures.append(picture)
        if source.decode_errors:
            raise BadClip("undecodable", "damaged")
        return pictures, source.rate


def _scaler_for(frame: VideoFrame, source: Source) -> PictureScaler:
    orientation = orientation_of(frame)
    ratio, turn = source.video.sample_aspect_ratio, orientation.quarter_turn
    shape = output_shape(frame.width, frame.height, ratio, turn, ClipSettings())
    return PictureScaler(shape.width, shape.height, orientation, source.crop)


def load(path: Path, most: int, work: Path, ffmpeg: str) -> Clip | None:
    """A clip with at most so many pictures; None if it is damaged, would be copied, or is short."""
    try:
        pictures, rate = scaled_pictures(path, most)
    except BadClip:
        return None
    if len(pictures) < 2 * int(BASE["g"]) and len(pictures) < most:
        return None
    width, height = pictures[0].width, pictures[0].height
    reference, theirs = work / f"{path.name}.y4m", work / f"{path.name}.mp4"
    exact = f"scale={width}:{height}:flags={REFERENCE_SCALER}:out_range=limited,format=yuv420p"
    for filters, codec, result in (
        (exact, (), reference), (SCALE, ("-c:v", "libx264"), theirs),
    ):  # fmt: skip
        _run(
            ffmpeg, "-i", str(path), "-an", "-frames:v", str(len(pictures)), "-vf", filters,
            *codec, "-pix_fmt", "yuv420p", str(result),
        )  # fmt: skip
    likeness = ssim(reference, theirs, len(pictures))
    if likeness is None:
        return None
    mmaction2 = Measured(0, picture_bytes(theirs), likeness, mean_window_seconds([theirs])[0])
    clip = Clip(path.name, pictures, rate, reference, mmaction2)
    clip.base = measure(clip, BASE, BASE_CRF, work)
    return clip


def _run(ffmpeg: str, *arguments: str) -> None:
    subprocess.run([ffmpeg, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def ssim(reference: Path, result: Path, count: int) -> float | None:
    """Mean SSIM over all planes of every picture, paired by index; None if numbers differ."""
    graph = av.filter.Graph()
    with (
        tempfile.NamedTemporaryFile("r") as stats,
        av.open(str(reference)) as expected,
        av.open(str(result)) as made,
    ):
        streams = [expected.streams.video[0], made.streams.video[0]]
        buffers = [graph.add_buffer(template=each, time_base=Fraction(1)) for each in streams]
        compare = graph.add("ssim", f"stats_file={stats.name}")
        sink = graph.add("buffersink")
        for number, buffer in enumerate(buffers):
            buffer.link_to(compare, 0, number)
        compare.link_to(sink)
        graph.configure()
        for number, pair in enumerate(zip(expected.decode(video=0), made.decode(video=0))):  # noqa: B905
            for frame, buffer in zip(pair, buffers, strict=True):
                frame.pts, frame.time_base = number, Fraction(1)
                buffer.push(frame)
            sink.pull()
        del graph, compare, sink, buffers
        found = [float(each) for each in re.findall(r"All:([0-9.]+)", stats.read())]
    return statistics.mean(found) if len(found) == count else None


def encode(clip: Clip, words: Words, crf: float, result: Path) -> float:
    """Encode the pictures of a clip into an MP4 file; processor seconds of the encoder."""
    options = {word: value for word, value in words.items() if word in FFMPEGS}
    x264 = {word: value for word, value in words.items() if word not in FFMPEGS}
    options["x264-params"] = ":".join(
        f"{word}={value}" for word, value in {"cpu-independent": "1", **x264}.items()
    )
    with av.open(str(result), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=clip.rate, options={**options, "crf": f"{crf:g}", "profile": "high"}
        )
        first = clip.pictures[0]
        context = stream.codec_context
        context.width, context.height = first.width, first.height
        context.pix_fmt, context.thread_count = "yuv420p", 1
        context.time_base = first.time_base
        packets, began = [], time.process_time()
        for picture in clip.pictures:
            packets += stream.encode(picture)
        packets += stream.encode(None)
        seconds = time.process_time() - began
        container.mux(packets)
    return seconds


def measure(clip: Clip, words: Words, crf: float, work: Path) -> Measured:
    """Encode a clip, and measure the result."""
    result = work / "result.mp4"
    seconds = encode(clip, words, crf, result)
    likeness = ssim(clip.reference, result, len(clip.pictures))
    assert likeness is not None, clip.name
    return Measured(seconds, picture_bytes(result), likeness, mean_window_seconds([result], 4)[0])


def row_of(clips: Sequence[Clip], words: Words, work: Path, crf: float | None = None) -> Row:
    """Measure a candidate on all clips, at the CRF where the worst is just like enough.

    With ``crf`` it is measured there. The base is encoded beside it, for the time.
    """
    low, high, base = [], [], []
    for clip in clips:
        low.append(measure(clip, words, CRFS[0] if crf is None else crf, work))
        if crf is None:
            high.append(measure(clip, words, CRFS[1], work))
        base.append(encode(clip, BASE, BASE_CRF, work / "base.mp4"))
    made = low
    if crf is None:
        part = _part_where_alike(clips, low, high)
        made = [a.between(b, part) for a, b in zip(low, high, strict=True)]
        crf = CRFS[0] + part * (CRFS[1] - CRFS[0])
    less = {
        clip.name: 1000 * (each.ssim - clip.mmaction2.ssim)
        for each, clip in zip(made, clips, strict=True)
    }
    worst = min(less, key=less.__getitem__)
    reads = sum(clip.mmaction2.read for clip in clips)
    return Row(
        tuple(words.items()),
        crf,
        sum(each.seconds for each in made) / sum(base),
        _spread([each.seconds for each in made], base),
        sum(each.bytes for each in made) / sum(clip.base.bytes for clip in clips),
        sum(each.bytes for each in made) / sum(clip.mmaction2.bytes for clip in clips),
        less[worst],
        worst,
        statistics.mean(less.values()),
        reads / sum(each.read for each in made),
        reads / sum(clip.base.read for clip in clips),
    )


def _part_where_alike(
    clips: Sequence[Clip], low: Sequence[Measured], high: Sequence[Measured]
) -> float:
    """Where between two CRFs the worst clip is just like enough; may lie outside."""
    parts = []
    for clip, a, b in zip(clips, low, high, strict=True):
        allowed = clip.mmaction2.ssim + WORST / 1000
        parts.append((allowed - a.ssim) / min(b.ssim - a.ssim, -1e-6))
    return max(-1.0, min([*parts, 2.0]))


def _spread(mine: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Between which ratios of sums 90 of 100 samples of the clips lie."""
    pairs, generator = list(zip(mine, theirs, strict=True)), random.Random(0)
    ratios = []
    for _ in range(500):
        sample = generator.choices(pairs, k=len(pairs))
        ratios.append(sum(a for a, _ in sample) / sum(b for _, b in sample))
    cuts = statistics.quantiles(ratios, n=20)
    return cuts[0], cuts[-1]


def neighbours(words: Words) -> Iterator[Words]:
    """Candidates that differ from this one in one word."""
    for word, values in SPACE.items():
        for value in values:
            if words.get(word) != value:
                yield {**words, word: value}


def search(clips: Sequence[Clip], work: Path, minutes: float) -> list[Row]:
    """All candidates that were measured, from ``BEGIN`` to where no change of a word is better."""
    until = time.monotonic() + 60 * minutes
    rows: dict[tuple[tuple[str, str], ...], Row] = {}

    def tried(words: Words) -> Row:
        key = tuple(sorted(words.items()))
        if key not in rows:
            rows[key] = row_of(clips, words, work)
            show(rows[key])
        return rows[key]

    best = tried(BEGIN)
    while time.monotonic() < until:
        changes = list(neighbours(dict(best.words)))
        random.Random(0).shuffle(changes)
        begun = best
        for words in changes:
            row = tried(words)
            if row.cost < 0.99 * best.cost:
                best = row  # and go on with its neighbours
                print("better:", flush=True)
                break
            if time.monotonic() > until:
                break
        if best is begun:
            break
    return list(rows.values())


def show(row: Row) -> None:
    """Print a row at once."""
    print(" | ".join(cells(row)), flush=True)


HEADINGS = (
    "FFmpeg's and x264's words", "CRF", "encoder's time", "sure to be", "bytes (to mmaction2's)",
    "SSIM in 1/1000, worst clip", "mean", "reads (the base's)",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """A row of the table; the words that differ from those of ``BASE``."""
    words = " ".join(f"{word}={value}" for word, value in row.words if BASE.get(word) != value)
    return [
        f"{'' if row.within_rule else '(not within the rule) '}`{words}`",
        f"{row.crf:.1f}",
        f"{row.time:.3f}",
        f"{row.spread[0]:.2f} to {row.spread[1]:.2f}",
        f"{row.bytes:.3f} ({row.bytes_to_mmaction2:.2f})",
        f"{row.worst:+.2f} ({row.worst_clip})",
        f"{row.mean:+.2f}",
        f"{row.reads:.2f} ({row.reads_of_base:.2f})",
    ]


def front(rows: Iterable[Row]) -> list[Row]:
    """The rows that no other beats in time, bytes and reads at once, by time."""
    rows = list(rows)
    unbeaten = [row for row in rows if not any(row.is_beaten_by(other) for other in rows)]
    return sorted(unbeaten, key=lambda row: row.time)


def load_all(folder: Path, most: int, work: Path, ffmpeg: str) -> list[Clip]:
    """The clips of a folder that can be compared."""
    work.mkdir()
    paths = videos_in(folder)
    loaded = [load(path, most, work, ffmpeg) for path in paths]
    clips = [clip for clip in loaded if clip is not None]
    print(f"{len(clips)} of {len(paths)} clips:", *(clip.name for clip in clips), flush=True)
    return clips


def main() -> None:
    """Search, and print the table; with ``--write``, put it into a document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--unseen", type=Path, help="a folder of other videos, for the front")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--frames", type=int, default=150, help="of each clip, at most")
    parser.add_argument("--candidates", type=Path, help="a file of lines like: bframes=1 ref=2")
    parser.add_argument("--write", type=Path, help="a document that contains <!-- search -->")
    args = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        clips = load_all(args.clips, args.frames, work / "clips", ffmpeg)
        if args.candidates:
            lines = args.candidates.read_text().splitlines()
            listed = [dict(word.split("=", 1) for word in line.split()) for line in lines if line]
            rows = []
            for words in listed:
                crf = words.pop("crf", None)
                rows.append(row_of(clips, {**BASE, **words}, work, crf and float(crf)))
                show(rows[-1])
        else:
            rows = search(clips, work, args.minutes)
        text = f"\n{table(HEADINGS, [cells(row) for row in front(rows)])}\n"
        if args.unseen:
            unseen = load_all(args.unseen, args.frames, work / "unseen", ffmpeg)
            again = [row_of(unseen, dict(row.words), work, row.crf) for row in front(rows)]
            text += "\nOn clips that were not searched on:\n\n"
            text += f"{table(HEADINGS, [cells(row) for row in again])}\n"
    print(text)
    if args.write:
        replace_section(args.write, "search", text)


if __name__ == "__main__":
    main()
