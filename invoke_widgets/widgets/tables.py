"""Tables of plain texts, as HTML and as text, for pages and terminals without widgets."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_LONGEST_TEXT = 1_000


def clean(text: str) -> str:
    """The same text without lone surrogates, which a server's JSON may hold and no message to a page may."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """The same text without what a terminal would obey, or show in another order."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def html_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "") -> str:
    """A static table of plain texts, each escaped here and nowhere else, and cut where it is very long."""

    def safe(text: str) -> str:
        return html.escape(clean(text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"))

    head = "".join(f"<th>{safe(text)}</th>" for text in headers)
    body = "".join("<tr>" + "".join(f"<td>{safe(text)}</td>" for text in row) + "</tr>" for row in rows)
    title = f"<caption>{safe(caption)}</caption>" if caption else ""
    return f"<table class='iw-static'>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def text_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, width: int = 40) -> str:
    """The same as text: columns in line, long texts cut at `width`, and nothing that a terminal would obey."""

    def cut(text: str) -> str:
        text = printable(" ".join(text.split()))
        return text if len(text) <= width else text[: width - 1] + "…"

    lines = [[cut(text) for text in row] for row in (headers, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(line, widths, strict=True)).rstrip() for line in lines)
