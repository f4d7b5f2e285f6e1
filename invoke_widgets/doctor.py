"""`invoke-widgets doctor`: check the server, its queue, and this environment."""

from __future__ import annotations

import contextlib
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any, Literal

from invoke_widgets import __version__
from invoke_widgets._loop import LoopThread
from invoke_widgets._run import has_old_patch
from invoke_widgets.client import InvokeClient, normalise_url
from invoke_widgets.console import Console, ConsoleStatus
from invoke_widgets.errors import JobException
from invoke_widgets.records import STATUSES
from invoke_widgets.widgets.kernel import liveness

Level = Literal["ok", "warning", "problem"]

_TIMEOUT_S = 10.0
_PINGS = 5
# A healthy server on the same machine answers within milliseconds, but pauses for half a second before an item.
_SLOW_S = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        name: what was checked.
        level: "ok", "warning" (usable, but worth a look) or "problem" (not usable).
        message: the result in words.
        remedy: what to do about it; empty if there is nothing to do.
        data: the result for a program.
    """

    name: str
    level: Level
    message: str
    remedy: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one server and this environment."""

    url: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether there is no problem; warnings do not count."""
        return all(finding.level != "problem" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        findings = [asdict(finding) for finding in self.findings]
        return {"invoke_widgets": __version__, "url": self.url, "usable": self.usable, "findings": findings}

    def __str__(self) -> str:
        width = max(len(finding.name) for finding in self.findings)
        lines = [f"invoke-widgets {__version__}, {self.url}"]
        for finding in self.findings:
            lines.append(f"  {finding.level:8} {finding.name:{width}}  {finding.message}")
            if finding.remedy:
                lines.append(f"  {'':8} {'':{width}}  -> {finding.remedy}")
        lines.append("Usable." if self.usable else "Not usable: see the problems above.")
        return "\n".join(lines)


def examine(url: str) -> Report:
    """Check a server and this environment, within seconds. Nothing on the server is changed.

    Args:
        url: the server's address. The token in INVOKEAI_TOKEN is used, and never shown.
    """
    shown = url
    with contextlib.suppress(JobException):  # which _server reports
        shown = normalise_url(url)  # drops a user name and password
    return Report(shown, (*_server(url), *_environment()))


# -- the server ----------------------------------------------------------------------------------------------------


def _server(url: str) -> list[Finding]:
    loop = LoopThread("invoke-widgets doctor")
    try:
        found, reachable = loop.call(_ask(url))
    finally:
        loop.stop()
    if reachable:
        found += _queue(url)
    return found


async def _ask(url: str) -> tuple[list[Finding], bool]:
    """Check version, latency and access; return the findings, and whether to check the queue too."""
    try:
        client = InvokeClient(url, timeout=_TIMEOUT_S)
    except JobException as error:
        return [_problem("server", error)], False
    async with client:
        try:
            version = await client.app_version()
            await client.need_oldest()
            taken = []
            for _ in range(_PINGS):
                begin = time.perf_counter()
                await client.app_version()
                taken.append(time.perf_counter() - begin)
            setup = await client.get_setup_status()
        except JobException as error:
            return [_problem("server", error)], False
        found = [Finding("server", "ok", f"InvokeAI {version}", data={"version": version}), _latency(taken)]
        has_token = client.transport.token is not None
        if setup.multiuser_enabled and has_token:
            try:
                await client.get_current_user_info()
            except JobException as error:
                return [*found, _problem("access", error)], False
    data = {"multiuser": setup.multiuser_enabled, "token": has_token}
    if not setup.multiuser_enabled:
        ignored = "; the one in INVOKEAI_TOKEN is ignored" if has_token else ""
        return [*found, Finding("access", "ok", f"single-user, no token needed{ignored}", data=data)], True
    if not has_token:
        remedy = setup.remedy(client.url) or "Set INVOKEAI_TOKEN, or pass token=... to connect()."
        return [*found, Finding("access", "problem", "multiuser, but no token is given", remedy, data)], False
    return [*found, Finding("access", "ok", "multiuser, with the token of INVOKEAI_TOKEN", data=data)], True


def _latency(taken: list[float]) -> Finding:
    median = statistics.median(taken)
    message = f"{1000 * median:.0f} ms (median of {len(taken)}, slowest {1000 * max(taken):.0f} ms)"
    data = {"median_s": median, "max_s": max(taken)}
    if median > _SLOW_S:
        return Finding("latency", "warning", message, "Is the server busy, or the network slow?", data)
    return Finding("latency", "ok", message, data=data)


def _queue(url: str) -> list[Finding]:
    try:
        with Console(url, timeout=_TIMEOUT_S) as console:
            status = _settled_status(console)
    except JobException as error:
        return [_problem("queue", error)]
    connection = status.connection
    if connection.mode == "live":
        events = Finding("events", "ok", "live, over a websocket", data={"mode": connection.mode})
    else:
        why = f": {connection.error}" if connection.error else ""
        events = Finding("events", "warning", f"{connection.mode}{why}", connection.remedy, {"mode": connection.mode})
    counts = {name: getattr(status, name) for name in STATUSES}
    message = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "empty"
    data = {**counts, "paused": status.is_paused, "wedged": status.wedge is not None}
    if status.wedge is not None:
        stuck = f"stuck on {status.wedge.culprit}: {message}"
        queue = Finding("queue", "problem", stuck, status.wedge.remedy, data)
    elif _is_stalled(status):
        remedy = "Look at the server's log: another program may be blocking the worker."
        queue = Finding("queue", "warning", f"nothing runs although items are pending: {message}", remedy, data)
    elif status.is_paused:
        queue = Finding("queue", "warning", f"paused: {message}", "console.resume()", data)
    else:
        queue = Finding("queue", "ok", message, data=data)
    return [events, queue]


def _settled_status(console: Console) -> ConsoleStatus:
    """The status; if items are pending and nothing runs, after a while, as the queue may turn out to be stuck."""
    deadline = time.monotonic() + _TIMEOUT_S
    while _is_stalled(status := console.status) and time.monotonic() < deadline:
        time.sleep(0.1)
    return status


def _is_stalled(status: ConsoleStatus) -> bool:
    return bool(status.pending and not status.in_progress and not status.is_paused and status.wedge is None)


def _problem(name: str, error: JobException) -> Finding:
    data = {"error_type": str(error.error_type), "error": type(error).__name__}
    return Finding(name, "problem", error.message, error.suggestion, data)


# -- this environment ------------------------------------------------------------------------------------------------


def _environment() -> list[Finding]:
    return [
        Finding("python", "ok", f"{platform.python_version()} on {platform.system()}"),
        _kernel(_version("ipykernel")),
        _front_end(),
        *_patched(),
    ]


def _kernel(version: str | None) -> Finding:
    data = {"ipykernel": version}
    if version is None:
        remedy = 'pip install "invoke-widgets[demo]", unless the notebook runs in another environment.'
        return Finding("kernel", "warning", "ipykernel is not installed", remedy, data)
    if version.startswith("7.0."):
        remedy = 'Widgets cannot be updated from a thread in 7.0: pip install "ipykernel>=7.1,<7.4".'
        return Finding("kernel", "warning", f"ipykernel {version}", remedy, data)
    lives = [
        words
        for words, works in (
            ("between cells", True),
            ("while a cell awaits", liveness(version, "lab", "await").works),
            ("while a cell computes", liveness(version, "lab", "sync").works),
        )
        if works
    ]
    return Finding("kernel", "ok", f"ipykernel {version}: in JupyterLab, buttons work {', '.join(lives)}", data=data)


def _front_end() -> Finding:
    data = {
        name: _version(name) for name in ("jupyterlab", "notebook", "ipywidgets", "jupyterlab_widgets", "anywidget")
    }
    message = ", ".join(f"{name} {version}" for name, version in data.items() if version)
    if data["jupyterlab"] is None and data["notebook"] is None:
        remedy = "Fine if you open notebooks in another program, such as VS Code; otherwise: pip install jupyterlab."
        return Finding("front end", "warning", f"{message}; neither JupyterLab nor Notebook", remedy, data)
    if data["jupyterlab_widgets"] is None:
        remedy = "JupyterLab cannot show widgets without it: pip install jupyterlab_widgets."
        return Finding("front end", "warning", message, remedy, data)
    return Finding("front end", "ok", message, data=data)


def _patched() -> list[Finding]:
    if not has_old_patch():
        return []
    remedy = "It loses cells and clicks on ipykernel >= 7.1: remove nest_asyncio.apply(); it is not needed."
    return [Finding("loop", "warning", "nest_asyncio is active in this process", remedy, {"nest_asyncio": True})]


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
