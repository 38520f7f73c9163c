"""What a run with ``--shard`` leaves to other parts, and to the run that writes the results.

Loose files are divided by clip, archives by archive, see ``work/order_archives.py``. Parts do not
wait for each other, so a part does not know which clips others find in archives. It makes what has
priority over every archive, and does not look for these clips in archives. What archives have
priority over, the run without ``--shard`` makes.
"""

from collections.abc import Iterable, Iterator, Sequence

from beam_pipeline.config import Config
from beam_pipeline.elements import ResizeTask, Video
from beam_pipeline.progress import metrics


def tasks_of_part(tasks: Iterable[ResizeTask], config: Config) -> Iterator[ResizeTask]:
    """The tasks of this run, which are all without ``--shard``; those of a part are counted."""
    if config.shard is None:
        yield from tasks
        return
    for task in tasks:
        if task.phase == 0 and config.shard.takes(task.path):
            metrics.count_planned()
            yield task


def is_looked_for(sources: Sequence[Video], config: Config, archive_ranks: Sequence[int]) -> bool:
    """Whether this run looks in archives for a clip with these loose files."""
    if config.shard is None or not archive_ranks:
        return True
    return all(video.rank > archive_ranks[0] for video in sources)
