"""`Internals`: what the views of a console work with."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from invoke_widgets.images import Images, Uploads, content_of, images_named
from invoke_widgets.jobs import Context, Submission
from invoke_widgets.records import EnqueueResult, QueueItem, ValueNames
from invoke_widgets.workflows import Plan, Workflow, loading

_RECENT = 20


class Internals:
    """What the package's own views work with: not for users, and free to change."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._closing: list[Callable[[], None]] = []
        self.actions = context.actions
        self.store = context.store
        self.call = context.loop.call
        self.start = context.loop.start
        self.uploads = Uploads(context.client)

    async def load_workflow(self, source: dict[str, Any] | str) -> Workflow:
        """Load a workflow or graph, or the workflow of this name in the server's library."""
        schemas = await self.actions.node_schemas()
        return await loading.load(source, self._context.client, schemas, console=self._context.console)

    async def workflow_of_image(self, name: str) -> Workflow:
        """Load the workflow that a picture carries, with the values that made it."""
        schemas = await self.actions.node_schemas()
        return await loading.load_of_image(name, self._context.client, schemas, console=self._context.console)

    async def enqueue(self, plan: Plan, **options: Any) -> list[EnqueueResult]:
        """Upload what a plan needs, and enqueue it; see `Console.enqueue`."""
        files: dict[str, str] = {}
        for upload in plan.uploads:
            content = content_of(upload.source)  # once more, as a file may have changed since the last submit
            record = await self.uploads.upload(content, board_id=None, is_intermediate=False)
            upload["image_name"] = record.image_name
            if isinstance(upload.source, os.PathLike):
                files[record.image_name] = upload.shown
        return await self.actions.submit_all(
            Submission(
                graph=part.graph,
                runs=part.runs,
                data=part.data,
                workflow=part.workflow,
                names=ValueNames(part.names, part.shared, files),
                **options,
            )
            for part in plan.parts
        )

    async def images(self, made: Iterable[tuple[str, QueueItem | None]]) -> Images:
        """Read images by their names, each with the job that made it or None."""
        return await images_named(self._context, made)

    def about(self, jobs: int) -> str:
        """Roughly how long jobs will take, going by the last that completed: ", about 3 min"; "" without any."""
        items = self.store.state.items
        took = [ran for item_id in sorted(items, reverse=True) if (ran := items[item_id].ran_s)]
        seconds = statistics.median(took[:_RECENT]) * jobs if took else 0.0
        if seconds < 1:
            return ""
        return f", about {seconds / 60:,.0f} min" if seconds > 90 else f", about {seconds:,.0f} s"

    def on_close(self, function: Callable[[], None]) -> None:
        """Have a function called when the console is closed."""
        self._closing.append(function)

    def close(self) -> None:
        """Call the functions that were passed to `on_close`."""
        for function in self._closing:
            function()
        self._closing.clear()
