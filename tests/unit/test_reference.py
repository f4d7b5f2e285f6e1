"""The reference of the public API."""

from __future__ import annotations

from tests.support import reference


def test_reference_is_up_to_date_and_complete() -> None:
    """Each public name has a docstring, and the page says what the docstrings say."""
    assert reference.PATH.read_text(encoding="utf-8") == reference.text()
