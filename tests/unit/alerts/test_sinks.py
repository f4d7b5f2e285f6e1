"""Sinks deliver to a real HTTP server, retry, give up, and show no secret anywhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
import standardwebhooks

import invoke_widgets as iw
from invoke_widgets.alerts import Apprise, Callback, Delivery, Message, Sink, Webhook
from invoke_widgets.alerts import apprise as apprise_module
from invoke_widgets.alerts.log import AlertLog
from invoke_widgets.alerts.sinks import MAX_WAITING, Courier
from tests.support.receivers import Answer, http_receiver

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
        courier = Courier(sink, AlertLog() if log is None else log, tuple)
        return list(await asyncio.gather(*[courier.send(message) for message in messages or (MESSAGE,)]))

    return asyncio.run(work())


# -- webhooks ----------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Webhook("ftp://h/x"), "url: should start with http"),
        (lambda: Webhook("https://"), "url: should start with http"),
        (lambda: Webhook(5), "url: should be a string"),  # type: ignore[arg-type]
        (lambda: Webhook("https://h", secret="plain"), "secret: should be 'whsec_'"),
        (lambda: Webhook("https://h", secret="whsec_!!"), "secret: the part after whsec_ is not base64"),
        (lambda: Webhook("https://h", secret=b"short"), "16 bytes or more, got 5"),
        (lambda: Webhook("https://h", headers={"Webhook-Id": "x"}), "Webhook-Id is set by the webhook"),
        (lambda: Webhook("https://h", headers={"X": "a\r\nY: b"}), "the value of X should be"),
        (lambda: Webhook("https://h", headers={"X: Y": "b"}), "a name should be letters"),
        (lambda: Webhook("https://h", attempts=0), "attempts: should be an integer of 1 or more"),
        (lambda: Webhook("https://h", timeout_s=0), "timeout_s: should be a number above 0"),
        (lambda: Apprise(), "urls: give at least one URL"),
        (lambda: Apprise("json://localhost", "nonsense://x"), "urls[1]: is not a URL that Apprise knows"),
        (lambda: Callback(5), "to: should be a function or a sink"),  # type: ignore[arg-type]
        (lambda: Callback(lambda: None), "called with one argument"),  # type: ignore[arg-type,misc]
        (lambda: Callback(asyncio.sleep), "got a coroutine function"),
    ],
)
def test_invalid_arguments_are_refused(make: Callable[[], Any], words: str) -> None:
    """An invalid argument raises with its name, before anything is sent."""
    with pytest.raises(iw.InvalidRequest) as refused:
        make()
    assert words in str(refused.value)


@pytest.mark.parametrize("sink", [Webhook, Apprise, Callback])
def test_unknown_keywords_are_refused(sink: Any) -> None:
    """A misspelled option is an error, not silence."""
    with pytest.raises(TypeError):
        sink("json://h", secrets="x")


# -- Apprise -----------------------------------------------------------------------------------------------------------


def test_apprise_delivers() -> None:
    """An Apprise service gets title, text and severity."""
    with http_receiver() as receiver:
        (delivery,) = send(Apprise(receiver.url.replace("http", "json") + "/notify"))
    assert ("delivered", "/notify") == (delivery.outcome, receiver.requests[0].path.rstrip("/"))
    received = receiver.requests[0].body.decode()
    assert "and 14 more" in received
    assert '"failure"' in received


def test_apprise_retries_only_the_services_that_failed() -> None:
    """When one of two services fails, the other one does not get the message twice."""
    with http_receiver() as good, http_receiver(Answer(500)) as bad:
        sink = Apprise(good.url.replace("http", "json"), bad.url.replace("http", "json"))
        (delivery,) = send(sink)
    assert ("delivered", 2, 1, 2) == (delivery.outcome, delivery.attempts, len(good.requests), len(bad.requests))


def test_apprise_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says how to install it."""
    monkeypatch.setattr(apprise_module, "find_spec", lambda name: None)
    with pytest.raises(iw.InvalidRequest, match=r'pip install "invoke-widgets\[alerts\]"'):
        Apprise("json://localhost")


# -- callbacks and custom sinks ----------------------------------------------------------------------------------------


def test_callback_is_called_on_its_own_thread() -> None:
    """The function gets the message, off the loop's thread."""
    got: list[Any] = []
    (delivery,) = send(Callback(lambda message: got.append((message, threading.current_thread()))))
    assert ("delivered", MESSAGE, False) == (delivery.outcome, got[0][0], got[0][1] is threading.current_thread())


def fails(message: Message) -> None:
    raise ValueError("boom, api_key=abcdef123456")


def test_callback_exception_is_recorded() -> None:
    """The exception is recorded with its place and without secrets."""
    (delivery,) = send(Callback(fails))
    assert "failed" == delivery.outcome
    assert delivery.reason.startswith("ValueError: boom, api_key=[token] (test_sinks.py:")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_callback_exits_end_nothing(error: type[BaseException]) -> None:
    """Not even exceptions that end a thread or a task end anything here."""

    def leave(message: Message) -> None:
        raise error

    assert ["failed"] == [delivery.outcome for delivery in send(Callback(leave))]


def test_callback_that_hangs_blocks_only_itself() -> None:
    """It times out; while it hangs it is not called again, and other sinks go on."""
    end, calls = threading.Event(), []

    def hang(message: Message) -> None:
        calls.append(message)
        end.wait(30)

    slow = Callback(hang, timeout_s=0.1)
    assert ["timed_out"] == [delivery.outcome for delivery in send(slow)]
    (delivery,) = send(slow)
    assert ("failed", "the previous call has not returned yet") == (delivery.outcome, delivery.reason)
    assert ["delivered"] == [delivery.outcome for delivery in send(Callback(str))]
    end.set()
    assert 1 == len(calls)


class Endless(Sink):
    """Never returns."""

    timeout_s = 0.05

    async def deliver(self, message: Message) -> None:
        await asyncio.Event().wait()


class Broken(Sink):
    """Raises what no sink should."""

    async def deliver(self, message: Message) -> None:
        raise RuntimeError("no idea")


def test_custom_sink_may_hang_or_raise_anything() -> None:
    """A sink that never returns or raises anything is recorded, and the next message gets its turn."""
    assert ["timed_out", "timed_out"] == [delivery.outcome for delivery in send(Endless(), MESSAGE, MESSAGE)]
    assert ["RuntimeError: no idea"] * 2 == [delivery.reason for delivery in send(Broken(), MESSAGE, MESSAGE)]


class Odd(Sink):
    """Has attributes that no sink should have."""

    def __init__(self, **options: Any) -> None:
        vars(self).update(options)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"timeout_s": None}])
def test_custom_sink_with_invalid_attributes_is_refused(options: dict[str, Any]) -> None:
    """Invalid attributes of a custom sink raise when it is given, not when it is needed."""
    with pytest.raises(iw.InvalidRequest, match=next(iter(options))):
        Courier(Odd(**options), AlertLog(), tuple)


def test_messages_beyond_the_queue_are_recorded_as_dropped() -> None:
    """The queue of a sink is bounded; further messages are recorded as dropped."""
    log = AlertLog()
    got: list[Message] = []
    outcomes = [d.outcome for d in send(Callback(got.append), *[MESSAGE] * (MAX_WAITING + 5), log=log)]
    assert (MAX_WAITING, 5) == (outcomes.count("delivered"), outcomes.count("dropped"))
    assert (MAX_WAITING, MAX_WAITING + 5) == (len(got), len(log))


def test_delivery_is_pending_between_attempts() -> None:
    """Between attempts a delivery is pending, with the reason of the last failure."""
    log = AlertLog()
    seen: list[tuple[str, int, str]] = []

    class Second(Sink):
        attempts = 2

        async def deliver(self, message: Message) -> None:
            seen.extend((d.outcome, d.attempts, d.reason) for d in log)
            if len(seen) < 2:
                raise iw.alerts.Undelivered("not yet", retryable=True, retry_after_s=0.0)

    send(Second(), log=log)
    assert [("pending", 0, ""), ("pending", 1, "not yet")] == seen


# -- secrets -----------------------------------------------------------------------------------------------------------

_SECRETS = ("s3cr3t", "hunter2", base64.b64encode(b"hunter2" * 3).decode(), "T0KEN", "pa55word")


def _sinks(http: str) -> list[Sink]:
    key = base64.b64encode(b"hunter2" * 3).decode()
    host = http.removeprefix("http://")
    return [
        Webhook(
            f"http://user:s3cr3t@{host}/services/T0KEN?token=T0KEN",
            secret=f"whsec_{key}",
            headers={"Authorization": "Bearer T0KEN"},
            attempts=2,
        ),
        Webhook("http://127.0.0.1:1/T0KEN?key=T0KEN", secret=f"whsec_{key}", attempts=1),
        Apprise("mailto://iw:pa55word@127.0.0.1:1?from=i@b.org&to=a@b.org", attempts=1),
        Apprise(f"json://user:s3cr3t@{host}/T0KEN?+x-token=T0KEN", attempts=1),
        Apprise("json://user:s3cr3t@127.0.0.1:1/T0KEN", attempts=1),
    ]  # fmt: skip


def test_no_secret_is_shown_anywhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """With everything logged, delivered or not: no secret in logs, output, reprs, records, frames or errors."""
    caplog.set_level(1)
    for name in ("httpx", "httpcore", "apprise", "urllib3", "asyncio"):
        caplog.set_level(1, logger=name)
    log = AlertLog()
    answers = (Answer(503, {"Retry-After": "0", "X-Echo": "T0KEN"}), Answer(204), Answer(500))
    with http_receiver(*answers) as receiver:
        sinks = _sinks(receiver.url)
        for sink in sinks:
            send(sink, log=log)
        texts = [repr(sink) for sink in sinks]
    texts += [repr(vars(sink)) for sink in sinks]
    for url in ("http://u:s3cr3t@[x/T0KEN", "ftp://u:s3cr3t@h/T0KEN", "s3cr3t T0KEN"):
        for make in (Webhook, Apprise):
            with pytest.raises(iw.InvalidRequest) as refused:
                make(url)
            texts.append(str(refused.value) + repr(refused.value.__cause__) + repr(refused.value.details))
    for sink in sinks[:1]:
        with pytest.raises(TypeError):
            pickle.dumps(sink)
    out, err = capfd.readouterr()
    texts += [repr(list(log)), log.frame().to_csv(), caplog.text, *map(str, caplog.records), out, err]
    assert ("delivered", 3) == (next(iter(log)).outcome, len(receiver.requests))
    found = [(secret, text[:200]) for text in texts for secret in _SECRETS if secret in text]
    assert [] == found


_FIRST = """
import asyncio, logging, sys
logging.basicConfig(level=1)
from invoke_widgets.alerts import Apprise, Message, Webhook
host = sys.argv[1]
for sink in (Webhook(f"http://u:s3cr3t@{host}/T0KEN?k=T0KEN"), Apprise(f"json://u:s3cr3t@{host}/T0KEN")):
    asyncio.run(sink.deliver(Message(kind="alert.test", severity="info", title="t")))
    print(sink)
"""


def test_first_message_of_a_process_logs_no_secret() -> None:
    """While libraries are still being imported and make their loggers, no secret is logged."""
    with http_receiver(*[Answer(200, {"X-Echo": "T0KEN"})] * 2) as receiver:
        command = [sys.executable, "-c", _FIRST, receiver.url.removeprefix("http://")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (2, True) == (len(receiver.requests), "DEBUG" in done.stderr)
    assert [] == [secret for secret in _SECRETS if secret in done.stdout + done.stderr]


def test_other_requests_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only the log records of a message being sent are dropped."""
    caplog.set_level(logging.INFO, logger="httpx")
    with http_receiver() as receiver, contextlib.suppress(Exception):
        send(Webhook(receiver.url))
        assert [] == [record.name for record in caplog.records]
        import httpx

        httpx.post(receiver.url, content=b"x", verify=False)
    assert ["httpx"] == [record.name for record in caplog.records if record.name == "httpx"]
