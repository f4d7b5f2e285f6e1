"""Acting on jobs (submit, cancel, retry), and the handles on them."""

from invoke_widgets.jobs.actions import Actions
from invoke_widgets.jobs.batch import (
    Batch,
    Jobs,
    Retry,
    Sweep,
    as_completed,
    ended_items,
    handles_of,
    jobs_of,
    let_go_of,
)
from invoke_widgets.jobs.cancel import a_few_at_once, no_batch
from invoke_widgets.jobs.job import Context, Job, OnTimeout, Unsubscribe, hindrance
from invoke_widgets.jobs.missing import Missing
from invoke_widgets.jobs.retry import RetryPolicy
from invoke_widgets.jobs.submit import Submission
from invoke_widgets.jobs.watch import Watch, follow, in_turn

__all__ = [
    "Actions",
    "Batch",
    "Context",
    "Job",
    "Jobs",
    "Missing",
    "OnTimeout",
    "Retry",
    "RetryPolicy",
    "Submission",
    "Sweep",
    "Unsubscribe",
    "Watch",
    "a_few_at_once",
    "as_completed",
    "ended_items",
    "follow",
    "handles_of",
    "hindrance",
    "in_turn",
    "jobs_of",
    "let_go_of",
    "no_batch",
]
