"""What is wrong in what a reader says of a clip."""

import math
from dataclasses import dataclass

from tests.readers.outputs import Made
from tests.readers.read import Reading

STEP = 1.0
"""Mean distance of two pictures' samples, of 255, up to which they are the same picture.

All readers gave PyAV's very pictures; another FFmpeg may round the colours otherwise. Neighbours
of moving pictures are 2 and more apart."""

CLOCK = 0.002
"""Seconds. A track's length in MP4 counts milliseconds, and so do the clocks of Matroska."""

TIME = 0.001
"""Seconds between the time that a reader gives to a frame, some in 32 bits, and the frame's."""


@dataclass(frozen=True)
class Faults:
    """How a reading differs from the manifest and from the frames of the file.

    ``times`` are the indices of the frames for which another is shown, or none; ``pictures`` those
    whose picture alone is wrong or lacks.
    """

    frames: bool
    fps: bool
    duration: bool
    times: tuple[int, ...]
    pictures: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.frames or self.fps or self.duration or self.times or self.pictures)

    @property
    def wrong_frames(self) -> int:
        """How many frames are not shown where the file has them."""
        return len(self.times) + len(self.pictures)

    def __str__(self) -> str:
        """For a table: the number of frames that are wrong, and what else is."""
        kinds = [kind for kind in ("frames", "fps", "duration") if getattr(self, kind)]
        return ", ".join([str(self.wrong_frames), *kinds])


def faults(made: Made, said: Reading) -> Faults:
    """What is wrong in a reading."""
    times = wrong_times(made, said)
    distances = dict(zip(said["asked"], said["distances"], strict=False))
    pictures = {i for i in said["asked"] if distances.get(i, math.inf) > STEP}
    return Faults(
        frames=said["frames"] != made.row["frames"] or said["frames"] != len(made.times),
        fps=is_wrong_rate(made, said),
        duration=is_wrong_duration(made, said),
        times=times,
        pictures=tuple(sorted(pictures - set(times))),
    )


def wrong_times(made: Made, said: Reading) -> tuple[int, ...]:
    """The indices of the frames that are not shown where the file has them."""
    if said["times"] is None:
        return ()
    times = dict(zip(said["asked"], said["times"], strict=False))
    return tuple(
        i for i in said["asked"]
        if times.get(i) is None or abs(times[i] - made.times[i]) > TIME
    )  # fmt: skip


def is_wrong_duration(made: Made, said: Reading) -> bool:
    duration = said["duration"]
    return duration is not None and abs(duration - made.row["duration"]) > last_frame(made)


def is_wrong_rate(made: Made, said: Reading) -> bool:
    """Whether the rate is another than the manifest's: frames divided by duration."""
    if said["fps"] is None:
        return False
    shortest = made.row["duration"] - last_frame(made)
    longest = made.row["duration"] + last_frame(made)
    return not made.row["frames"] / longest <= said["fps"] <= made.row["frames"] / shortest


def last_frame(made: Made) -> float:
    """By how many seconds the length of a clip may be another.

    At variable frame times readers guess how long the last frame is shown, each from what it
    knows: half an average frame is within that.
    """
    return CLOCK if made.is_constant else max(CLOCK, made.row["duration"] / made.row["frames"] / 2)
