"""Files for the submitter's form: which are read, and what is said of the others."""

from __future__ import annotations

import codecs

import pytest

from invoke_widgets.errors import InvalidRequest
from invoke_widgets.widgets import submitter
from tests.support.parts import ask, receive
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
def test_read_file_decodes_utf8_and_utf16(content: bytes) -> None:
    """With or without a byte order mark."""
    assert '{"é": 1}' == submitter.read_file("a.json", content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"\xff\xd8\xff", '"a.png" is not a text file in UTF-8.'),
        ("odd", codecs.BOM_UTF16_LE + b"\x00", '"odd" is not a text file in UTF-8.'),
        ("none.json", b" \n", '"none.json" is empty.'),
        ("big.json", b" " * (submitter.FILE_LIMIT + 1), '"big.json" has 4,000,001 bytes; the form takes 4,000,000.'),
        ("a\n\u202eb", b"", '"a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b" is empty.'),
        pytest.param("\ud800" * 90, b"", '"' + "\N{REPLACEMENT CHARACTER}" * 79 + '…" is empty.', id="long"),
    ],
)
def test_read_file_refuses_with_the_file_name(name: str, content: bytes, message: str) -> None:
    """The name is cut and holds no invisible characters."""
    with pytest.raises(InvalidRequest) as caught:
        submitter.read_file(name, content)
    assert message == caught.value.message
    assert caught.value.suggestion


def test_refused_says_why_the_page_sent_no_file() -> None:
    """Each reason that a page sends has its message, and so has an unknown one."""
    messages = [
        submitter.refused(why, "a", size).message for why, size in (("size", 5), ("size", "x"), ("many", 0), ("?", 0))
    ]
    assert [
        '"a" has 5 bytes; the form takes 4,000,000.',
        '"a" is too large; the form takes 4,000,000.',
        "The form takes one file at a time.",
        '"a" could not be read.',
    ] == messages


def test_a_dropped_file_is_taken_or_refused() -> None:
    """What is wrong with a file is said until one is taken."""
    with FedConsole() as console:
        form = submitter.JobSubmitter(console)  # type: ignore[arg-type]
        receive(form, {"t": "file", "name": "<b>.json"}, b"\xff")
        assert '"<b>.json" is not a text file' in form.problems["file"]["message"]
        ask(form, "refused", why="many", name="")
        assert "one file at a time" in form.problems["file"]["message"]
        receive(form, {"t": "file", "name": "<b>.json"}, b"[]")
        assert ("[]", False) == (form.form["graph"], "file" in form.problems)
