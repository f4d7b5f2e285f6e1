"""Texts without the secrets that must get into no log, file, frame or notebook.

What a server says is cleaned once, where it comes in (`incoming`). What was cleaned is later only searched for secrets
that are known as such (`without_known`), which costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 20_000
"""So much of a text is kept: more of a traceback helps nobody, and whoever sends megabytes holds nothing up."""

_VALUE = r"""['"]?[ \t]{0,9}[=:][ \t]{0,9}"""
# Quoted to the other quote, which may be escaped, as in JSON within JSON; otherwise to the first delimiter.
_SECRET = r"""(\\?['"])?)(?!\[token\])(?(2)(?:(?!\2)(?:\\.|[^\\\n])){3,}|[^\s'",;&)}\]\\]{3,})"""

# Each is tried only where one of its words is, in lower case. Each begins with literal text, and what may be repeated
# without end takes all that it can or is bounded, so that the time grows with the length of the text, not its square.
_SECRETS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # A JSON Web Token, as InvokeAI's own are; also one that breaks off.
    (("eyj",), re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{5,}(?:\.[\w-]*){0,2}"), "[token]"),
    # Of an address: who logs in, and what a query calls a key or a signature.
    (("://",), re.compile(r"""(://)[^\s/@'"]+@"""), r"\1[token]@"),
    (("key=", "sig=", "signature="), re.compile(r"(?i)([?&][\w.-]{0,40}(?:key|sig|signature)=)[^\s&'\"#]{3,}"),
     r"\1[token]"),
    # What providers give out, by its first letters.
    (("hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "pat_", "pat-", "whsec_"),
     re.compile(r"\b(?:hf_|gh[opusr]_|github_pat_|pat[_-]|whsec_)[A-Za-z0-9]{16}[\w+/=-]*"), "[token]"),
    (("sk-", "sk_live_", "sk_test_"), re.compile(r"\bsk(?:-|_live_|_test_)[\w-]{16,}"), "[token]"),
    (("aiza",), re.compile(r"\bAIza[\w-]{16,}"), "[token]"),
    # A password may have spaces: unless it is quoted, it goes on to the end of its line. Before the others, which would
    # take the word itself for what follows theirs.
    (("password", "passwd"), re.compile(r"""(?i)(passw(?:or)?d[ \t]{0,9}:[ \t]{0,9})(?!\[token\])[^\s'"\\][^\n]{2,}"""),
     r"\1[token]"),
    (("password", "passwd"), re.compile(r"(?i)(passw(?:or)?d\\?" + _VALUE + _SECRET), r"\1[token]"),
    (("authorization",), re.compile(r"(?i)(authorization\\?" + _VALUE + r"(?:\\?['\"])?(?:(?:basic|bearer|digest|token)"
     r"[ \t]{1,9})?)(?!\[token\])[^\s'\",;&)}\]\\]{3,}"), r"\1[token]"),
    (("bearer",), re.compile(r"(?i)(\bbearer[ \t]{1,9})[\w.~+/=-]{6,}"), r"\1[token]"),
    (("basic",), re.compile(r"(?i)(\bbasic[ \t]{1,9})[\w.~+/=-]{6,}"), r"\1[token]"),
    (("token",), re.compile(r"(?i)(token\\?" + _VALUE + _SECRET), r"\1[token]"),
    (("secret",), re.compile(r"(?i)(secret\\?" + _VALUE + _SECRET), r"\1[token]"),
    (("api_key", "api-key", "apikey", "api key"), re.compile(r"(?i)(api[_ -]?key(?:\sprovided)?\\?" + _VALUE + _SECRET),
     r"\1[token]"),
)  # fmt: skip


def incoming(text: str) -> str:
    """A text that comes from a server: at most `LONGEST` characters of it, without secrets."""
    return without_secrets(_bounded(text))


def without_secrets(text: str, known: Iterable[str | None] = ()) -> str:
    """`text` with tokens, passwords and keys replaced by "[token]".

    Args:
        text: what a server said, or a traceback.
        known: secrets that are known as such; shorter ones than 4 characters are left alone.
    """
    text = without_known(text, known)
    lowered = text.lower()
    for words, pattern, replacement in _SECRETS:
        for word in words:
            if word in lowered:
                text = pattern.sub(replacement, text)
                break
    return text


def without_known(text: str, known: Iterable[str | None]) -> str:
    """As `without_secrets`, of a text that was cleaned before: without the secrets alone that are known as such."""
    for secret in known:
        if secret and len(secret) >= 4 and secret in text:
            text = text.replace(secret, "[token]")
    return text


def _bounded(text: str) -> str:
    """The beginning and the end. Cut between words and lines: of half a secret nobody would see what it is."""
    if len(text) <= LONGEST:
        return text
    head, tail = text[: LONGEST // 2], text[-LONGEST // 2 :]
    head = head[: max(head.rfind(" "), head.rfind("\n"))] if " " in head or "\n" in head else head
    tail = tail.partition("\n")[2]
    return f"{head}\n[{len(text) - len(head) - len(tail)} more characters]\n{tail}".rstrip()
