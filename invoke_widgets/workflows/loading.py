"""Load a workflow from a file, a picture or the server's library, along with what its server knows of it.

That is the schemas, the models, the boards, and the workflows that it calls.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke_widgets.errors import InvalidRequest, NotFound
from invoke_widgets.workflows.editor import as_it_ran, called_ids, is_workflow, questions, with_called
from invoke_widgets.workflows.fields import fields
from invoke_widgets.workflows.generators import Answers
from invoke_widgets.workflows.graph import near
from invoke_widgets.workflows.schemas import NodeSchemas
from invoke_widgets.workflows.workflow import PICTURE_SUFFIXES, Workflow, is_file, path_of

if TYPE_CHECKING:
    from invoke_widgets.client import InvokeClient
    from invoke_widgets.console import Console

# The categories of pictures that the editor calls images, and assets.
_IMAGES, _ASSETS = ("general",), ("control", "mask", "user", "other")
PICTURE = (b"\x89PNG", b"RIFF", b"\xff\xd8")
"""How the files of pictures begin: PNG, WebP and JPEG."""


def read_source(source: Any) -> dict[str, Any] | str:
    """The workflow or graph in a file, a picture or JSON values; a text that names no file is returned as it is.

    Raises:
        InvalidRequest: it cannot be read, or has no workflow in it.
    """
    if isinstance(source, Mapping):
        return _unwrapped(source)
    if isinstance(source, bytes) and source.startswith(PICTURE):
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(source)) as picture:
                return _in_picture(picture, "the picture")
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise InvalidRequest(f"source: the picture cannot be read: {error}.", field="source") from None
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _unwrapped(_json(source, "source"))
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not is_file(str(source)):
            if isinstance(source, str) and path.suffix.lower() not in {".json", *PICTURE_SUFFIXES}:
                return source
            raise InvalidRequest(f"source: there is no file {str(source)!r}.", field="source")
        content = path_of(source).read_bytes()
        if content.startswith(PICTURE):
            return read_source(content)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidRequest(f"source: {str(path)!r} is neither JSON nor a picture.", field="source") from None
        return _unwrapped(_json(text, str(path)))
    if hasattr(source, "info") and hasattr(source, "size"):
        return _in_picture(source, "the picture")
    raise InvalidRequest(
        f"source: should be a path, a workflow, a graph, a picture or a name, got {type(source).__name__}.",
        field="source",
    )


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"source: {place} is not JSON: {error}.", field="source") from None


def _unwrapped(found: Any) -> dict[str, Any]:
    """A workflow or graph, by itself or as `{"workflow": ...}` or `{"graph": ...}`."""
    for name in ("", "workflow", "graph"):
        inner = found.get(name) if name and isinstance(found, Mapping) else found
        if isinstance(inner, Mapping) and isinstance(inner.get("nodes"), list | Mapping):
            return dict(inner)
    raise InvalidRequest("source: has no 'nodes', so it is neither a workflow nor a graph.", field="source")


def _in_picture(picture: Any, called: str) -> dict[str, Any]:
    """The workflow that InvokeAI put into a picture, with the values that made it, or else the graph."""
    texts = [picture.info.get(name) for name in ("invokeai_workflow", "invokeai_graph")]
    workflow, graph = (
        _json(text, called) if isinstance(text, str) and text not in ("", "null") else None for text in texts
    )
    if not (found := made_with(workflow, graph)):
        raise InvalidRequest(f"source: {called} has no workflow in it.", field="source")
    return _unwrapped(found)


def made_with(workflow: Any, graph: Any) -> Any:
    """The workflow that a picture carries, with the values of the graph that made it, or else the graph."""
    return as_it_ran(workflow, graph) if is_workflow(workflow) and isinstance(graph, Mapping) else workflow or graph


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
    if not (source := made_with(*await client.get_image_workflow(name))):
        raise InvalidRequest(f"{name} carries neither a workflow nor a graph.", field="source")
    return await load(source, client, schemas, console=console)


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
