"""A test that cannot apply to a server's version is left out, and counted with the reason."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.servers import version_has


@pytest.mark.parametrize(
    ("version", "feature", "expected"),
    [
        ("6.6.0", "item_ids", False),
        ("6.7.0rc1", "item_ids", True),
        ("6.12.0", "events_twice", False),
        ("6.13.8", "events_twice", True),
        ("6.14.2", "events_twice", False),
        ("7.0.0", "item_summaries", True),
    ],
)
def test_a_feature_has_borders(version: str, feature: str, expected: bool) -> None:
    """The first version that has it, and for some the first that has it no more."""
    assert expected == version_has(version, feature)


def test_what_an_old_version_cannot_do_is_left_out_with_the_reason() -> None:
    """Neither failed nor skipped."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--collect-only", "--real=6.0.2", "-m", "real"]
    done = subprocess.run([*command, "tests/contract/test_client_queue.py"], capture_output=True, text=True)
    assert 0 == done.returncode
    assert "3 tests were left out: InvokeAI 6.0.2 has no item_ids" in done.stdout
    assert "test_get_queue_item_ids[real-6.0.2]" not in done.stdout
    assert "test_app_version[real-6.0.2]" in done.stdout
