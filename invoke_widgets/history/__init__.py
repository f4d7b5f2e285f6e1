"""Logs of errors, cancellations and jobs, the file that keeps them, and their frames and figures."""

from invoke_widgets.history.file import HistoryFile
from invoke_widgets.history.history_base import KeptLog
from invoke_widgets.history.logs import CancellationLog, ErrorLog, EventLog, JobLog
from invoke_widgets.history.plots import Plots

__all__ = [
    "CancellationLog",
    "ErrorLog",
    "EventLog",
    "HistoryFile",
    "JobLog",
    "KeptLog",
    "Plots",
]
