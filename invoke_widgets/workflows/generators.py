"""Generators of InvokeAI's editor, which give batch nodes their values. Pure functions.

Settings, their defaults and the formulas are the editor's (InvokeAI 6.14.2). What only a server can say, the prompts of
a template and the images of a board, is asked for by `questions` and passed on as `Answers`.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.workflows.graph import invalid, near, plain

Answers = Mapping[str, Sequence[Any]]
"""What a server says to generators, by `question`."""

FAMILIES = {
    "image_generator": "images",
    "string_generator": "strings",
    "integer_generator": "integers",
    "float_generator": "floats",
}
"""Types of the editor's generator nodes, and their output."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "integer_generator_arithmetic_sequence": {"start": 0, "step": 1, "count": 10},
    "integer_generator_linear_distribution": {"start": 0, "end": 10, "count": 10},
    "integer_generator_random_distribution_uniform": {"min": 0, "max": 10, "count": 10, "seed": None},
    "integer_generator_parse_string": {"input": "1,2,3,4,5,6,7,8,9,10", "splitOn": ","},
    "float_generator_arithmetic_sequence": {"start": 0.0, "step": 0.1, "count": 10, "values": None},
    "float_generator_linear_distribution": {"start": 0.0, "end": 1.0, "count": 10, "values": None},
    "float_generator_random_distribution_uniform": {"min": 0.0, "max": 1.0, "count": 10, "seed": None, "values": None},
    "float_generator_parse_string": {
        "input": "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1",
        "splitOn": ",",
        "values": None,
    },
    "string_generator_parse_string": {"input": "foo,bar,baz,qux", "splitOn": ","},
    "string_generator_dynamic_prompts_combinatorial": {
        "input": "a super {cute|ferocious} {dog|cat}",
        "maxPrompts": 10,
    },
    "string_generator_dynamic_prompts_random": {
        "input": "a super {cute|ferocious} {dog|cat}",
        "count": 10,
        "seed": None,
    },
    "image_generator_images_from_board": {"board_id": None, "category": "images"},
}
"""The kinds of generators, with their settings' defaults."""
_ASKED = frozenset(kind for kind in SETTINGS if "dynamic_prompts" in kind or kind.startswith("image_"))
_COUNTS = ("count", "maxPrompts")
_MOST = 1_000_000
# What a list of texts is split on again; the first that none of them has.
_SEPARATORS = {",": ",", "\n": "\\n", "|": "|", "\t": "\\t", "\x1f": "\\u001f"}


def question(generator: Mapping[str, Any]) -> str:
    """What a server is asked for a generator's values; "" if it need not be asked."""
    if generator.get("type") not in _ASKED or isinstance(generator.get("values"), list):
        return ""
    return json.dumps(complete(generator), sort_keys=True)


def complete(generator: Mapping[str, Any]) -> dict[str, Any]:
    """A generator's settings, with the editor's defaults for those that are left out."""
    return {**SETTINGS.get(str(generator.get("type")), {}), **generator}


def values_of(generator: Mapping[str, Any], place: str, answers: Answers) -> list[Any]:
    """The values of a generator.

    Args:
        generator: its settings.
        place: the field that the values are for, for an error.
        answers: what a server said.

    Raises:
        InvalidRequest: its kind is unknown, or nobody asked a server for its values.
    """
    kind = str(generator.get("type", ""))
    settings = complete(generator)
    family, _, formula = kind.partition("_generator_")
    is_whole = family == "integer"
    if asked := question(generator):
        if asked in answers:
            return list(answers[asked])
        raise InvalidRequest(
            f"{place}: its values come from a generator that only a server can evaluate.",
            suggestion="console.workflow(...) loads the workflow so that its server is asked.",
            field=place,
        )
    if kind not in SETTINGS:
        raise InvalidRequest(
            f"{place}: its values come from a generator of the unknown kind {kind!r}.",
            suggestion="Write the values into the batch node, or set them by the field's name.",
            field=place,
        )
    if isinstance(settings.get("values"), list):
        return list(settings["values"])
    try:
        if formula == "parse_string":
            return _parsed(str(settings["input"]), str(settings["splitOn"]), family)
        count = int(settings["count"])
        if not 0 < count <= _MOST:
            raise invalid(place, f"a generator gives 1 to {_MOST:,} values, not {count:,}")
        number = int if is_whole else float
        if formula == "arithmetic_sequence":
            start, step = number(settings["start"]), number(settings["step"])
            return [start] if step == 0 else [start + i * step for i in range(count)]
        if formula == "linear_distribution":
            start, end = number(settings["start"]), number(settings["end"])
            if count == 1:
                return [start]
            parts = [(end - start) * (i / (count - 1)) for i in range(count)]
            return [start + (math.floor(part + 0.5) if is_whole else part) for part in parts]
        low, high = number(settings["min"]), number(settings["max"])
        randoms = _random(settings["seed"], count)
        return [math.floor(r * (high - low + 1)) + low if is_whole else r * (high - low) + low for r in randoms]
    except (TypeError, ValueError, OverflowError):
        raise invalid(place, f"the settings of its generator cannot be used: {dict(generator)!r:.200}") from None


def changed(place: str, family: str, generator: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """A generator's settings after some were set, or after it was given the values to make.

    Args:
        place: the field, for an error.
        family: the type of its node, such as "integer_generator".
        generator: its settings before.
        given: settings by name (`type` is the kind), or a list of values.

    Raises:
        InvalidRequest: there is no such kind or setting, or a value does not fit.
    """
    if isinstance(given, list | tuple | range) or getattr(given, "ndim", 0) == 1:
        return _listing(place, family, plain(place, list(given)))
    if not isinstance(given, Mapping):
        raise invalid(place, f"should be a generator's settings, such as {{'count': 3}}, or values, got {given!r:.80}")
    given = plain(place, given)
    kinds = [kind for kind in SETTINGS if kind.startswith(f"{family}_")]
    kind = given.get("type", generator.get("type"))
    if kind not in kinds:
        raise InvalidRequest(
            f"{place}: there is no generator of the kind {kind!r}.{near(str(kind), kinds)}",
            suggestion=f"One of: {', '.join(kinds)}.",
            field=place,
        )
    defaults = SETTINGS[kind]
    for name, value in given.items():
        if name != "type" and name not in defaults:
            raise InvalidRequest(
                f"{place}: this generator has no setting {name!r}.{near(name, defaults)}",
                suggestion=f"Its settings: {', '.join(defaults)}.",
                field=place,
            )
        if name != "type" and (wanted := _misfit(name, value, defaults[name])):
            raise invalid(f"{place}", f"{name} should be {wanted}, got {value!r:.80}")
    before = {name: value for name, value in generator.items() if name in defaults}
    return {**defaults, **before, **given, "type": kind}


def _misfit(name: str, value: Any, default: Any) -> str:
    """What a setting should be; "" if it is."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if name in _COUNTS:
        return "" if is_whole and 0 < value <= _MOST else f"a whole number from 1 to {_MOST:,}"
    if name == "category":
        return "" if value in ("images", "assets") else "'images' or 'assets'"
    if name == "values":
        return "" if value is None or isinstance(value, list) else "a list of numbers, or None"
    if name == "seed":
        return "" if value is None or is_whole else "a whole number, or None for others each time"
    if default is None or isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    if isinstance(default, int):
        return "" if is_whole else "a whole number"
    return "" if is_whole or isinstance(value, float) else "a number"


def _listing(place: str, family: str, values: list[Any]) -> dict[str, Any]:
    """The generator that makes a list of values."""
    kind = f"{family}_parse_string"
    if kind not in SETTINGS:
        raise InvalidRequest(
            f"{place}: this generator gives the images of a board.",
            suggestion="Set {'board_id': ...}, or the images of the batch node that it feeds.",
            field=place,
        )
    texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
    separator = next((mark for mark in _SEPARATORS if not any(mark in text for text in texts)), None)
    if separator is None:
        raise invalid(place, "these texts cannot be made by a generator; set the batch node's own values")
    made = {"type": kind, "input": separator.join(texts), "splitOn": _SEPARATORS[separator]}
    if not values or values_of(made, place, {}) != values:
        wanted = {"integer_generator": "whole numbers", "float_generator": "numbers"}.get(family, "texts, none empty")
        raise invalid(place, f"should be {wanted}, got {values!r:.80}")
    return made


def _random(seed: Any, count: int) -> Iterable[float]:
    """Numbers in [0, 1), the same as the editor's Mersenne Twister makes of a seed."""
    import numpy as np

    state = np.random.RandomState(None if seed is None else int(seed) % 2**32)
    return [float(number) / 2**32 for number in state.randint(0, 2**32, count, dtype=np.uint32)]


def _parsed(text: str, separator: str, family: str) -> list[Any]:
    with contextlib.suppress(ValueError):
        separator = json.loads(f'"{separator}"')  # as the editor does, so that \\n is a line's end
    parts = [part for part in (text.split(separator) if separator else [text]) if part]
    if family == "string":
        return list(parts)
    numbers = [_leading_number(part.strip(), family) for part in parts]
    return [number for number in numbers if number is not None]


def _leading_number(text: str, family: str) -> float | int | None:
    """The number that a text begins with, as JavaScript reads it; None if there is none."""
    pattern = r"[+-]?\d+" if family == "integer" else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    found = re.match(pattern, text)
    return None if found is None else int(found[0]) if family == "integer" else float(found[0])
