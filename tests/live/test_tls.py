"""A server behind TLS, with trusted, untrusted and invalid certificates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from tests.support.graphs import add_and_multiply
from tests.support.relay import relayed
from tests.support.tls import Authority
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def address(wire: Wire, authority: Authority) -> Iterator[str]:
    with relayed(wire.server.url, tls=authority.certificate()) as address:
        yield address


@pytest.mark.parametrize("known", [True, False])
def test_private_certificate_works_with_verify(address: str, authority: Authority, known: bool) -> None:
    """Requests and the socket work with a context that trusts it, and with `verify=False`."""
    with iw.connect(address, verify=authority.knowing if known else False) as console:
        assert "live" == console.status.connection.mode
        assert "completed" == console.submit(add_and_multiply()).jobs[0].wait(60).status


def test_untrusted_certificate_is_refused(address: str) -> None:
    """By default it is refused, and the error says what can be done."""
    with pytest.raises(iw.ServerUnreachable, match=r"certificate is not trusted.*verify=False") as caught:
        iw.connect(address)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("name", "expired", "why"), [("other.test", False, "mismatch"), ("127.0.0.1", True, "expired")]
)
def test_invalid_certificate_is_refused_with_the_reason(
    wire: Wire, authority: Authority, name: str, expired: bool, why: str
) -> None:
    """A certificate of another host and an expired one are refused although their issuer is trusted."""
    with (
        relayed(wire.server.url, tls=authority.certificate(name, expired=expired)) as address,
        pytest.raises(iw.ServerUnreachable, match=f"certificate is not trusted.*{why}"),
    ):
        iw.connect(address, verify=authority.knowing)
