"""Write the reference of the public API, `notebooks/reference.md`: `python -m tests.support.reference`.

Everything public is in it: the names in `__all__` of each module that users import, and the public attributes of the
classes among them. A name without a docstring is an error.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import invoke_widgets as iw
from invoke_widgets import alerts, analysis, examples, notices, widgets, workflows
from invoke_widgets.widgets.part import Part

PATH = Path(__file__).resolve().parents[2] / "notebooks" / "reference.md"

_MODULES: list[tuple[str, ModuleType]] = [
    ("invoke_widgets", iw),
    ("invoke_widgets.alerts", alerts),
    ("invoke_widgets.notices", notices),
    ("invoke_widgets.analysis", analysis),
    ("invoke_widgets.workflows", workflows),
    ("invoke_widgets.examples", examples),
    ("invoke_widgets.widgets", widgets),
]
# Of these only the names that the package itself defines: the rest comes from anywidget.
_OURS = "invoke_widgets"
_OF_PARTS = frozenset({"draw", "handlers", "within"})
"""What each view overrides; not for users."""


class UndocumentedError(Exception):
    """A public name has no docstring."""


def text() -> str:
    """The whole page."""
    lines = ["# Reference", "", "Written by `python -m tests.support.reference` from the docstrings.", ""]
    undocumented: list[str] = []
    for name, module in _MODULES:
        lines += [f"## `{name}`", ""]
        for public in sorted(getattr(module, "__all__", _public(module))):
            lines += _entry(f"{public}", getattr(module, public), undocumented)
    if undocumented:
        raise UndocumentedError(", ".join(undocumented))
    return "\n".join(lines).rstrip() + "\n"


def _public(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _entry(name: str, value: Any, undocumented: list[str]) -> list[str]:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        return []
    first = _first(value)
    if not first:
        undocumented.append(name)
    lines = [f"- **`{name}{_signature(value)}`** {first}"]
    if inspect.isclass(value):
        for member, function in _members(value):
            said = _first(function)
            if not said:
                undocumented.append(f"{name}.{member}")
            call = "" if isinstance(function, property) else _signature(function)
            lines.append(f"  - `{member}{call}` {said}")
    return [*lines, ""]


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    for name in sorted(set(dir(kind))):
        if name.startswith("_"):
            continue
        owner = next((base for base in kind.__mro__ if name in vars(base)), object)
        value = inspect.getattr_static(kind, name)
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if owner is Part or (issubclass(kind, Part) and name in _OF_PARTS):
            continue
        if owner.__module__.startswith(_OURS) and (inspect.isfunction(value) or isinstance(value, property)):
            yield name, value


def _signature(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    names = []
    star = False
    for parameter in signature.parameters.values():
        if parameter.name == "self" or parameter.name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            names.append("*")
            star = True
        star = star or parameter.kind is parameter.VAR_POSITIONAL
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = parameter.default
        plain = default is parameter.empty or prefix
        shown = "" if plain else f"={default!r}" if isinstance(default, str | int | float | bool | None) else "=…"
        names.append(f"{prefix}{parameter.name}{shown}")
    return f"({', '.join(names)})"


def _first(value: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    known = inspect.getdoc(value) or ""
    return re.sub(r"\s+", " ", known.split("\n\n")[0]).strip()


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    print(PATH)
