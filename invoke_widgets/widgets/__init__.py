"""The views of a console for Jupyter, and the only part of the package that imports ipywidgets and anywidget.

Each name is loaded when it is first used, so that the rest of the package works without a notebook.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invoke_widgets.widgets.cancellation_log import CancellationLogView
    from invoke_widgets.widgets.controls import Controls
    from invoke_widgets.widgets.dashboard import Dashboard
    from invoke_widgets.widgets.error_log import ErrorLogView
    from invoke_widgets.widgets.gallery import Gallery
    from invoke_widgets.widgets.grid import Grid
    from invoke_widgets.widgets.header import Header
    from invoke_widgets.widgets.job_line import JobLine
    from invoke_widgets.widgets.queue_table import QueueTable
    from invoke_widgets.widgets.submitter import JobSubmitter
    from invoke_widgets.widgets.text import console_text
    from invoke_widgets.widgets.workflow_form import WorkflowForm

_MODULES = {
    "CancellationLogView": "cancellation_log",
    "Controls": "controls",
    "Dashboard": "dashboard",
    "ErrorLogView": "error_log",
    "JobLine": "job_line",
    "JobSubmitter": "submitter",
    "QueueTable": "queue_table",
    "Gallery": "gallery",
    "Grid": "grid",
    "Header": "header",
    "WorkflowForm": "workflow_form",
    "console_text": "text",
}

__all__ = [
    "CancellationLogView",
    "Controls",
    "Dashboard",
    "ErrorLogView",
    "Gallery",
    "Grid",
    "Header",
    "JobLine",
    "JobSubmitter",
    "QueueTable",
    "WorkflowForm",
    "console_text",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
