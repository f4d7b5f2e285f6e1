"""Loading a workflow with what its server knows: the schemas, the models, the boards, the workflows that it calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.workflows.editor import called_ids, is_workflow, questions, with_called
from invoke_widgets.workflows.fields import fields
from invoke_widgets.workflows.generators import Answers
from invoke_widgets.workflows.graph import near
from invoke_widgets.workflows.schemas import NodeSchemas
from invoke_widgets.workflows.workflow import Workflow

if TYPE_CHECKING:
    from invoke_widgets.client import InvokeClient
    from invoke_widgets.console import Console

# The categories of pictures that the editor calls images, and assets.
_IMAGES, _ASSETS = ("general",), ("control", "mask", "user", "other")


async def load(
    source: Mapping[str, Any] | str, client: InvokeClient, schemas: NodeSchemas, *, console: Console
) -> Workflow:
    """Load a workflow or graph, or the workflow of the server's library with this name or id.

    Raises:
        InvalidRequest: it is neither, or several have this name.
        NotFound: the library has no such workflow.
        JobException: the server cannot be reached.
    """
    loaded = await _of_library(source, client) if isinstance(source, str) else source
    called: dict[str, Mapping[str, Any]] = {}
    for workflow_id in called_ids(loaded) if is_workflow(loaded) else ():
        with suppress(NotFound):
            called[workflow_id] = (await client.get_workflow(workflow_id)).workflow or {"nodes": []}
    loaded = with_called(loaded, called) if called else loaded
    kinds = {known.kind for known in fields(loaded, schemas, called)}
    models = await client.list_models() if "model" in kinds else ()
    boards = await client.list_boards() if {"board", "generator"} & kinds else ()

    def ask(workflow: Mapping[str, Any]) -> Answers:
        return console.internals.call(answers(client, workflow))

    return Workflow(loaded, schemas, console=console, models=models, boards=boards, called=called, ask=ask)


async def load_of_image(name: str, client: InvokeClient, schemas: NodeSchemas, *, console: Console) -> Workflow:
    """Load the workflow that a picture carries, with the values that made it; else its graph.

    Raises:
        InvalidRequest: it carries neither.
        JobException: as for `load`; there is no such picture.
    """
    workflow, graph = await client.get_image_workflow(name)
    if not (source := workflow or graph):
        raise InvalidRequest(f"{name} carries neither a workflow nor a graph.", field="source")
    loaded = await load(source, client, schemas, console=console)
    return loaded.with_(_ran_with(loaded, graph)) if workflow and graph else loaded


async def _of_library(name: str, client: InvokeClient) -> dict[str, Any]:
    listed = await client.list_workflows()
    for matches in (
        [one for one in listed if one.workflow_id == name],
        [one for one in listed if one.name == name],
        [one for one in listed if one.name.casefold() == name.casefold()],
    ):
        if len(matches) == 1:
            return dict((await client.get_workflow(matches[0].workflow_id)).workflow or {})
        if matches:
            raise InvalidRequest(
                f"The server's library has {len(matches)} workflows named {name!r}.",
                suggestion=f"Pass the id of one: {', '.join(one.workflow_id for one in matches)}.",
                field="source",
            )
    raise NotFound(
        f"There is no file {name!r}, and no workflow of this name in the server's library."
        + near(name, [one.name for one in listed])
    )


def _ran_with(workflow: Workflow, graph: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a graph that ran, by the workflow's fields: what its batch varied is not in the workflow itself."""
    nodes = graph.get("nodes")
    found: dict[str, Any] = {}
    for name in workflow:
        known = workflow.field(name)
        node = nodes.get(known.node_id) if isinstance(nodes, Mapping) else None
        if not known.is_varied_by_server or known.fed_by or not isinstance(node, Mapping):
            continue
        value = node.get(known.field)
        shown = value.get("image_name") if isinstance(value, Mapping) else value
        if shown is not None and shown != workflow[name]:
            found[name] = value
    return found


async def answers(client: InvokeClient, workflow: Mapping[str, Any]) -> Answers:
    """Ask a server for what only it can say to the generators of a workflow, as the editor does.

    Raises:
        InvalidRequest: a template of prompts cannot be understood.
        NotFound: there is no such board.
        JobException: the server cannot be reached.
    """
    return {asked: await _answer(client, json.loads(asked)) for asked in questions(workflow)}


async def _answer(client: InvokeClient, generator: Mapping[str, Any]) -> list[Any]:
    if generator["type"] == "image_generator_images_from_board":
        if not generator["board_id"]:
            return []
        names = await client.list_all_board_image_names(
            generator["board_id"],
            categories=_IMAGES if generator["category"] == "images" else _ASSETS,
            is_intermediate=False,
        )
        return [{"image_name": name} for name in names]
    is_random = "count" in generator
    return await client.parse_dynamicprompts(
        generator["input"],
        max_prompts=generator["count" if is_random else "maxPrompts"],
        combinatorial=not is_random,
        seed=generator.get("seed"),
    )
