"""Logs of errors, cancellations and jobs, the file that keeps them, and their frames and figures."""

from invoke_widgets.history.file import HistoryFile
from invoke_widgets.history.logs import (
    CancellationLog,
    ErrorGroup,
    ErrorLog,
    EventLog,
    JobLog,
    Log,
    LoggedEvent,
    group_errors,
    job_error,
)
from invoke_widgets.history.plots import Plots, picture_grid

__all__ = [
    "CancellationLog",
    "ErrorGroup",
    "ErrorLog",
    "EventLog",
    "HistoryFile",
    "JobLog",
    "Log",
    "LoggedEvent",
    "Plots",
    "group_errors",
    "job_error",
    "picture_grid",
]
