"""What a submit keeps of the server's schemas."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, cast

from invoke_widgets.jobs.submit import Submitter


class OpenApi(dict[str, Any]):
    """A schema that a weak reference can follow."""


class Client:
    def __init__(self) -> None:
        self.schema = OpenApi()

    async def openapi(self) -> OpenApi:
        return self.schema


def test_node_schemas_are_made_once_for_each_schema_of_the_server() -> None:
    """The same schema gives the same node types. It is kept, since another one could get its identity otherwise."""
    nothing = cast(Any, None)
    client = Client()
    submitter = Submitter(cast(Any, client), nothing, nothing, nothing, nothing)
    first = asyncio.run(submitter.node_schemas())
    assert first is asyncio.run(submitter.node_schemas())
    kept = weakref.ref(client.schema)
    client.schema = OpenApi()
    assert kept() is not None
    assert first is not asyncio.run(submitter.node_schemas())
