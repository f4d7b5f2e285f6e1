"""Decoding of JSON with lone surrogates, which can be neither shown, stored nor sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoke_widgets.client.transport import clean, loads


def test_lone_surrogates_are_replaced() -> None:
    """Half a pair becomes a replacement character, in keys and values at any depth; a whole pair stays."""
    content = rb'{"a\ud83d": ["x\udc00y", {"b": "\ud83d\ude00"}]}'
    assert {"a\ufffd": ["x\ufffdy", {"b": "\U0001f600"}]} == loads(content)


def test_clean_json_is_returned_as_the_same_object() -> None:
    """Clean data is returned as the same object, and invalid JSON still raises."""
    data = {"a": ["\u00e4\U0001f600", 1, None]}
    assert clean(data) is data
    with pytest.raises(ValueError, match="Expecting"):
        loads(b"{")


@settings(max_examples=50)
@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_decoded_json_can_be_written_as_utf8(data: object) -> None:
    """After cleaning, any JSON can be written as UTF-8."""
    json.dumps(loads(json.dumps(data).encode()), ensure_ascii=False).encode()
