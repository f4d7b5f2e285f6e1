"""Which failures a `RetryPolicy` retries."""

from __future__ import annotations

from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets.history import job_error
from tests.unit.history.test_logs import failed

LOST = "Connection reset by peer"
MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB"


@pytest.mark.parametrize(
    ("message", "on", "expected"),
    [
        (MEMORY, None, False),
        (LOST, None, True),
        ("whatever", None, False),
        (MEMORY, "resource_error", True),
        (LOST, iw.JobErrorType.RESOURCE_ERROR, False),
        (LOST, (iw.ResourceError, iw.NetworkError), True),
        ("whatever", RuntimeError, True),
        ("whatever", ZeroDivisionError, False),
        ("whatever", lambda error: "ever" in error.message, True),
        ("whatever", lambda error: 1 / 0, False),
    ],
)
def test_policy_selects_the_failures_to_retry(message: str, on: Any, expected: bool) -> None:
    """By default a lost connection is retried and out of memory is not; otherwise by class, name or function."""
    error = job_error(failed(message=message, server_error_type="RuntimeError"))
    assert expected == iw.RetryPolicy(on=on).wants(error)
