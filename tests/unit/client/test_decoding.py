"""Text that a server may send and that nobody can pass on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoke_widgets.client import decoding


def test_lone_surrogates_are_replaced() -> None:
    """Half a pair becomes a replacement character, in keys, in values and at any depth; a whole pair stays."""
    content = rb'{"a\ud83d": ["x\udc00y", {"b": "\ud83d\ude00"}]}'
    assert {"a\ufffd": ["x\ufffdy", {"b": "\U0001f600"}]} == decoding.loads(content)


def test_what_is_well_is_left_alone() -> None:
    """Clean data comes back as the same object, and what is no JSON still raises."""
    data = {"a": ["\u00e4\U0001f600", 1, None]}
    assert decoding.clean(data) is data
    with pytest.raises(ValueError, match="Expecting"):
        decoding.loads(b"{")


@settings(max_examples=50)
@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_comes_can_be_sent_on(data: object) -> None:
    """After cleaning, any JSON can be written as UTF-8."""
    json.dumps(decoding.loads(json.dumps(data).encode()), ensure_ascii=False).encode()
