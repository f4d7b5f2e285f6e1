"""Files for the submitter's form: what is read of them and what is said of those that cannot be."""

from __future__ import annotations

import codecs
import datetime as dt

import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.widgets import files
from invoke_widgets.widgets.base import View
from tests.support.pressing import text
from tests.support.table_console import FedConsole


@pytest.mark.parametrize(
    "content",
    [
        '{"é": 1}'.encode(),
        codecs.BOM_UTF8 + '{"é": 1}'.encode(),
        '{"é": 1}'.encode("utf-16"),
        codecs.BOM_UTF16_BE + '{"é": 1}'.encode("utf-16-be"),
    ],
)
def test_texts_are_read(content: bytes) -> None:
    """UTF-8 and UTF-16, with what editors put before them."""
    assert '{"é": 1}' == files.read("a.json", content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"\xff\xd8\xff", '"a.png" is not a text file in UTF-8.'),
        ("odd", codecs.BOM_UTF16_LE + b"\x00", '"odd" is not a text file in UTF-8.'),
        ("none.json", b" \n", '"none.json" is empty.'),
        ("big.json", b" " * (files.LIMIT + 1), '"big.json" has 4,000,001 bytes; the form takes 4,000,000.'),
        ("a\n\u202eb", b"", '"a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b" is empty.'),
        pytest.param("\ud800" * 90, b"", '"' + "\N{REPLACEMENT CHARACTER}" * 79 + '…" is empty.', id="long"),
    ],
)
def test_what_cannot_be_read_is_told(name: str, content: bytes, message: str) -> None:
    """With the file's name, cut and without what cannot be seen."""
    with pytest.raises(InvalidRequest) as caught:
        files.read(name, content)
    assert message == caught.value.message
    assert caught.value.suggestion


def test_what_the_page_refused_is_told() -> None:
    """For each reason that the page gives, and for one that it does not know."""
    told = [files.refused(why, "a", size).message for why, size in (("size", 5), ("size", "x"), ("many", 0), ("?", 0))]
    assert [
        '"a" has 5 bytes; the form takes 4,000,000.',
        '"a" is too large; the form takes 4,000,000.',
        "The form takes one file at a time.",
        '"a" could not be read.',
    ] == told


def test_without_anywidget_a_file_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the button is ipywidgets' own."""
    monkeypatch.setattr(files, "FileZone", None)
    taken: list[str] = []
    with FedConsole() as console:
        view = View(console)  # type: ignore[arg-type]
        chooser = files.FileInput(view, taken.append)
        view.show(chooser.button, chooser.error)
        file = {"name": "<b>.json", "type": "", "size": 2, "last_modified": dt.datetime.now(dt.UTC)}
        chooser.button.value = ({**file, "content": memoryview(b"\xff")},)
        assert '"<b>.json" is not a text file' in text(view)
        chooser.button.value = ({**file, "content": memoryview(b"{}")},)
        assert (["{}"], "") == (taken, text(view))
