"""What ``verify`` has found in an output, and what to do about it."""

from dataclasses import dataclass, field

from beam_pipeline.commands.prepared import Prepared
from beam_pipeline.commands.verify.check_clips import is_inside
from beam_pipeline.commands.verify.damage import Damage
from beam_pipeline.commands.verify.mend import Mended
from beam_pipeline.output.output_folder import LISTS, WEBDATASET
from beam_pipeline.progress.state import counted

NAMED = 5
"""Files beside the clips that the conclusion names."""


@dataclass
class Verified:
    """What was found in an output.

    ``clips``, ``lists`` and ``shards`` count what was checked, ``bytes`` is the size of the clips.
    ``unlisted`` are files in ``videos/`` that no row names, which is no damage: clips of removed
    annotations stay. ``excluded`` are those of clips whose row says that they are excluded.
    """

    quick: bool
    clips: int = 0
    lists: int = 0
    bytes: int = 0
    shards: int = 0
    damaged: list[Damage] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def damaged_of(self, *kinds: str) -> list[Damage]:
        """The damage of these kinds."""
        return [each for each in self.damaged if each.kind in kinds]


def conclusion(prepared: Prepared, verified: Verified) -> str:
    """What was found, in one line."""
    how = "by name and size" if verified.quick else "decoded"
    root = prepared.output.root
    if not verified.damaged:
        others_checked = counted(verified.lists, "list")
        if verified.shards:
            others_checked += f" and {counted(verified.shards, 'shard')}"
        clips = counted(verified.clips, "clip")
        return f"{root} is whole: {clips} {how}, {others_checked} checked"
    damaged = verified.damaged_of("clip")
    others = verified.damaged_of("list", "manifest", "summary", "shard")
    found = [f"{len(damaged):,} of {counted(verified.clips, 'clip')}"] if damaged else []
    found += sorted({damage.path for damage in others})[:NAMED]
    more = [counted(len(others) - NAMED, "more file")] if len(others) > NAMED else []
    return f"{root} is damaged: {', '.join(found + more)}"


def advice(verified: Verified, mended: Mended | None) -> str:
    """What to do about the damage. A run makes files that are gone again without ``--mend``."""
    there = [damage for damage in verified.damaged if not damage.is_gone]
    clips = [each for each in there if each.kind == "clip" and is_inside(each.path)]
    shards = [each for each in there if each.kind == "shard"]
    again = f"run the original command{_with_formats(verified)}"
    if (clips or shards) and mended is None:
        what = " and ".join(["clips"] * bool(clips) + ["shards"] * bool(shards))
        return f"add --mend to remove the damaged {what}; then {again} again"
    if mended is not None:
        removed = (("clip", clips, mended.to_make), ("shard", shards, mended.to_pack))
        counts = {what: len({each.path for each in of} & {*gone}) for what, of, gone in removed}
        named = [counted(count, f"damaged {what}") for what, count in counts.items() if count]
        if named:
            them = "it" if sum(counts.values()) == 1 else "them"
            return f"removed {' and '.join(named)}; {again} to make {them} again"
    return f"{again} again; it writes these files anew"


def _with_formats(verified: Verified) -> str:
    """The flag that the command needs: the last one may have been without these formats."""
    paths = [each.path.split("/") for each in verified.damaged_of("list", "shard")]
    found = {path[1] for path in paths if path[0] == LISTS}
    found |= {WEBDATASET for path in paths if path[0] == WEBDATASET}
    return f" with --list_format {','.join(sorted(found))}" if found else ""
