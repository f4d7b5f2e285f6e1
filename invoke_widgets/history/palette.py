"""The colours of statuses and of classes of errors, for widgets and figures alike. Constants only.

Each colour has a contrast of at least 3:1 against both white and #111111, so that one table serves light and dark
(WCAG 2.2, 1.4.11), as long as it is drawn opaque. Within a table every two colours stay apart in normal sight and in
simulated protanopia, deuteranopia and tritanopia: at least 0.13 (statuses) and 0.10 (classes) in OKLab. All are tests.
Colour is never the only sign: a word or a mark goes with it.
"""

from __future__ import annotations

from typing import Final

from invoke_widgets.errors import JobErrorType
from invoke_widgets.records import CANCELED, COMPLETED, FAILED, IN_PROGRESS, PENDING, WAITING

STATUS_COLORS: Final[dict[str, str]] = {
    PENDING: "#825981",
    IN_PROGRESS: "#4449ef",
    WAITING: "#a67fde",
    COMPLETED: "#2ca682",
    FAILED: "#ad3c09",
    CANCELED: "#f75b0c",
}
"""Status -> colour. For a status that is not known: `OTHER_COLOR`."""

ERROR_COLORS: Final[dict[JobErrorType, str]] = {
    JobErrorType.SUBMISSION_FAILED: "#3557f1",
    JobErrorType.VALIDATION_ERROR: "#c9851a",
    JobErrorType.EXECUTION_FAILED: "#bd240e",
    JobErrorType.TIMEOUT_ERROR: "#a61db0",
    JobErrorType.NETWORK_ERROR: "#2896f7",
    JobErrorType.RESOURCE_ERROR: "#fc3fb8",
    JobErrorType.CANCELLATION_FAILED: "#685e6d",
    JobErrorType.UNKNOWN_ERROR: "#947c70",
}
"""Class of error -> colour."""

OTHER_COLOR: Final = "#808080"
"""For what is in neither table."""

LIGHT: Final[dict[str, str]] = {"background": "#ffffff", "text": "#1f1f1f", "dim": "#5c5c5c", "line": "#dcdcdc"}
DARK: Final[dict[str, str]] = {"background": "#111111", "text": "#e6e6e6", "dim": "#b0b0b0", "line": "#3a3a3a"}
"""Paper and ink, light and dark."""
