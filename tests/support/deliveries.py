"""Send the messages of alerts to a sink without a console."""

from __future__ import annotations

import asyncio

from invoke_widgets.alerts import Delivery, Message, Sink
from invoke_widgets.alerts.log import AlertLog
from invoke_widgets.alerts.sinks import Courier

MESSAGE = Message(
    kind="job.failed",
    severity="error",
    title="Item 7 failed: resource_error",
    text="CUDA out of memory\nUse a smaller image.",
    alert="memory",
    held_back=14,
    held_back_kinds={"job.failed": 14},
    server="http://127.0.0.1:9090",
    data={"item_id": 7, "batch_id": "9c01", "error_type": "resource_error"},
)


def send(sink: Sink, *messages: Message, log: AlertLog | None = None) -> list[Delivery]:
    """The outcomes of messages, sent one after the other without waiting."""

    async def work() -> list[Delivery]:
        courier = Courier(AlertLog() if log is None else log, tuple)
        return list(await asyncio.gather(*[courier.send(sink, message) for message in messages or (MESSAGE,)]))

    return asyncio.run(work())
