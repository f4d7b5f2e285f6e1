"""`Email`: a message as plain text over SMTP."""

from __future__ import annotations

import base64
import ipaddress
import smtplib
import ssl
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from invoke_widgets.alerts.messages import Message, one_line
from invoke_widgets.alerts.sinks import Hidden, OwnThread, Sink, Undelivered
from invoke_widgets.errors import InvalidRequest
from invoke_widgets.errors.checks import positive, whole

Tls = Literal["starttls", "implicit", "none"]
_PORTS: dict[str, int] = {"starttls": 587, "implicit": 465, "none": 25}


class Email(Sink):
    """Sends messages by e-mail, as plain text, on a thread of its own.

    Args:
        host: the SMTP server.
        port: by default 587, 465 or 25, as `tls` says.
        to: one address, or several.
        sender: the address that it is from.
        username: for logging in; None sends without.
        password: goes with `username`, and never over an unencrypted connection to another machine.
        tls: "starttls" (a plain connection that is then encrypted, or refused), "implicit" (encrypted from the start)
            or "none".
        attempts: how often it is tried, if what stopped it may pass.
        timeout_s: seconds for each attempt.
        context: what certificates are checked with; by default the system's.

    Raises:
        InvalidRequest: an argument does not fit; the message names it.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        to: str | Sequence[str],
        sender: str,
        username: str | None = None,
        password: str | None = None,
        tls: Tls = "starttls",
        attempts: int = 3,
        timeout_s: float = 30.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        if not isinstance(host, str) or not host.strip() or not host.isprintable() or " " in host.strip():
            raise InvalidRequest("host: should be the name of an SMTP server, such as 'smtp.example.org'.")
        if tls not in _PORTS:
            raise InvalidRequest(f"tls: should be one of {', '.join(map(repr, _PORTS))}, got {tls!r}.")
        if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
            raise InvalidRequest(f"port: should be from 1 to 65535, got {port!r}.")
        if (username is None) != (password is None):
            raise InvalidRequest("username and password: give both, or neither.")
        for name, value in (("username", username), ("password", password)):
            if value is not None and (not isinstance(value, str) or not value.isprintable() or not value):
                raise InvalidRequest(f"{name}: should be a string of printable characters.")
        if password is not None and tls == "none" and not _is_this_machine(host.strip()):
            raise InvalidRequest(
                "tls: a password is not sent over an unencrypted connection.", suggestion="Use tls='starttls'."
            )
        receivers = (to,) if isinstance(to, str) else tuple(to) if isinstance(to, Sequence) else ()
        if not receivers:
            raise InvalidRequest("to: should be one address or more.")
        self._to = tuple(_address("to", text) for text in receivers)
        self._all = tuple(dict.fromkeys(address.addr_spec for address in self._to))
        self._left: tuple[str, tuple[str, ...]] = ("", ())
        self._sender = _address("sender", sender)
        self._host, self._port, self._tls = host.strip(), port or _PORTS[tls], tls
        self._username = username
        self._password = None if password is None else Hidden(password)
        self._context = context
        self._each_s = positive("timeout_s", timeout_s)
        self.attempts = whole("attempts", attempts)
        self.timeout_s = self.attempts * (self._each_s + 10.0)
        self._thread = OwnThread()

    @property
    def secrets(self) -> tuple[str, ...]:
        if self._password is None:
            return ()
        password = self._password.value
        login = f"\0{self._username}\0{password}"
        return (password, *(base64.b64encode(text.encode()).decode() for text in (password, login)))

    def __repr__(self) -> str:
        return f"Email({self._host!r}, {self._port}, to={[a.addr_spec for a in self._to]}, tls={self._tls!r})"

    async def deliver(self, message: Message) -> None:
        mail = self._compose(message)
        await self._thread.run(lambda: self._send(mail), self._each_s)

    def _compose(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = one_line(f"[InvokeAI] {message.headline}", 200)
        mail["From"] = self._sender
        mail["To"] = self._to
        mail["Date"] = format_datetime(message.at)
        # The same when it is sent again, so that a mailbox can drop the copy.
        mail["Message-ID"] = f"<{message.message_id}@{self._sender.domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body, charset="utf-8", cte="quoted-printable")
        return mail

    def _send(self, mail: EmailMessage) -> None:
        # When it is tried again, those that have it are left out.
        message_id, left = self._left
        if message_id != mail["Message-ID"]:
            left = self._all
        try:
            with self._connect() as smtp:
                if self._tls == "starttls":
                    smtp.starttls(context=self._context or ssl.create_default_context())
                if self._username is not None and self._password is not None:
                    smtp.login(self._username, self._password.value)
                refused = smtp.send_message(mail, to_addrs=left)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPException as error:
            raise _undelivered(error) from None
        except ssl.SSLError as error:
            raise Undelivered(f"no encrypted connection: {error.reason or 'certificate'}") from None
        except OSError as error:
            raise Undelivered(f"no connection: {error.strerror or type(error).__name__}", retryable=True) from None
        self._left = (mail["Message-ID"], tuple(refused) or self._all)
        if refused:
            raise _refused([code for code, _ in refused.values()], of=len(self._all))

    def _connect(self) -> smtplib.SMTP:
        if self._tls == "implicit":
            context = self._context or ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._each_s, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=self._each_s)


def _refused(codes: Sequence[int], *, of: int) -> Undelivered:
    """So many of the addresses were refused, each with a code; the others have it."""
    which = "that address" if of == 1 else f"{len(codes)} of {of} addresses"
    return Undelivered(
        f"the server takes no mail for {which} ({', '.join(map(str, sorted(set(codes))))})",
        retryable=any(400 <= code < 500 for code in codes),
    )


def _undelivered(error: smtplib.SMTPException) -> Undelivered:
    """What the server said, by its code: its text may repeat what it was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Undelivered(f"the server refused the login ({error.smtp_code})", retryable=error.smtp_code < 500)
    if isinstance(error, smtplib.SMTPResponseException):
        return Undelivered(
            f"the server answered {error.smtp_code} ({type(error).__name__})", retryable=400 <= error.smtp_code < 500
        )
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Undelivered("the server closed the connection", retryable=True)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Undelivered("the server does not offer what is needed, say STARTTLS or a login")
    return Undelivered(f"it could not be sent ({type(error).__name__})")


def _address(name: str, text: object) -> Address:
    if not isinstance(text, str):
        raise InvalidRequest(f"{name}: should be an address, got {type(text).__name__}.")
    try:
        address = Address(addr_spec=text.strip())
        if text.isprintable() and text.isascii() and address.username and "." in address.domain + ".":
            return address
    except (ValueError, IndexError, MessageError):
        pass
    raise InvalidRequest(f"{name}: {text!r} is not an e-mail address such as 'me@example.org'.")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
