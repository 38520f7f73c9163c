"""What ``verify`` has found in an output, and what to do about it."""

from dataclasses import dataclass, field

from beam_pipeline.commands.prepared import Prepared
from beam_pipeline.commands.verify.check_clips import is_inside
from beam_pipeline.commands.verify.damage import Damage
from beam_pipeline.commands.verify.mend import Mended
from beam_pipeline.output.output_folder import LISTS, WEBDATASET

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
    checked = f"{verified.clips:,} clips {'by name and size' if verified.quick else 'decoded'}"
    root = prepared.output.root
    if not verified.damaged:
        others_checked = f"{verified.lists:,} lists"
        if verified.shards:
            others_checked += f" and {verified.shards:,} shards"
        return f"{root} is whole: {checked}, {others_checked} checked"
    clips = verified.damaged_of("clip")
    others = verified.damaged_of("list", "manifest", "summary", "shard")
    found = [f"{len(clips):,} of {verified.clips:,} clips"] if clips else []
    found += sorted({damage.path for damage in others})[:NAMED]
    more = [f"{len(others) - NAMED:,} more files"] if len(others) > NAMED else []
    return f"{root} is damaged: {', '.join(found + more)}"


def advice(verified: Verified, mended: Mended | None) -> str:
    """What to do about the damage."""
    clips = [damage for damage in verified.damaged_of("clip") if is_inside(damage.path)]
    shards = verified.damaged_of("shard")
    if (clips or shards) and mended is None:
        what = " and ".join(["clips"] * bool(clips) + ["shards"] * bool(shards))
        return (
            f"type the same with --mend to remove the damaged {what}; then the command that made "
            f"the output{_with_formats(verified)} makes them again"
        )
    if mended and (mended.to_make or mended.to_pack):
        removed = (("clip", mended.to_make), ("shard", mended.to_pack))
        counts = [f"{len(of):,} {what}{'s' * (len(of) > 1)}" for what, of in removed if of]
        again = f"run the command that made the output again{_with_formats(verified)}"
        return f"{again} to make {' and '.join(counts)}"
    return (
        f"run the command that made the output again{_with_formats(verified)}; it writes these "
        "files anew"
    )


def _with_formats(verified: Verified) -> str:
    """The flag that the command needs: the last one may have been without these formats."""
    paths = [each.path.split("/") for each in verified.damaged_of("list", "shard")]
    found = {path[1] for path in paths if path[0] == LISTS}
    found |= {WEBDATASET for path in paths if path[0] == WEBDATASET}
    return f" with --list_format {','.join(sorted(found))}" if found else ""
