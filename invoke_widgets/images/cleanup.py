"""Clean up what failed and canceled jobs left behind.

An image is deleted only if one of these jobs made it and no other job needs it. Its session shows who made it: uploads
have none, and an image from the server's cache has another item's. A job needs it if it is still in the queue and names
it, as one does that got it from the cache, such as the next attempt at the same job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from invoke_widgets.errors.text import many
from invoke_widgets.images.image import Image, Images, pictures
from invoke_widgets.jobs import Context, Job, Jobs, jobs_of, let_go_of
from invoke_widgets.outputs import all_image_names
from invoke_widgets.records import CANCELED, FAILED, PENDING, QueueItem
from invoke_widgets.sync import whole_items

_READ_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What a clean-up found.

    Attributes:
        images: what is deleted or moved; with `dry_run`, what would be. Intermediate images are among them.
        kept: what is left alone, each with the reason.
        unfinished: the ids of jobs that have not ended, whose images were not looked at.
        target: the board's name, or "delete".
        dry_run: whether nothing was done.
    """

    images: Images
    kept: tuple[tuple[Image, str], ...]
    unfinished: tuple[int, ...]
    target: str
    dry_run: bool

    def __repr__(self) -> str:
        jobs = len({image.item_id for image in self.images})
        done = {
            (True, True): "Would delete",
            (True, False): "Deleted",
            (False, True): "Would move",
            (False, False): "Moved",
        }[self.target == "delete", self.dry_run]
        where = "" if self.target == "delete" else f" to the board {self.target!r}"
        lines = [f"{done} {many(len(self.images), 'image')} of {many(jobs, 'job')}{where}."]
        if self.kept:
            reasons = dict.fromkeys(reason for _, reason in self.kept)
            counts = (f"{sum(r == reason for _, r in self.kept)} {reason}" for reason in reasons)
            lines.append(f"Kept: {', '.join(counts)}.")
        if self.unfinished:
            lines.append(f"{many(len(self.unfinished), 'job')} had not ended, and was not looked at.")
        if self.dry_run and self.images:
            lines.append("Nothing was done: dry_run=False does it.")
        return "\n".join(lines)


async def left_behind(
    context: Context, handles: Iterable[Job | Jobs]
) -> tuple[Images, list[tuple[Image, str]], list[int]]:
    """Find, on the loop, what the failed and canceled attempts at jobs left.

    Returns:
        What can be deleted; what cannot, with the reason; and the ids of the jobs that have not ended.

    Raises:
        JobException: a request failed.
    """
    items: dict[int, QueueItem | None] = {}
    for job in jobs_of(handles):
        items.update((item_id, context.store.state.items.get(item_id)) for item_id in job.attempts)
        if job.status == PENDING:  # its last attempt has failed, but will be followed by another
            items[job.attempts[-1]] = job.item and replace(job.item, status=PENDING)
    # Right after a submit, items may not have been read yet.
    for item in await whole_items(context.client, [item_id for item_id, item in items.items() if item is None]):
        items[item.item_id] = item
    known = [item for _, item in sorted(items.items()) if item is not None]
    unfinished = [item.item_id for item in known if not item.is_terminal]
    ended = [item for item in known if item.status in (FAILED, CANCELED)]
    await let_go_of(ended, context.client)
    whole = await whole_items(context.client, [item.item_id for item in ended])
    found = await pictures(context, whole, intermediates=True)
    made = {(item.item_id, item.session_id) for item in whole}  # summaries have no session: None is in none of these
    own = [image for image in found if image.session_id is not None and (image.item_id, image.session_id) in made]
    used = await _used_by_others(context, own, whole)
    kept = [(image, "made by another job") for image in found if image not in own]
    kept += [(image, "starred") for image in own if image.starred]
    kept += [(image, f"used by item {used[image.name]}") for image in own if image.name in used and not image.starred]
    return Images(image for image in own if not image.starred and image.name not in used), kept, unfinished


async def _used_by_others(context: Context, images: Sequence[Image], makers: Sequence[QueueItem]) -> dict[str, int]:
    """Return which images other items name, in their graphs or outputs, each with such an item."""
    if not images:
        return {}
    first = min((item.started_at for item in makers if item.started_at is not None), default=None)
    own = {item.item_id for item in makers}
    others = [
        item.item_id for item in context.store.state.items.values() if item.item_id not in own and _may_use(item, first)
    ]
    names = {image.name for image in images}
    used: dict[str, int] = {}
    for start in range(0, len(others), _READ_AT_ONCE):
        for item in await whole_items(context.client, others[start : start + _READ_AT_ONCE]):
            used.update((name, item.item_id) for name in all_image_names(item) if name in names)
    return used


def _may_use(item: QueueItem, since: datetime | None) -> bool:
    """Return whether an item can name an image that was made after `since`: not if it had ended, or never began."""
    if not item.is_terminal:
        return True
    return item.started_at is not None and (since is None or item.completed_at is None or item.completed_at >= since)
