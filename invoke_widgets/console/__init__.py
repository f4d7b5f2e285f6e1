"""`Console`: what `connect()` returns."""

from invoke_widgets.console.console import Console, ConsoleStatus

__all__ = ["Console", "ConsoleStatus"]
