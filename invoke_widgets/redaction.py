"""Texts without the secrets that must get into no log, file, frame or notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MAY_HOLD_SECRETS = (
    "bearer",
    "token",
    "password",
    "secret",
    "api_key",
    "apikey",
    "api-key",
    "eyj",
    "://",
    "authorization",
)
_SECRETS = (
    # A JSON Web Token, as InvokeAI's own are.
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [token]"),
    (re.compile(r"(?i)((?:access_|refresh_|auth_|hf_)?(?:token|password|passwd|secret|api[_-]?key|authorization)['\"]?\s*[=:]\s*['\"]?)"
                r"(?!bearer|basic|\[token\])[^\s'\",;&)}\]]{3,}"), r"\1[token]"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@:]+:[^\s/@]+@"), r"\1[token]@"),
    (re.compile(r"\b(?:hf|sk|ghp|pat)[_-][A-Za-z0-9_-]{16,}"), "[token]"),
)  # fmt: skip


def without_secrets(text: str, known: Iterable[str | None] = ()) -> str:
    """`text` with tokens, passwords and keys replaced by "[token]".

    Args:
        text: what a server said, or a traceback.
        known: secrets that are known as such; shorter ones than 4 characters are left alone.
    """
    for secret in known:
        if secret and len(secret) >= 4 and secret in text:
            text = text.replace(secret, "[token]")
    lowered = text.lower()
    if any(word in lowered for word in _MAY_HOLD_SECRETS) or "hf_" in text or "sk-" in text:
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    return text
