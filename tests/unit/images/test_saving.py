"""The names of saved pictures: from any pattern and any values, safe on every system."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.images.saving import file_names, numbered

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


@pytest.mark.parametrize(
    ("pattern", "values", "name"),
    [
        ("{name}", {"name": "4f.png"}, "4f.png"),
        (
            "{Prompt:.5}-{add.a}-{seed:03}.png",
            {"Prompt": "a fox in snow", "add.a": 1.5, "seed": 7},
            "a fox-1.5-007.png",
        ),
        ("{Positive: Prompt:.3}{{x}}", {"Positive": 1, "Positive: Prompt": "abcdef"}, "abc{x}.png"),
        ("{model}", {"model": {"key": "k", "name": "FLUX schnell"}}, "FLUX schnell.png"),
        ("{a}{b}", {"a": ".", "b": "./etc/passwd"}, "_._etc_passwd.png"),
        ("{a}", {"a": '..\\..\\x:y|z?*<>"\n\t\u202e\ud800'}, "_._.._x_y_z_____ __.png"),
        ("{a}", {"a": "con"}, "_con.png"),
        ("{a}", {"a": "LPT¹.txt"}, "_LPT¹.txt.png"),
        ("{a}", {"a": None}, "none.png"),
        ("{a}", {"a": " . . "}, "_.png"),
        ("{a}.PNG", {"a": "é" * 300}, "é" * 98 + ".png"),
        ("{a:}", {"a": [1, 2]}, "[1, 2].png"),
    ],
)
def test_names(pattern: str, values: dict[str, Any], name: str) -> None:
    """Values by name and format, without anything that a name cannot hold."""
    assert [name] == file_names(pattern, [values])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{sead}", "no value 'sead'. Did you mean 'seed'"),
        ("{}", "no value ''"),
        ("{seed.__class__}", "no value 'seed.__class__'"),
        ("{seed[0]}", r"no value 'seed\[0\]'"),
        ("{seed!r}", "no value 'seed!r'. Did you mean 'seed'"),
        ("{seed:.3}", "'seed' is 7, which the format '.3' does not fit"),
        ("{seed", "pattern"),
        ("a/{seed}", "has a slash"),
        ("..\\{seed}", "has a slash"),
        ("", "should be a text"),
    ],
)
def test_patterns_that_are_refused(pattern: str, message: str) -> None:
    """An unknown name has a near one, and a pattern cannot name a folder or look into a value."""
    with pytest.raises(InvalidRequest, match=message) as caught:
        file_names(pattern, [{"seed": 7}])
    assert "pattern" == caught.value.field


_TEXT = st.text() | st.sampled_from(["..", "../", "\\", "con", "nul.png", "a" * 300, "\ud800", ".png", "\u202e", "~"])
_VALUES = st.one_of(
    _TEXT, st.none(), st.integers(), st.floats(), st.booleans(), st.lists(_TEXT), st.dictionaries(_TEXT, _TEXT)
)


@given(st.lists(_TEXT, max_size=4), st.lists(_VALUES, min_size=1, max_size=3), st.integers(1, 10_000))
def test_no_name_leads_out_of_the_folder(texts: list[str], values: list[Any], number: int) -> None:
    """Whatever pattern and values are: one part of a path, of at most 200 bytes, that every system takes."""
    literal = [text.replace("{", "").replace("}", "").replace("/", "").replace("\\", "") for text in texts]
    pattern = "{v}".join(["", *literal])
    for name in file_names(pattern or "x", [{"v": value} for value in values]):
        for each in (name, numbered(name, number)):
            assert each == Path(each).name
            assert len(each.encode()) <= 200
            assert each.endswith(".png")
            assert each.split(".")[0].strip().lower() not in _RESERVED
            assert not each.startswith((".", " "))
            assert not set(each) & set('<>:"/\\|?*')
            assert not {unicodedata.category(c) for c in each} & {"Cc", "Cf", "Cs"}
            assert (Path("/folder") / each).resolve().parent == Path("/folder")
