"""The thin asynchronous client: `InvokeClient` over HTTP, and the socket."""

from invoke_widgets.client.client import (
    MAX_IDS_PER_REQUEST,
    MAX_NAMES_PER_REQUEST,
    InvokeClient,
    checked_id,
    checked_ids,
    checked_image_name,
)
from invoke_widgets.client.socket import EventStream
from invoke_widgets.client.transport import (
    Transport,
    asked_for,
    checked_token,
    checked_verify,
    is_away,
    is_ill,
    normalise_url,
    proxy_for,
    retry_after_s,
)

__all__ = [
    "MAX_IDS_PER_REQUEST",
    "MAX_NAMES_PER_REQUEST",
    "EventStream",
    "InvokeClient",
    "Transport",
    "asked_for",
    "checked_id",
    "checked_ids",
    "checked_image_name",
    "checked_token",
    "checked_verify",
    "is_away",
    "is_ill",
    "normalise_url",
    "proxy_for",
    "retry_after_s",
]
