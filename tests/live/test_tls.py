"""A server behind TLS: a certificate that is known, one that is not, and one that is for somebody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import invoke_widgets as iw
from tests.support.graphs import add_and_multiply
from tests.support.tls import Authority, behind_tls
from tests.support.wire import Wire


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def address(wire: Wire, authority: Authority) -> Iterator[str]:
    with behind_tls(authority.certificate(), wire.server.url) as address:
        yield address


@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_of_ones_own(address: str, authority: Authority, known: bool) -> None:
    """With a context that knows it, and with `verify=False`, all works, the socket too."""
    with iw.connect(address, verify=authority.knowing if known else False) as console:
        assert "live" == console.status.connection.mode
        assert "completed" == console.submit(add_and_multiply()).jobs[0].wait(60).status


def test_a_certificate_that_is_not_known(address: str) -> None:
    """By default it is refused at once, with what can be done about it."""
    with pytest.raises(iw.ServerUnreachable, match=r"certificate is not trusted.*verify=False") as caught:
        iw.connect(address)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("name", "expired", "why"), [("other.test", False, "mismatch"), ("127.0.0.1", True, "expired")]
)
def test_a_certificate_that_does_not_hold(wire: Wire, authority: Authority, name: str, expired: bool, why: str) -> None:
    """One for another host, and one whose time is over, are refused although who made them is trusted; it says why."""
    with (
        behind_tls(authority.certificate(name, expired=expired), wire.server.url) as address,
        pytest.raises(iw.ServerUnreachable, match=f"certificate is not trusted.*{why}"),
    ):
        iw.connect(address, verify=authority.knowing)
