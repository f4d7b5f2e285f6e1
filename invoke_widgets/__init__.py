"""Watch, cancel and debug InvokeAI jobs from a Jupyter notebook.

>>> import invoke_widgets as iw
>>> console = iw.connect("http://127.0.0.1:9090")  # or iw.demo()
>>> console  # the dashboard

Importing this package starts nothing: no thread, no request, no pandas, no matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from invoke_widgets import errors as _errors
from invoke_widgets.errors import *  # noqa: F403 - the exception tree, as errors.__all__ names it
from invoke_widgets.errors import redact as _redact

if TYPE_CHECKING:
    from pathlib import Path

    from invoke_widgets import alerts, analysis, examples, notices, widgets, workflows
    from invoke_widgets._run import run
    from invoke_widgets.client import InvokeClient
    from invoke_widgets.console import Console, ConsoleStatus
    from invoke_widgets.history import HistoryFile, Plots
    from invoke_widgets.images import Board, Boards, Cleanup, Image, Images
    from invoke_widgets.jobs import Batch, Job, Missing, Retry, RetryPolicy, Sweep, as_completed
    from invoke_widgets.records import BatchStatus, Cancellation, JobError, QueueItem, QueueStatus
    from invoke_widgets.workflows import Workflow

__version__ = "0.1.0"

_LAZY = {
    "Batch": "jobs",
    "BatchStatus": "records",
    "Board": "images",
    "Boards": "images",
    "Cancellation": "records",
    "Cleanup": "images",
    "Console": "console",
    "ConsoleStatus": "console",
    "HistoryFile": "history",
    "Image": "images",
    "Images": "images",
    "InvokeClient": "client",
    "Job": "jobs",
    "JobError": "records",
    "Missing": "jobs",
    "Plots": "history",
    "QueueItem": "records",
    "QueueStatus": "records",
    "Retry": "jobs",
    "RetryPolicy": "jobs",
    "Sweep": "jobs",
    "Workflow": "workflows",
    "as_completed": "jobs",
    "run": "_run",
}
_MODULES = ("alerts", "analysis", "examples", "notices", "widgets", "workflows")

__all__ = [
    "Batch",
    "BatchStatus",
    "Board",
    "Boards",
    "Cancellation",
    "Cleanup",
    "Console",
    "ConsoleStatus",
    "HistoryFile",
    "Image",
    "Images",
    "InvokeClient",
    "Job",
    "JobError",
    "Missing",
    "Plots",
    "QueueItem",
    "QueueStatus",
    "Retry",
    "RetryPolicy",
    "Sweep",
    "Workflow",
    "__version__",
    "alerts",
    "analysis",
    "as_completed",
    "connect",
    "demo",
    "examples",
    "notices",
    "run",
    "widgets",
    "workflows",
    *_errors.__all__,
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        globals()[name] = value = getattr(import_module(f"invoke_widgets.{_LAZY[name]}"), name)
        return value
    if name in _MODULES:
        return import_module(f"invoke_widgets.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def connect(
    url: str = "http://127.0.0.1:9090",
    *,
    token: str | None = None,
    queue_id: str = "default",
    history: str | Path | HistoryFile | None = None,
    timeout: float = 30.0,
    verify: Any = True,
    use_socket: bool = True,
) -> Console:
    """Connect to an InvokeAI server and start watching its queue.

    Args:
        url: the server's address, with its path behind a proxy, and with user and password if the proxy asks for them:
            "https://user:password@host/invoke/".
        token: a Bearer token for a multiuser server; by default the environment variable INVOKEAI_TOKEN.
        queue_id: the queue; InvokeAI's own is "default".
        history: a file such as "history.sqlite", which keeps errors, cancellations and jobs for 90 days, over restarts
            of the kernel and shared with other notebooks; or a `HistoryFile` with limits of its own, which outlives the
            console. None keeps them in memory.
        timeout: seconds to wait for each part of an answer; below 3 is unsafe.
        verify: whether to check certificates; or an `ssl.SSLContext`, or a file of certificates, to check them with.
        use_socket: False to poll instead of listening to events.

    Returns:
        A `Console`; close it, or use it as a context manager, to end its thread.

    Raises:
        JobException: the connection failed; its message and suggestion say why (nothing listens, not InvokeAI, a token
            is needed, ...) and what to do.
    """
    from invoke_widgets.console import Console

    url, token = _redact.address(url), _redact.secret(token)
    console = Console(
        url, token=token, queue_id=queue_id, history=history, timeout=timeout, verify=verify, use_socket=use_socket
    )
    if control := console.client.transport.demo_control:
        from invoke_widgets.demo_server.process import EmbeddedServer

        console.demo = EmbeddedServer(console.url, control)
    return console


def demo(*, history: str | Path | HistoryFile | None = None, **options: Any) -> Console:
    """Start the embedded server in a process of its own and connect to it. It ends with the console or the kernel.

    Args:
        history: as for `connect`. The server starts empty each time, and is known to the file by its address.
        **options: those of `EmbeddedServer.start`: `port`, `root`, `max_queue_size`, `gc_pause`.

    Raises:
        ServerUnreachable: it did not start, for instance because the extra `invoke-widgets[demo]` is not installed.
    """
    from invoke_widgets.demo_server.process import EmbeddedServer

    server = EmbeddedServer.start(**options)
    try:
        console = connect(server.url, history=history)
    except BaseException:
        server.stop()
        raise
    console.demo = server
    return console
