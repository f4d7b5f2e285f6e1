"""Where alerts go: delivered for real to an HTTP and an SMTP server, retried, refused; and nothing secret anywhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import pickle
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
import standardwebhooks
import trustme

import invoke_widgets as iw
from invoke_widgets.alerts import Apprise, Callback, Delivery, Email, Message, Sink, Webhook
from invoke_widgets.alerts import chat as chat_module
from invoke_widgets.alerts.courier import WAITING, Courier
from invoke_widgets.alerts.log import AlertLog
from invoke_widgets.alerts.messages import lines, one_line
from tests.support.receivers import Answer, http_receiver, mail_receiver

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
    """What becomes of messages, sent one after the other without waiting."""

    async def work() -> list[Delivery]:
        courier = Courier(sink, AlertLog() if log is None else log, tuple)
        return list(await asyncio.gather(*[courier.send(message) for message in messages or (MESSAGE,)]))

    return asyncio.run(work())


# -- webhooks ----------------------------------------------------------------------------------------------------------


def test_a_webhook_is_delivered_and_its_signature_holds() -> None:
    """The receiver verifies the signature with the library of Standard Webhooks, and reads the facts."""
    secret = Webhook.new_secret()
    with http_receiver() as receiver:
        (delivery,) = send(Webhook(f"{receiver.url}/hooks/it?to=me", secret=secret, headers={"X-Team": "imaging"}))
    (request,) = receiver.requests
    told = standardwebhooks.Webhook(secret).verify(request.body, request.headers)
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
    } == told


def test_a_changed_body_is_noticed() -> None:
    """The signature does not hold for another body, another id or another secret."""
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


def test_a_key_can_be_bytes() -> None:
    """A key given as bytes signs as the same key in base64."""
    key = b"0123456789abcdef0123456789"
    with http_receiver() as receiver:
        send(Webhook(receiver.url, secret=key))
    (request,) = receiver.requests
    standardwebhooks.Webhook("whsec_" + base64.b64encode(key).decode()).verify(request.body, request.headers)


def test_without_a_secret_there_is_no_signature() -> None:
    """A webhook without a secret is sent unsigned."""
    with http_receiver() as receiver:
        send(Webhook(receiver.url))
    assert {"webhook-id", "webhook-timestamp"} == {n for n in receiver.requests[0].headers if n.startswith("webhook")}


def test_a_webhook_is_tried_again() -> None:
    """After a 503 and a 429 it is sent again with the same id, as late as the receiver asked."""
    answers = (Answer(503), Answer(429, {"Retry-After": "1"}))
    with http_receiver(*answers) as receiver:
        (delivery,) = send(Webhook(receiver.url, secret=Webhook.new_secret()))
    first, second, third = receiver.requests
    assert ("delivered", 3) == (delivery.outcome, delivery.attempts)
    assert 1 == len({request.headers["webhook-id"] for request in receiver.requests})
    assert first.body == second.body == third.body
    assert third.at - second.at >= 1.0


def test_retry_after_may_be_a_date() -> None:
    """A date that has passed means at once."""
    date = format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)
    with http_receiver(Answer(503, {"Retry-After": date}), Answer(503, {"Retry-After": "soon"})) as receiver:
        (delivery,) = send(Webhook(receiver.url))
    assert ("delivered", 3) == (delivery.outcome, delivery.attempts)


def test_a_webhook_gives_up() -> None:
    """What cannot pass is not tried again; what may pass, as often as was said; both are told."""
    with http_receiver(Answer(404)) as receiver:
        (delivery,) = send(Webhook(receiver.url))
        assert ("failed", 1, "it was answered with 404 Not Found") == (
            delivery.outcome,
            delivery.attempts,
            delivery.reason,
        )
        receiver.answers = [Answer(500, {"Retry-After": "0"})] * 9
        (delivery,) = send(Webhook(receiver.url, attempts=2))
        assert ("failed", 2) == (delivery.outcome, delivery.attempts)
    (delivery,) = send(Webhook(receiver.url, attempts=1))
    assert ("failed", "the request failed (ConnectError)") == (delivery.outcome, delivery.reason)


def test_a_redirect_is_not_followed() -> None:
    """Neither the message nor its headers go where a redirect points to."""
    with http_receiver() as elsewhere, http_receiver(Answer(307, {"Location": elsewhere.url})) as receiver:
        (delivery,) = send(Webhook(receiver.url, secret=Webhook.new_secret(), headers={"Authorization": "Bearer abc"}))
    assert ("failed", 1, []) == (delivery.outcome, delivery.attempts, elsewhere.requests)


def test_an_answer_of_any_length_is_not_read() -> None:
    """An answer that never ends is a success as soon as its status is known."""
    hang = threading.Event()
    with http_receiver(Answer(200, {"Content-Length": "9999999999"}, after=hang)) as receiver:
        (delivery,) = send(Webhook(receiver.url, attempts=1, timeout_s=0.3))
        hang.set()
    assert ("delivered", "") == (delivery.outcome, delivery.reason)


def test_a_receiver_that_does_not_answer() -> None:
    """A receiver that hangs costs one timeout, and is recorded so."""
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
        (lambda: Webhook("https://h", secret="whsec_!!"), "secret: what follows whsec_ is not base64"),
        (lambda: Webhook("https://h", secret=b"short"), "16 bytes or more, got 5"),
        (lambda: Webhook("https://h", headers={"Webhook-Id": "x"}), "Webhook-Id is set by the webhook"),
        (lambda: Webhook("https://h", headers={"X": "a\r\nY: b"}), "the value of X should be"),
        (lambda: Webhook("https://h", headers={"X: Y": "b"}), "a name should be letters"),
        (lambda: Webhook("https://h", attempts=0), "attempts: should be an integer of 1 or more"),
        (lambda: Webhook("https://h", timeout_s=0), "timeout_s: should be a number above 0"),
        (lambda: Email("", to="a@b.c", sender="a@b.c"), "host: should be the name"),
        (lambda: Email("h", 0, to="a@b.c", sender="a@b.c"), "port: should be from 1 to 65535"),
        (lambda: Email("h", to=[], sender="a@b.c"), "to: should be one address or more"),
        (lambda: Email("h", to=5, sender="a@b.c"), "to: should be one address or more"),  # type: ignore[arg-type]
        (lambda: Email("h", to="nobody", sender="a@b.c"), "to: 'nobody' is not an e-mail address"),
        (lambda: Email("h", to="a@b.c\r\nBcc: x@y.z", sender="a@b.c"), "is not an e-mail address"),
        (lambda: Email("h", to="a@b.c", sender="a b"), "sender: 'a b' is not an e-mail address"),
        (lambda: Email("h", to="a@b.c", sender="a@b.c", tls="ssl"), "tls: should be one of 'starttls'"),  # type: ignore[arg-type]
        (lambda: Email("h", to="a@b.c", sender="a@b.c", username="u"), "username and password: give both"),
        (
            lambda: Email("h", to="a@b.c", sender="a@b.c", username="u", password="p", tls="none"),
            "a password is not sent over an unencrypted connection",
        ),
        (lambda: Apprise(), "urls: give one address or more"),
        (lambda: Apprise("json://localhost", "nonsense://x"), "urls[1]: is not an address that Apprise knows"),
        (lambda: Callback(5), "to: should be a function or a sink"),  # type: ignore[arg-type]
        (lambda: Callback(lambda: None), "called with one argument"),  # type: ignore[arg-type,misc]
        (lambda: Callback(asyncio.sleep), "got a coroutine function"),
    ],
)
def test_wrong_arguments_are_told_at_once(make: Callable[[], Any], words: str) -> None:
    """What does not fit is refused with its name, before anything is sent."""
    with pytest.raises(iw.InvalidRequest) as refused:
        make()
    assert words in str(refused.value)


@pytest.mark.parametrize("sink", [Webhook, Email, Apprise, Callback])
def test_unknown_keywords_are_refused(sink: Any) -> None:
    """A misspelled option is an error, not silence."""
    with pytest.raises(TypeError):
        sink("json://h", secrets="x")


# -- e-mail ------------------------------------------------------------------------------------------------------------


def test_a_mail_is_delivered() -> None:
    """The mail arrives with a subject, the text, and what was held back; nothing but plain text."""
    with mail_receiver() as receiver:
        mail_sink = Email(
            "127.0.0.1", receiver.port, to=["a@example.org", "b@example.org"], sender="iw@example.org", tls="none"
        )
        (delivery,) = send(mail_sink)
    (mail,) = receiver.mails
    assert ("delivered", 1) == (delivery.outcome, delivery.attempts)
    assert [("iw@example.org", ["a@example.org", "b@example.org"])] == receiver.envelopes
    assert "[InvokeAI] Item 7 failed: resource_error, and 14 more" == mail["Subject"]
    assert ("text/plain", f"<{MESSAGE.message_id}@example.org>") == (mail.get_content_type(), mail["Message-ID"])
    assert "CUDA out of memory\nUse a smaller image." in mail.get_content().replace("\r\n", "\n")


def test_a_mail_goes_out_encrypted_and_logged_in() -> None:
    """With STARTTLS the certificate is checked, and the login comes after it."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options: dict[str, Any] = {"to": "a@example.org", "sender": "iw@example.org", "username": "iw", "attempts": 1}
    with mail_receiver(tls=tls) as receiver:
        sink = Email("localhost", receiver.port, password="correct horse", context=trusting, **options)
        outcomes = [send(sink)[0].outcome]
        wrong = Email("localhost", receiver.port, password="battery staple", context=trusting, **options)
        outcomes.append(send(wrong)[0].reason)
        outcomes.append(send(Email("localhost", receiver.port, password="correct horse", **options))[0].reason)
    assert ["delivered", "the server refused the login (535)"] == outcomes[:2]
    assert "no encrypted connection: CERTIFICATE_VERIFY_FAILED" == outcomes[2]
    assert ([True], {("iw", "correct horse"), ("iw", "battery staple")}) == (receiver.encrypted, set(receiver.logins))


def test_a_mail_is_tried_again() -> None:
    """What the server says may pass is tried again; what it refuses for good is not."""
    with mail_receiver("451 later", "", "554 never") as receiver:
        sink = Email("127.0.0.1", receiver.port, to="a@example.org", sender="iw@example.org", tls="none")
        first, second = send(sink, MESSAGE, MESSAGE)
    assert [("delivered", 2), ("failed", 1)] == [(d.outcome, d.attempts) for d in (first, second)]
    assert ("the server answered 554 (SMTPDataError)", 1) == (second.reason, len(receiver.mails))


def test_a_mail_that_some_addresses_refuse() -> None:
    """It is not delivered, and it is said to how many; who has it does not get it again when it is tried again."""
    with mail_receiver(addresses={"gone@": "550 no such user"}) as receiver:
        to = ["a@example.org", "gone@example.org", "b@example.org"]
        sink = Email("127.0.0.1", receiver.port, to=to, sender="iw@example.org", tls="none")
        (delivery,) = send(sink)
    assert ("failed", "the server takes no mail for 1 of 3 addresses (550)") == (delivery.outcome, delivery.reason)
    assert [["a@example.org", "b@example.org"]] == [receivers for _, receivers in receiver.envelopes]


def test_a_mail_that_some_addresses_take_later() -> None:
    """What is refused for now is tried again by itself, and the next message goes to all."""
    with mail_receiver(addresses={"slow@": "450 later"}) as receiver:
        to = ["a@example.org", "slow@example.org"]
        sink = Email("127.0.0.1", receiver.port, to=to, sender="iw@example.org", tls="none")
        first = send(sink)[0]
        second = send(sink, replace(MESSAGE, message_id="msg_2"))[0]
    assert ["delivered"] * 2 == [first.outcome, second.outcome]
    assert (2, [to[:1], to[1:], to]) == (first.attempts, [receivers for _, receivers in receiver.envelopes])


def test_no_text_of_a_job_becomes_a_header() -> None:
    """Line breaks, controls and lone surrogates in a title end up in the subject as blanks, and add no header."""
    title = one_line("Item 7\r\nBcc: victim@example.org\n\nfailed\u2028\x00: \ud800 grün")
    text = lines("a\r\n.\r\nQUIT\r\nb\x1b[31m \ud800")
    with mail_receiver() as receiver:
        sink = Email("127.0.0.1", receiver.port, to="a@example.org", sender="iw@example.org", tls="none")
        send(sink, Message(kind="job.failed", severity="error", title=title, text=text))
    (mail,) = receiver.mails
    assert "[InvokeAI] Item 7 Bcc: victim@example.org failed : grün" == mail["Subject"]
    assert (None, [("iw@example.org", ["a@example.org"])]) == (mail["Bcc"], receiver.envelopes)
    assert "a\n.\nQUIT\nb [31m" in mail.get_content().replace("\r\n", "\n")


# -- Apprise -----------------------------------------------------------------------------------------------------------


def test_apprise_delivers() -> None:
    """A service of Apprise gets title, text and severity."""
    with http_receiver() as receiver:
        (delivery,) = send(Apprise(receiver.url.replace("http", "json") + "/notify"))
    assert ("delivered", "/notify") == (delivery.outcome, receiver.requests[0].path.rstrip("/"))
    told = receiver.requests[0].body.decode()
    assert "and 14 more" in told
    assert '"failure"' in told


def test_apprise_tries_only_those_again_that_failed() -> None:
    """When one of two services fails, the other one does not get the message twice."""
    with http_receiver() as good, http_receiver(Answer(500)) as bad:
        sink = Apprise(good.url.replace("http", "json"), bad.url.replace("http", "json"))
        (delivery,) = send(sink)
    assert ("delivered", 2, 1, 2) == (delivery.outcome, delivery.attempts, len(good.requests), len(bad.requests))


def test_without_apprise_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error says how to get it."""
    monkeypatch.setattr(chat_module, "find_spec", lambda name: None)
    with pytest.raises(iw.InvalidRequest, match=r'pip install "invoke-widgets\[alerts\]"'):
        Apprise("json://localhost")


# -- callbacks, and whatever a sink may do -----------------------------------------------------------------------------


def test_a_callback_is_called_on_a_thread_of_its_own() -> None:
    """The function gets the message, off the loop's thread."""
    got: list[Any] = []
    (delivery,) = send(Callback(lambda message: got.append((message, threading.current_thread()))))
    assert ("delivered", MESSAGE, False) == (delivery.outcome, got[0][0], got[0][1] is threading.current_thread())


def fails(message: Message) -> None:
    raise ValueError("boom, api_key=abcdef123456")


def test_what_a_callback_raises_is_recorded() -> None:
    """Its exception is told with its place, and without what looks like a secret."""
    (delivery,) = send(Callback(fails))
    assert "failed" == delivery.outcome
    assert delivery.reason.startswith("ValueError: boom, api_key=[token] (test_sinks.py:")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_callback_cannot_end_anything(error: type[BaseException]) -> None:
    """Not even what ends a thread or a task elsewhere."""

    def leave(message: Message) -> None:
        raise error

    assert ["failed"] == [delivery.outcome for delivery in send(Callback(leave))]


def test_a_callback_that_hangs_holds_up_only_itself() -> None:
    """It times out; while it hangs it is not called again, and other sinks go on."""
    end, calls = threading.Event(), []

    def hang(message: Message) -> None:
        calls.append(message)
        end.wait(30)

    slow = Callback(hang, timeout_s=0.1)
    assert ["timed_out"] == [delivery.outcome for delivery in send(slow)]
    (delivery,) = send(slow)
    assert ("failed", "the one before has not come back yet") == (delivery.outcome, delivery.reason)
    assert ["delivered"] == [delivery.outcome for delivery in send(Callback(str))]
    end.set()
    assert 1 == len(calls)


class Endless(Sink):
    """Never comes back, and does not know that it should."""

    timeout_s = 0.05

    async def deliver(self, message: Message) -> None:
        await asyncio.Event().wait()


class Broken(Sink):
    """Raises what no sink should."""

    async def deliver(self, message: Message) -> None:
        raise RuntimeError("no idea")


def test_a_sink_of_ones_own_may_do_what_it_likes() -> None:
    """One that never ends and one that raises anything are recorded, and the next message gets its turn."""
    assert ["timed_out", "timed_out"] == [delivery.outcome for delivery in send(Endless(), MESSAGE, MESSAGE)]
    assert ["RuntimeError: no idea"] * 2 == [delivery.reason for delivery in send(Broken(), MESSAGE, MESSAGE)]


class Odd(Sink):
    """Says of itself what no sink should."""

    def __init__(self, **options: Any) -> None:
        vars(self).update(options)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"timeout_s": None}])
def test_an_odd_sink_is_refused_at_once(options: dict[str, Any]) -> None:
    """What is wrong with a sink of one's own shows when it is given, and not when it is needed."""
    with pytest.raises(iw.InvalidRequest, match=next(iter(options))):
        Courier(Odd(**options), AlertLog(), tuple)


def test_too_many_messages_are_dropped_and_told() -> None:
    """What waits for one sink is bounded; what does not fit is recorded as dropped."""
    log = AlertLog()
    got: list[Message] = []
    outcomes = [d.outcome for d in send(Callback(got.append), *[MESSAGE] * (WAITING + 5), log=log)]
    assert (WAITING, 5) == (outcomes.count("delivered"), outcomes.count("dropped"))
    assert (WAITING, WAITING + 5) == (len(got), len(log))


def test_while_it_is_tried_again_the_log_says_so() -> None:
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


def _sinks(http: str, smtp: int) -> list[Sink]:
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
        Email("127.0.0.1", smtp, to="a@b.org", sender="i@b.org", tls="none", username="iw", password="pa55word"),
        Apprise(f"json://user:s3cr3t@{host}/T0KEN?+x-token=T0KEN", attempts=1),
        Apprise("json://user:s3cr3t@127.0.0.1:1/T0KEN", attempts=1),
    ]  # fmt: skip


def test_no_secret_is_anywhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """With everything logged, delivered or not: no secret in logs, output, reprs, records, frames or errors."""
    caplog.set_level(1)
    for name in ("httpx", "httpcore", "apprise", "urllib3", "asyncio"):
        caplog.set_level(1, logger=name)
    log = AlertLog()
    answers = (Answer(503, {"Retry-After": "0", "X-Echo": "T0KEN"}), Answer(204), Answer(500))
    with http_receiver(*answers) as receiver, mail_receiver() as mail:
        sinks = _sinks(receiver.url, mail.port)
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
    assert ("delivered", 3, True) == (next(iter(log)).outcome, len(receiver.requests), bool(mail.logins))
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


def test_the_first_message_of_a_process_is_as_secret() -> None:
    """Also while libraries are still being imported, and make their loggers, nothing secret is logged."""
    with http_receiver(*[Answer(200, {"X-Echo": "T0KEN"})] * 2) as receiver:
        command = [sys.executable, "-c", _FIRST, receiver.url.removeprefix("http://")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (2, True) == (len(receiver.requests), "DEBUG" in done.stderr)
    assert [] == [secret for secret in _SECRETS if secret in done.stdout + done.stderr]


def test_other_peoples_requests_are_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only what is logged while a message goes out is held back."""
    caplog.set_level(logging.INFO, logger="httpx")
    with http_receiver() as receiver, contextlib.suppress(Exception):
        send(Webhook(receiver.url))
        assert [] == [record.name for record in caplog.records]
        import httpx

        httpx.post(receiver.url, content=b"x", verify=False)
    assert ["httpx"] == [record.name for record in caplog.records if record.name == "httpx"]
