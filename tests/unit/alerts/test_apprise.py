"""Apprise delivers to its services and retries those that failed."""

from __future__ import annotations

import pytest

import invoke_widgets as iw
from invoke_widgets.alerts import Apprise
from invoke_widgets.alerts import apprise as apprise_module
from tests.support.deliveries import send
from tests.support.receivers import Answer, http_receiver


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


def test_apprise_takes_a_mail_url_and_hides_it() -> None:
    """E-mail needs nothing but Apprise's URL, whose scheme alone is shown."""
    sink = Apprise("mailtos://me:pa55word@example.org?smtp=smtp.example.org&to=you@example.org")
    assert ("Apprise(mailtos://…)", True) == (repr(sink), "pa55word" in str(sink.secrets))
