"""Redaction of the secrets that must get into no log, file, frame or notebook.

Only what is certainly a secret is taken out: the secrets in use, and texts whose form gives them away. An error's text
is evidence, and to models "token" is an everyday word ("pad_token: 49407 is not in the vocabulary"), so the rest stays.

A server's text is cleaned once, where it comes in (`incoming`). A cleaned text is later searched for known secrets
alone (`without_known`), which costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TypeVar

LONGEST = 20_000
"""How many characters of a text are kept. More of a traceback helps nobody."""

# A value in quotes, which may be escaped as in JSON within JSON, up to the same quote.
_QUOTED = r"""(?P<quote>\\?['"])(?!\[token\])(?:(?!(?P=quote))(?:\\.|[^\\\n])){3,}"""
# A bare value. A traceback also shows code, whose constants, calls and subscripts are no secrets.
_CODE = r"(?:None|True|False|null|str)(?=[\s,;)}\]|]|$)|[A-Za-z_][\w.]{0,99}(?:\([^()\n]{0,200}\)|\[[^\[\]\n]{0,200}\])"
_VALUE = r"""(?!\[token\]|""" + _CODE + r""")[^\s'",;&)}\]\\]{3,}"""
# A value that can be no word: at least 16 letters and digits in a row, both among the first ones.
_OPAQUE = r"(?=[A-Za-z]{0,40}\d)(?=\d{0,40}[A-Za-z])[A-Za-z0-9]{16}[\w.~+/=-]*"


# Names of secrets, each as its first letters and what follows these.
_NAMES = {"passw": "(?:or)?d", "api": "[_-]?key", "secret": "[_-]?key", "client": "[_-]?secret",
          "access": "[_-]?token", "refresh": "[_-]?token", "auth": "[_-]?token"}  # fmt: skip
_SHORT_NAMES = {"token": "", "secret": "", "api": "[_-]?key", "access": "[_-]?key", "private": "[_-]?key",
                "passw": "(?:or)?d", "passphrase": "", "pwd": "", "auth": ""}  # fmt: skip
_ANY_NAME = f"(?i:{'|'.join(map(''.join, _NAMES.items()))})"
_ANY_SHORT_NAME = f"(?i:{'|'.join(map(''.join, _SHORT_NAMES.items()))})"
_ASSIGNED = r"""\\?['"]?[ \t]{0,9}[=:]"""
_BEFORE_OPAQUE = r"""(?:\\?['"]?[ \t]{0,9}(?:[=:,]|%3[Dd])[ \t]{0,9}b?(?:\\?['"])?|[ \t]{1,9})"""
_HEADER = r"""(authorization\\?['"]?[ \t]{0,9}[=:,][ \t]{0,9}b?(?:\\?['"])?"""
_LONG = "[a-z0-9]{16}"


_Rule = tuple[list[tuple[str, re.Pattern[str]]], list[tuple[re.Pattern[str], str]]]


def _rule(hints: dict[str, str], *replaced: tuple[str, str]) -> _Rule:
    """What is replaced, by what, where one of the hints is: a word, and what follows it, in lower case.

    Hints cost next to nothing, while a pattern that takes letters of any case is slow.
    """
    return (
        [(word, re.compile(re.escape(word) + rest)) for word, rest in hints.items()],
        [(re.compile(pattern), replacement) for pattern, replacement in replaced],
    )


# What may be repeated without end takes all that it can or is bounded, so that the time is linear in the length of the
# text.
@cache
def _secrets() -> tuple[_Rule, ...]:
    """The rules, made at first use: compiling their patterns takes 6 ms, which an import is to be spared."""
    return (
        # A JSON Web Token, such as InvokeAI's own; also one that is cut off.
        _rule({"eyj": ""}, (r"(?<![A-Za-z0-9])eyJ[\w-]{5,}(?:\.[\w-]*){0,2}", "[token]")),
        _rule({"private key-----": ""}, (r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(?:(?!-----)[\s\S])*", "[token]")),
        # In a URL: the user and password, and a parameter of the query that holds a secret.
        _rule({"@": ""}, (r"""(:\\?/\\?/)[^\s/'"]+@""", r"\1[token]@")),
        _rule({"?": "", "&": "", "#": ""},
              (r"""(?i)([?&#](?:amp;)?(?!(?:sort|order|group|public)[_-]?key)(?:[\w.-]{0,40}[_.-])?"""
               r"""(?:(?:api)?key|sig|signature|token|secret|password|pwd|credential)=)(?!\[token\])[^\s&'\"#]{3,}""",
               r"\1[token]")),
        # What providers give out, by its prefix.
        _rule({"hf_": _LONG, "api_org_": _LONG, "gh": "[opusr]_" + _LONG, "pat": "[_-]" + _LONG, "whsec_": _LONG,
               "r8_": _LONG, "npm_": _LONG},
              (r"\b(?:hf_|api_org_|gh[opusr]_|github_pat_|(?:gl)?pat[_-]|whsec_|r8_|npm_)[A-Za-z0-9]{16}[\w+/=-]*",
               "[token]")),
        _rule({"sk": r"(?:-|_live_|_test_)[\w-]{16}"},
              (r"\bsk(?:-|_live_|_test_)(?=[\w-]{0,200}\d)[\w-]{16,}", "[token]")),
        _rule({"xox": ""}, (r"\bxox[abeoprs]-[\w-]{10,}", "[token]")),
        _rule({"aiza": ""}, (r"\bAIza[\w-]{16,}", "[token]")),
        # What follows the name of a secret: in quotes, or after "=". After ":" on a line of its own a password may have
        # spaces, and goes on to the end of the line.
        _rule({"passw": r"(?:or)?d[ \t]{0,9}:"},
              (r"""(?im)(^[ \t]{0,99}passw(?:or)?d[ \t]{0,9}:[ \t]{0,9})"""
               r"""(?!\[token\]|(?:None|str)[ \t]{0,9}(?:$|[|,)=]))[^\s'"\\][^\n]{2,}""", r"\1[token]")),
        _rule({word: rest + _ASSIGNED for word, rest in _NAMES.items()},
              ("(" + _ANY_NAME + _ASSIGNED + r"""[ \t]{0,9}(?=\\?['"]))""" + _QUOTED, r"\1\g<quote>[token]"),
              ("(" + _ANY_NAME + r"[ \t]{0,9}=[ \t]{0,9})(?i:" + _VALUE + ")", r"\1[token]")),
        _rule({"api key provided:": ""}, (r"(?i)(api key provided:[ \t]{0,9})" + _VALUE, r"\1[token]")),
        # Names that models use, too ("eos_token"), and headers ("X-API-Key: ..."): only before what can be no word.
        _rule({word: rest + _BEFORE_OPAQUE + _OPAQUE for word, rest in _SHORT_NAMES.items()},
              ("(" + _ANY_SHORT_NAME + _BEFORE_OPAQUE + ")" + _OPAQUE, r"\1[token]")),
        # The header, with its scheme or with a value that is too long to be a word, and its value alone. "Bearer
        # authentication failed" is neither: a value has a digit.
        _rule({"authorization": ""},
              (r"(?i)" + _HEADER + r"(?:digest|aws4-hmac-sha256)[ \t]{1,9})[^\n]{3,}", r"\1[token]"),
              (r"(?i)" + _HEADER + r"(?:basic|bearer|token)[ \t]{1,9})" + _VALUE, r"\1[token]"),
              (r"(?i)" + _HEADER + r"(?:[\w-]{2,20}[ \t]{1,9})?)" + _OPAQUE, r"\1[token]"),
              (r"(?i)" + _HEADER + r")(?!\[token\])[\w.~+/=-]{16,}", r"\1[token]")),
        _rule({"cookie": ""},
              (r"""(?i)(\bcookie\\?['"]?[ \t]{0,9}[=:,][ \t]{0,9}b?(?:\\?['"])?)(?=[\w.-]{1,60}=)[^\n'"\\]{3,}""",
               r"\1[token]")),
        _rule({"bearer": ""}, (r"(?i)(\bbearer[ \t]{1,9})(?=[\w.~+/=-]{0,200}\d)[\w.~+/=-]{6,}", r"\1[token]")),
    )  # fmt: skip


class Secret(str):
    """A token or password: a text like any other, but not where the values of variables are shown.

    IPython's verbose tracebacks, crash reports and debuggers show the variables of each frame by their `repr`. Whoever
    is given a secret wraps it first, so that the plain text is in no frame below the caller's.
    """

    def __repr__(self) -> str:
        return "[token]"


class Address(str):
    """A server's address, shown without the user and password that it may have."""

    def __repr__(self) -> str:
        return repr(re.sub(r"(^|//)[^/\s]*@", r"\1[token]@", str(self), count=1))


class Body(bytes):
    """What is sent, which may hold a password; shown as its length."""

    def __repr__(self) -> str:
        return f"<{len(self):,} bytes>"


S = TypeVar("S")


def secret(value: S) -> S:
    """`value` as a `Secret` if it is a string; else unchanged, to be refused elsewhere."""
    return Secret(value) if isinstance(value, str) else value  # type: ignore[return-value]


def address(value: S) -> S:
    """`value` as an `Address` if it is a string; else unchanged, to be refused elsewhere."""
    return Address(value) if isinstance(value, str) else value  # type: ignore[return-value]


def incoming(text: str) -> str:
    """A text from a server, without secrets and with at most about `LONGEST` characters."""
    return without_secrets(_bounded(text))


def without_secrets(text: str, known: Iterable[str | None] = ()) -> str:
    """`text` with every certain secret replaced by "[token]".

    Args:
        text: a server's text, or a traceback.
        known: the secrets in use; those of fewer than 4 characters are left alone.
    """
    text = without_known(text, known)
    lowered = text.lower()
    for hints, replaced in _secrets():
        for word, hint in hints:  # faster than any()
            if word in lowered and hint.search(lowered):
                for pattern, replacement in replaced:
                    text = pattern.sub(replacement, text)
                lowered = text.lower()
                break
    return text


def without_known(text: str, known: Iterable[str | None]) -> str:
    """A text that was cleaned before, with the secrets in `known` replaced by "[token]"."""
    for secret in known:
        if secret and len(secret) >= 4 and secret in text:
            text = text.replace(secret, "[token]")
    return text


def _bounded(text: str) -> str:
    """The beginning and the end of a long text, cut between words and lines: half a secret would not be recognized."""
    if len(text) <= LONGEST:
        return text
    head, tail = text[: LONGEST // 2], text[-LONGEST // 2 :]
    head = head[: max(head.rfind(" "), head.rfind("\n"))] if " " in head or "\n" in head else head
    tail = tail.partition("\n")[2]
    return f"{head}\n[{len(text) - len(head) - len(tail)} more characters]\n{tail}".rstrip()
