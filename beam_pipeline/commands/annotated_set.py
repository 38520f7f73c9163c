"""A set of annotated clips in memory, from annotation files or from a finished output."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from beam_pipeline.annotations.read_files import find_files, read_file
from beam_pipeline.commands.prepared import Prepared, find_prepared, rows_of
from beam_pipeline.elements import LISTED, SPLITS, Split
from beam_pipeline.errors import UsageError
from beam_pipeline.flags.addresses import check_protocol, configure_storage
from beam_pipeline.output.output_folder import MANIFESTS, Output
from beam_pipeline.privacy import public_address
from beam_pipeline.storage import files, urls

NO_LABEL = "(no label)"
"""Stands for the class of clips without a label."""

Statement = tuple[str, Split, str | None]
"""clip_id, split and label of a clip."""


@dataclass
class AnnotatedSet:
    """Annotated clips: a million of them take about 200 MB.

    ``names`` say where they are from. ``clips`` has for each clip_id one number, for its split and
    label, see ``split_and_label``. A clip that is stated again keeps the split stated first; two
    labels are none, and counted as ``contradictory``.
    """

    names: list[str]
    clips: dict[str, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    contradictory: int = 0

    def __post_init__(self) -> None:
        self._numbers: dict[str | None, int] = {None: 0}
        self._contradictory: set[str] = set()

    def add(self, clip_id: str, split: Split, label: str | None) -> None:
        """Add a statement."""
        number = self._numbers.get(label)
        if number is None and label is not None:
            self.labels.append(label)
            number = self._numbers[label] = len(self.labels)
        code = (number or 0) * len(SPLITS) + SPLITS.index(split)
        known = self.clips.setdefault(clip_id, code)
        if known == code or label is None or clip_id in self._contradictory:
            return
        first, known_label = self.split_and_label(known)
        if known_label is None:
            self.clips[clip_id] = (number or 0) * len(SPLITS) + SPLITS.index(first)
        elif known_label != label:
            self.clips[clip_id] = SPLITS.index(first)
            self._contradictory.add(clip_id)
            self.contradictory += 1

    def split_and_label(self, code: int) -> tuple[Split, str | None]:
        """What a number in ``clips`` stands for."""
        number, split = divmod(code, len(SPLITS))
        return SPLITS[split], self.labels[number - 1] if number else None

    @staticmethod
    def youtube_id(clip_id: str) -> str:
        """The video of a clip."""
        return clip_id.rsplit("_", 2)[0]

    def splits_by_video(self) -> dict[str, int]:
        """The splits of each video's clips: bit ``n`` stands for the n-th of ``SPLITS``."""
        masks: dict[str, int] = {}
        for clip_id, code in self.clips.items():
            video = self.youtube_id(clip_id)
            masks[video] = masks.get(video, 0) | 1 << code % len(SPLITS)
        return masks

    def clips_by_split(self) -> Counter[Split]:
        """The number of clips in each split."""
        return Counter(SPLITS[code % len(SPLITS)] for code in self.clips.values())


def read_set(name: str, addresses: Sequence[str], storage_options: str | None) -> AnnotatedSet:
    """Read annotation files, or the listed clips of finished outputs.

    ``name`` is what messages call the set.

    Raises:
        UsageError: nothing can open an address, or an output is not finished.
        InputError: there is no such file, or it cannot be read as annotations.
        OutputError: an output cannot be read.
    """
    configure_storage(storage_options)
    found = AnnotatedSet([])
    for rank, address in enumerate(addresses):
        if not address:
            raise UsageError(f"{name} is empty; type annotation files, or the --output of a run")
        root = urls.absolute(address)
        check_protocol(name, root)
        found.names.append(public_address(root))
        for clip_id, split, label in _statements(name, rank, Output(root, run="")):
            found.add(clip_id, split, label)
    return found


def _statements(name: str, rank: int, output: Output) -> Iterable[Statement]:
    if _is_output(output):
        return _listed(find_prepared(output))
    return _annotated(name, rank, output.root)


def _is_output(output: Output) -> bool:
    """Whether a run has written into a folder."""
    try:
        if urls.is_on_the_web(output.root) or not files.info(output.root).is_folder:
            return False
    except OSError:  # a glob, or reading it as annotations says what is wrong
        return False
    return bool(output.urls_in(MANIFESTS))


def _listed(prepared: Prepared) -> Iterator[Statement]:
    if prepared.summary is None:
        raise UsageError(
            f"{prepared.output.root} is not finished; run the command that began it again"
        )
    if not {*prepared.splits} <= {*SPLITS}:
        raise UsageError(
            f"{prepared.output.root} was made without annotations, so its clips have no YouTube "
            "ids; type another output, or annotation files"
        )
    for split in prepared.splits:
        for clip_id, label, status in rows_of(prepared, split, ("clip_id", "label", "status")):
            if status in LISTED:
                yield clip_id, split, label


def _annotated(name: str, rank: int, address: str) -> Iterator[Statement]:
    for _, path in find_files(rank, address, flag=name):
        for annotation in read_file(rank, path):
            assert annotation.split is not None  # a file without splits is refused
            yield annotation.clip_id, annotation.split, annotation.label
