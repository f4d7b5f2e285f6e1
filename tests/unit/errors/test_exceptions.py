"""How an exception reads."""

from __future__ import annotations

import pytest

from invoke_widgets.errors import JobException


@pytest.mark.parametrize(
    ("message", "suggestion", "shown"),
    [
        ("It failed.", "Try again.", "It failed. Try again."),
        ("division by zero", "Change the values.", "division by zero. Change the values."),
        ("What?", "Look.", "What? Look."),
        ("division by zero", "", "division by zero"),
    ],
)
def test_message_and_suggestion_are_two_sentences(message: str, suggestion: str, shown: str) -> None:
    """Also where a server's message has no full stop."""
    assert shown == str(JobException(message, suggestion=suggestion))
