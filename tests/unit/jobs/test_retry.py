"""Which failures a `RetryPolicy` retries, and after which pauses."""

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


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"attempts": 0}, "retry.attempts"),
        ({"attempts": True}, "retry.attempts"),
        ({"attempts": 2.5}, "retry.attempts"),
        ({"max_total_s": -1}, "retry.max_total_s"),
        ({"backoff_s": "1"}, "retry.backoff_s"),
        ({"max_backoff_s": float("nan")}, "retry.max_backoff_s"),
        ({"on": "network"}, "retry.on"),
        ({"on": 5}, "retry.on"),
        ({"on": [iw.JobErrorType.NETWORK_ERROR, 5]}, "retry.on"),
        ({"on": iw.ServerUnreachable}, "retry.on.*ServerUnreachable.*Use NetworkError."),
        ({"on": iw.JobCanceled}, "retry.on.*JobCanceled.*ExecutionFailed or"),
    ],
)
def test_bad_policies_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    """A bad policy is refused when it is made."""
    with pytest.raises(iw.InvalidRequest, match=named):
        iw.RetryPolicy(**options)


def test_pauses_grow_and_are_capped() -> None:
    """Each pause is between half and all of the doubled last one, and never longer than the maximum."""
    policy = iw.RetryPolicy(backoff_s=1, max_backoff_s=10)
    whole = [1, 2, 4, 8, 10, 10]
    for _ in range(50):
        pauses = [policy.pause_s(attempt) for attempt in range(1, 7)]
        assert all(top / 2 <= pause <= top for pause, top in zip(pauses, whole, strict=True))
    assert 10 >= policy.pause_s(100_000)
