"""What a run is to say, and where."""

from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["auto", "json", "none"]
"""auto: a bar on a terminal, otherwise plain lines. json: a line of JSON every few seconds."""

MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class Reporting:
    """What a run is to say, and where. ``log_file`` is an absolute path of this machine."""

    progress: Mode = "auto"
    log_file: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def shown(self) -> Mode:
        """How the progress is shown on stderr."""
        return "none" if self.quiet else self.progress

    @property
    def is_plain(self) -> bool:
        """Whether messages for people may stand on stderr, besides the one that ends the run."""
        return not self.quiet and self.progress != "json"
