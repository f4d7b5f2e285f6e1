"""Arguments that do not fit are refused by name, before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import invoke_widgets as iw

_NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("field", "call", "values"),
    [
        ("batch_id", lambda c, x: c.get_batch_status(x), ("", 5, None)),
        ("batch_ids", lambda c, x: c.cancel_by_batch_ids(x), ("b", 5, None)),
        ("batch", lambda c, x: c.enqueue_batch(x), ("b", 5, None)),
        ("destination", lambda c, x: c.delete_by_destination(x), ("", 5, None)),
        ("board_id", lambda c, x: c.get_board(x), ("", 5, None)),
        ("board_id", lambda c, x: c.update_board(x, board_name="b"), ("", 5, None)),
        ("board_id", lambda c, x: c.delete_board(x), ("", 5, None)),
        ("board_id", lambda c, x: c.list_all_board_image_names(x), ("", 5, None)),
        ("workflow_id", lambda c, x: c.get_workflow(x), ("", 5, None)),
        ("workflow", lambda c, x: c.create_workflow(x), ("w", 5, None)),
        ("image_names", lambda c, x: c.get_images_by_names(x), ("a.png", 5, None)),
        ("image_names", lambda c, x: c.delete_images_from_list(x), ("abc", 5, None)),
    ],
)
def test_what_does_not_fit_is_refused(
    field: str, call: Callable[[iw.InvokeClient, Any], Awaitable[object]], values: tuple[Any, ...]
) -> None:
    """A text where several are due, and what would be another path, too."""

    async def refused(value: Any) -> None:
        async with iw.InvokeClient(_NOWHERE) as client:
            with pytest.raises(iw.InvalidRequest, match=f"^{field}: should be ") as caught:
                await call(client, value)
        assert field == caught.value.field

    for value in values:
        asyncio.run(refused(value))
