"""What a traceback shows: never a token or password, even with the values of variables."""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import pytest
from IPython.core.ultratb import VerboseTB

import invoke_widgets as iw
from tests.contract.people import USER, People
from tests.support.chaos import ChaosProxy

SECRET = "s3cret-Pa55.word"

if sys.version_info < (3, 13):  # which no longer has it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import cgitb


def _frames(at: TracebackType | None) -> Iterator[tuple[str, str]]:
    """The variables of all frames but the caller's, as a debugger or a crash report shows them."""
    for frame, _ in list(traceback.walk_tb(at))[1:]:
        for name, value in frame.f_locals.items():
            with contextlib.suppress(Exception):
                yield f"{frame.f_code.co_qualname}: {name}", repr(value)


def _shown(call: Callable[[], object]) -> list[str]:
    """Where the secret is shown when a call fails."""
    with pytest.raises(iw.JobException) as caught:
        call()
    error = caught.value
    where = [name for name, value in _frames(error.__traceback__) if SECRET in value]
    info = (type(error), error, error.__traceback__)
    texts = {
        "IPython": "\n".join(VerboseTB(theme_name="nocolor").structured_traceback(*info)),
        "plain": "".join(traceback.format_exception(*info)),
        "the exception": repr(error) + repr(error.details),
    }
    if sys.version_info < (3, 13):
        texts |= {"cgitb": cgitb.text(info), "cgitb, HTML": cgitb.html(info)}
    # The call itself is in the caller's frame, and says whence it has the secret.
    return [*where, *(name for name, text in texts.items() if SECRET in text)]


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], str]:
    """Where the user keeps the secret: their own code does not spell it out."""
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path.read_text


def test_a_token_is_in_no_traceback(people: People, kept: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a connect that fails in any way, of a reconnect, and of calls with a token that is refused."""
    url = people.user.server.url
    assert [] == _shown(lambda: iw.connect("127.0.0.1:9", token=kept()))
    assert [] == _shown(lambda: iw.connect(url, token=kept()))
    assert [] == _shown(lambda: iw.connect(url, token=kept() + " "))
    assert [] == _shown(lambda: iw.connect(url, token=kept(), verify="no"))
    assert [] == _shown(lambda: iw.Console(url, token=kept()))
    monkeypatch.setenv("INVOKEAI_TOKEN", kept())
    assert [] == _shown(lambda: iw.connect(url))
    assert [] == _shown(lambda: iw.connect(f"http://me:you@{url.removeprefix('http://')}"))
    monkeypatch.delenv("INVOKEAI_TOKEN")
    with iw.connect(url, token=people.user.token) as console:
        assert [] == _shown(lambda: console.reconnect(token=kept() + "\n"))
        assert [] == _shown(lambda: console.reconnect(token=kept()))
        assert [] == _shown(lambda: console.submit({"nodes": {"a": {"type": "add"}}}))
        assert [] == _shown(lambda: console.item(1))


def test_a_password_is_in_no_traceback(people: People, kept: Callable[[], str]) -> None:
    """Of a login that is refused, or does not arrive."""

    async def login(url: str) -> None:
        async with iw.InvokeClient(url) as client:
            await client.login(USER["email"], kept())

    with ChaosProxy(people.user.server.url) as proxy:
        assert [] == _shown(lambda: asyncio.run(login(proxy.url)))
        proxy.hang_up(path="login")
        assert [] == _shown(lambda: asyncio.run(login(proxy.url)))
        proxy.calm()
        proxy.say(b'{"token": "half of it', path="login")
        assert [] == _shown(lambda: asyncio.run(login(proxy.url)))


def test_the_login_of_an_address_is_in_no_traceback(kept: Callable[[], str]) -> None:
    """With a scheme or without, whether the address can be used or not."""
    for address in (
        "http://me:{}@127.0.0.1:9",
        "me:{}@127.0.0.1:9",
        "http://me:{}@127.0.0.1:99999",
        "ftp://me:{}@host",
    ):
        assert [] == _shown(lambda address=address: iw.connect(address.format(kept())))  # type: ignore[misc]


def test_a_refreshed_token_is_in_no_traceback(people: People) -> None:
    """One that a reply brought, which then fails."""
    with ChaosProxy(people.user.server.url) as proxy, iw.connect(proxy.url, token=people.user.token) as console:
        stream = io.StringIO()
        with pytest.raises(iw.JobException) as caught:
            console.submit({"nodes": {"a": {"type": "add", "a": "x"}}})
        token = console.client.transport.token or ""
        traceback.print_exception(caught.value, file=stream)
        shown = [name for name, value in _frames(caught.value.__traceback__) if token in value]
        assert ([], False) == (shown, token in stream.getvalue())
