"""The thin asynchronous client: `InvokeClient` over HTTP, and the socket."""

from invoke_widgets.client.client import MAX_IDS_PER_REQUEST, InvokeClient, checked_ids
from invoke_widgets.client.line import Line
from invoke_widgets.client.proxies import proxy_for
from invoke_widgets.client.socket import EventStream
from invoke_widgets.client.transport import Transport, checked_token, normalise_url, retry_after_s

__all__ = [
    "MAX_IDS_PER_REQUEST",
    "EventStream",
    "InvokeClient",
    "Line",
    "Transport",
    "checked_ids",
    "checked_token",
    "normalise_url",
    "proxy_for",
    "retry_after_s",
]
