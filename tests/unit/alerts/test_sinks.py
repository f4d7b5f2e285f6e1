"""Sinks refuse invalid arguments, keep their failures to themselves, and show no secret anywhere."""

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
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.alerts import Apprise, Callback, Message, Sink, Webhook
from invoke_widgets.alerts.log import AlertLog
from invoke_widgets.alerts.sinks import MAX_WAITING, Toasts, sinks_of
from tests.support.deliveries import MESSAGE, send
from tests.support.receivers import Answer, http_receiver


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
        (lambda: Webhook("https://h", verify="none.pem"), "verify: 'none.pem' is not a file of certificates"),
        (lambda: Webhook("http://h", verify=3), "verify: should be True, False, an ssl.SSLContext, or a file"),
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
        sinks_of(Odd(**options), Toasts())


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
