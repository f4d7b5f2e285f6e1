"""Texts of servers and users, shortened to what can be shown, and counts in words."""

from __future__ import annotations


def cut(text: str, longest: int) -> str:
    """A text, with "…" for what is beyond `longest` characters."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def one_line(text: str, longest: int) -> str:
    """A text with single spaces for line breaks and other white space, of at most `longest` characters."""
    return cut(" ".join(text[: 10 * longest].split()), longest)


def printable(text: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Replace what a terminal would obey, or show in another order: controls, line separators, marks of direction."""
    return "".join(c if c.isprintable() else instead for c in text)


def many(count: int, thing: str) -> str:
    """`(1, "item")` -> "1 item", `(1200, "item")` -> "1,200 items"."""
    plural = f"{thing[:-2]}ches" if thing.endswith("tch") else f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"
