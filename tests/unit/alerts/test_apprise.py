"""Apprise delivers to its services and retries those that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

import invoke_widgets as iw
from invoke_widgets.alerts import Apprise
from invoke_widgets.alerts import apprise as apprise_module
from tests.support.deliveries import MESSAGE, send
from tests.support.receivers import Answer, http_receiver, mail_receiver


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


def test_mail_arrives() -> None:
    """A mail server gets the login and the envelope; the mail has the headline as its subject, and the whole text."""
    message = replace(MESSAGE, text="CUDA out of memory: naïve ✕\n.\nUse a smaller image.")
    with mail_receiver() as receiver:
        url = f"mailto://me:pa55%40word@127.0.0.1:{receiver.port}?from=queue@example.org&to=you@example.org"
        (delivery,) = send(Apprise(url), message)
    ((login, sender, to, mail),) = receiver.mails
    assert ("delivered", 1) == (delivery.outcome, delivery.attempts)
    assert (("me", "pa55@word"), "queue@example.org", ["you@example.org"]) == (login, sender, to)
    assert message.headline == mail["subject"]
    content = mail.get_body(("plain",)) or mail
    assert message.body.split() == content.get_content().split()


def test_mail_that_is_refused_is_recorded_as_failed() -> None:
    """The record names the service, and holds no password."""
    with mail_receiver(550) as receiver:
        sink = Apprise(f"mailto://me:pa55word@127.0.0.1:{receiver.port}?from=a@b.org&to=c@d.org", attempts=1)
        (delivery,) = send(sink)
    assert ("failed", "not accepted by mailto", []) == (delivery.outcome, delivery.reason, receiver.mails)
    assert "pa55word" not in f"{delivery} {sink!r}"


def test_apprise_hides_a_mail_url() -> None:
    """Only the scheme of a URL is shown."""
    sink = Apprise("mailtos://me:pa55word@example.org?smtp=smtp.example.org&to=you@example.org")
    assert ("Apprise(mailtos://…)", True) == (repr(sink), "pa55word" in str(sink.secrets))
