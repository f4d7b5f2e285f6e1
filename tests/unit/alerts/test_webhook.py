"""Webhooks are signed, retried, given up, and never redirected."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import standardwebhooks

from invoke_widgets.alerts import Webhook
from tests.support.deliveries import MESSAGE, send
from tests.support.receivers import Answer, http_receiver


def test_webhook_is_delivered_with_a_valid_signature() -> None:
    """The receiver verifies the signature with the library of Standard Webhooks and reads the data."""
    secret = Webhook.new_secret()
    with http_receiver() as receiver:
        (delivery,) = send(Webhook(f"{receiver.url}/hooks/it?to=me", secret=secret, headers={"X-Team": "imaging"}))
    (request,) = receiver.requests
    received = standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    assert ("delivered", 1, "") == (delivery.outcome, delivery.attempts, delivery.reason)
    assert ("/hooks/it?to=me", "imaging", "application/json") == (
        request.path,
        request.headers["x-team"],
        request.headers["content-type"],
    )
    assert {
        "type": "job.failed",
        "timestamp": MESSAGE.at.isoformat().replace("+00:00", "Z"),
        "data": {
            "item_id": 7,
            "batch_id": "9c01",
            "error_type": "resource_error",
            "alert": "memory",
            "severity": "error",
            "title": "Item 7 failed: resource_error",
            "text": "CUDA out of memory\nUse a smaller image.",
            "held_back": 14,
            "held_back_kinds": {"job.failed": 14},
            "server": "http://127.0.0.1:9090",
            "queue_id": "default",
        },
    } == received


def test_webhook_signature_is_invalid_for_anything_else() -> None:
    """The signature is invalid for another body, another id or another secret."""
    secret = Webhook.new_secret()
    with http_receiver() as receiver:
        send(Webhook(receiver.url, secret=secret))
    (request,) = receiver.requests
    for body, headers, key in (
        (request.body.replace(b"7", b"8"), request.headers, secret),
        (request.body, request.headers | {"webhook-id": "msg_other"}, secret),
        (request.body, request.headers, Webhook.new_secret()),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(key).verify(body, headers)


def test_webhook_key_can_be_bytes() -> None:
    """A key given as bytes signs like the same key in base64."""
    key = b"0123456789abcdef0123456789"
    with http_receiver() as receiver:
        send(Webhook(receiver.url, secret=key))
    (request,) = receiver.requests
    standardwebhooks.Webhook("whsec_" + base64.b64encode(key).decode()).verify(request.body, request.headers)


def test_webhook_without_a_secret_is_not_signed() -> None:
    """A webhook without a secret is sent unsigned."""
    with http_receiver() as receiver:
        send(Webhook(receiver.url))
    assert {"webhook-id", "webhook-timestamp"} == {n for n in receiver.requests[0].headers if n.startswith("webhook")}


def test_webhook_is_retried_with_the_same_id() -> None:
    """After a 503 and a 429 it is sent again with the same id, after the time that the receiver asked for."""
    answers = (Answer(503), Answer(429, {"Retry-After": "1"}))
    with http_receiver(*answers) as receiver:
        (delivery,) = send(Webhook(receiver.url, secret=Webhook.new_secret()))
    first, second, third = receiver.requests
    assert ("delivered", 3) == (delivery.outcome, delivery.attempts)
    assert 1 == len({request.headers["webhook-id"] for request in receiver.requests})
    assert first.body == second.body == third.body
    assert third.at - second.at >= 1.0


def test_webhook_takes_a_date_as_retry_after() -> None:
    """A date in the past means at once."""
    date = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    with http_receiver(Answer(503, {"Retry-After": date}), Answer(503, {"Retry-After": "soon"})) as receiver:
        (delivery,) = send(Webhook(receiver.url))
    assert ("delivered", 3) == (delivery.outcome, delivery.attempts)


def test_webhook_gives_up() -> None:
    """A permanent failure is not retried, a temporary one as often as allowed; both are recorded."""
    with http_receiver(Answer(404)) as receiver:
        (delivery,) = send(Webhook(receiver.url))
        assert ("failed", 1, "the receiver answered 404 Not Found") == (
            delivery.outcome,
            delivery.attempts,
            delivery.reason,
        )
        receiver.answers = [Answer(500, {"Retry-After": "0"})] * 9
        (delivery,) = send(Webhook(receiver.url, attempts=2))
        assert ("failed", 2) == (delivery.outcome, delivery.attempts)
    (delivery,) = send(Webhook(receiver.url, attempts=1))
    assert ("failed", "the request failed (ConnectError)") == (delivery.outcome, delivery.reason)


def test_webhook_follows_no_redirect() -> None:
    """Neither the message nor its headers go where a redirect points."""
    with http_receiver() as elsewhere, http_receiver(Answer(307, {"Location": elsewhere.url})) as receiver:
        (delivery,) = send(Webhook(receiver.url, secret=Webhook.new_secret(), headers={"Authorization": "Bearer abc"}))
    assert ("failed", 1, []) == (delivery.outcome, delivery.attempts, elsewhere.requests)


def test_webhook_reads_no_response_body() -> None:
    """A response that never ends counts as soon as its status is known."""
    hang = threading.Event()
    with http_receiver(Answer(200, {"Content-Length": "9999999999"}, after=hang)) as receiver:
        (delivery,) = send(Webhook(receiver.url, attempts=1, timeout_s=0.3))
        hang.set()
    assert ("delivered", "") == (delivery.outcome, delivery.reason)


def test_webhook_times_out() -> None:
    """A receiver that hangs costs one timeout and is recorded as timed out."""
    hang = threading.Event()
    with http_receiver(Answer(hang=hang)) as receiver:
        (delivery,) = send(Webhook(receiver.url, attempts=1, timeout_s=0.3))
        hang.set()
    assert ("timed_out", "no answer within 0.3 s") == (delivery.outcome, delivery.reason)
