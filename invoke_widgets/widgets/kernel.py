"""Whether a click reaches Python while a cell runs, and what to do if not.

It depends on ipykernel and on the front end (measured with clicks into running cells):

========== ====== ======================== ========================
ipykernel  idle   a cell that waits        a cell that awaits
========== ====== ======================== ========================
before 7   yes    no                       no
7.0 - 7.3  yes    in JupyterLab alone      in JupyterLab alone
from 7.4   yes    no                       yes
========== ====== ======================== ========================

JupyterLab, and Notebook 7, which is built on it, send clicks over a subshell. ipykernel 7.4 answers them on the shell
that made the widget, so they wait for a cell that does not await. No click is lost: those that wait arrive afterwards.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Cell = Literal["idle", "sync", "await"]
FrontEnd = Literal["lab", "other", "unknown"]


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether a click reaches Python now.

    Attributes:
        works: None if that cannot be known.
        sentence: the same in words, with what to do.
    """

    works: bool | None
    sentence: str


_WORK = Liveness(True, "Buttons work now")
_NO_KERNEL = Liveness(None, "No kernel: use the console's methods, such as cancel(item_id)")
_WAITS = "A cell is running and clicks wait until it ends: interrupt it (■)"
_REMEDY = {
    "sync": ", or write `await job` in place of `job.wait()`",
    "await": "; ipykernel 7.4 and later let clicks through while a cell awaits",
}


def liveness(ipykernel: str | None, front_end: FrontEnd, cell: Cell) -> Liveness:
    """Say whether clicks work.

    Args:
        ipykernel: the version; None outside a kernel.
        front_end: "lab" for JupyterLab 4.4 and later and for Notebook 7.4 and later; "other" for anything else.
        cell: what runs: nothing, a cell that blocks the kernel, or a cell that awaits.
    """
    if ipykernel is None:
        return _NO_KERNEL
    if cell == "idle":
        return _WORK
    version = _version(ipykernel)
    if version >= (7, 4):
        works = cell == "await"
    elif version >= (7, 0):
        if front_end == "unknown":
            return Liveness(None, "A cell is running: in JupyterLab buttons work meanwhile, elsewhere clicks wait")
        works = front_end == "lab"
    else:
        works = False
    if works:
        return _WORK
    # On 7.0 to 7.3 awaiting does not help: the clicks of this front end wait for either kind of cell.
    remedy = "" if (7, 0) <= version < (7, 4) or (cell == "sync" and version < (7, 0)) else _REMEDY[cell]
    return Liveness(False, _WAITS + remedy)


def _version(text: str) -> tuple[int, int]:
    parts = text.split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (IndexError, ValueError):
        return (0, 0)


# -- from within the kernel ------------------------------------------------------------------------------------------


def ipykernel_version() -> str | None:
    """The version of ipykernel; None if this process is not a kernel."""
    shell = _shell()
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    return str(getattr(sys.modules.get("ipykernel"), "__version__", "0.0"))


def front_end() -> FrontEnd:
    """The front end that sent the current request, as far as its metadata shows."""
    kernel = getattr(_shell(), "kernel", None)
    if kernel is None or "VSCODE_PID" in os.environ or "COLAB_RELEASE_TAG" in os.environ:
        return "other" if kernel is not None else "unknown"
    metadata = _metadata(kernel)
    # Private to JupyterLab, and in no other front end; there is no public way to ask.
    return "lab" if "recordTiming" in metadata or "deletedCells" in metadata else "unknown"


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def _metadata(kernel: Any) -> dict[str, Any]:
    """What the front end sent with the current request; empty where that cannot be known."""
    try:
        return kernel.get_parent("shell").get("metadata") or {}
    except Exception:  # noqa: BLE001 - not a documented interface
        return {}


def current_cell() -> str | None:
    """The identity of the cell that is running: its id where the front end sends it, else its source; None without."""
    shell = _shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return None
    return str(_metadata(kernel).get("cellId") or (shell.user_ns.get("In") or [""])[-1])


def after_cell(function: Callable[[], object]) -> None:
    """Call a function once, when the cell that is running has ended."""
    shell = _shell()

    def ended(_: object) -> None:
        shell.events.unregister("post_run_cell", ended)
        function()

    shell.events.register("post_run_cell", ended)


def forget_outputs(is_old: Callable[[object], bool]) -> None:
    """Take results out of IPython's cache of them (`Out`, `_`), which would keep them for ever."""
    shell = _shell()
    out = shell.user_ns.get("Out", {})
    old = [number for number, value in out.items() if is_old(value)]
    for number in old:
        del out[number]
    for names in (shell.user_ns, shell.user_ns_hidden):
        for number in old:
            names.pop(f"_{number}", None)
        for name in ("_", "__", "___"):
            if is_old(names.get(name)):
                names[name] = ""
    for name in ("_", "__", "___"):
        if is_old(getattr(shell.displayhook, name, None)):
            setattr(shell.displayhook, name, "")


class CellWatch:
    """Knows which kind of cell is running. One for all views; it listens to IPython while it has listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Cell], None]] = []
        self.cell: Cell = "idle"

    def listen(self, listener: Callable[[Cell], None]) -> Callable[[], None]:
        """Call `listener(cell)` on the kernel's thread when a cell starts or ends; it must return at once.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._listeners.append(listener)
            if len(self._listeners) == 1:
                self._start()

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)
                    if not self._listeners:
                        self._stop()

        return end

    def _start(self) -> None:
        shell = _shell()
        if shell is None:
            return
        shell.events.register("pre_run_cell", self._before)
        shell.events.register("post_run_cell", self._after)
        if getattr(shell, "kernel", None) is not None:
            # Views are made in cells, so one is running; its source is the last in the history.
            history = shell.user_ns.get("In") or [""]
            self.cell = _kind(shell, str(history[-1]))

    def _stop(self) -> None:
        shell = _shell()
        if shell is not None:
            shell.events.unregister("pre_run_cell", self._before)
            shell.events.unregister("post_run_cell", self._after)
        self.cell = "idle"

    def _before(self, info: Any) -> None:
        self._notify(_kind(_shell(), str(info.raw_cell)))

    def _after(self, result: Any) -> None:
        self._notify("idle")

    def _notify(self, cell: Cell) -> None:
        self.cell = cell
        for listener in list(self._listeners):
            with contextlib.suppress(ReferenceError):  # of a view whose console was collected: it is about to be closed
                listener(cell)


def _kind(shell: Any, source: str) -> Cell:
    try:
        transformed = shell.transform_cell(source)
        return "await" if shell.should_run_async(source, transformed_cell=transformed) else "sync"
    except Exception:  # noqa: BLE001 - a cell that cannot be parsed ends at once
        return "sync"


cells = CellWatch()
