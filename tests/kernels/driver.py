"""A kernel, and the messages that a front end would exchange with it."""

from __future__ import annotations

import os
import queue
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

# How long anything may take. Never asserted: it only turns a hang into a failure.
PATIENCE_S = 60.0
_BEGIN_S = 15.0

Message = dict[str, Any]


class KernelStuckError(Exception):
    """The kernel is idle but never takes a request.

    Seen with ipykernel 7.3.0 once in 50 to 80 interrupts: its main thread waits in its own loop, nothing of ours is on
    any stack but our idle loop, and further requests do not wake it.
    """


@dataclass
class Cell:
    """A cell that was sent, and its output so far.

    Attributes:
        number: the number of messages the kernel had sent when this cell ended; None while it runs.
        ended_at: `time.monotonic()` of its end.
    """

    msg_id: str
    begun: bool = False
    text: str = ""
    error: str | None = None
    number: int | None = None
    ended_at: float | None = None
    message: str = ""

    @property
    def ended(self) -> bool:
        return self.number is not None


@dataclass(frozen=True)
class Update:
    """A widget's state change as the kernel sent it, with its number among all messages."""

    comm_id: str
    state: dict[str, Any]
    number: int


@dataclass(frozen=True)
class Shown:
    """The output of a `display_data` or `update_display_data`, with its number among all messages."""

    display_id: str | None
    data: dict[str, Any]
    is_update: bool
    number: int


class Kernel:
    """A running kernel.

    Args:
        folder: for what Jupyter writes.
        python_path: a folder to go before the installed packages, see `tests.kernels.install`.
    """

    def __init__(self, folder: Path, python_path: Path | None) -> None:
        own = {
            "IPYTHONDIR": folder / "ipython",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "MPLCONFIGDIR": folder / "mpl",
        }
        for path in own.values():
            path.mkdir(parents=True, exist_ok=True)
        paths = [str(python_path)] if python_path is not None else []
        paths += [path for path in (os.environ.get("PYTHONPATH"),) if path]
        self._environment = {**os.environ, **{name: str(path) for name, path in own.items()}}
        if paths:
            self._environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._cells: dict[str, Cell] = {}
        self._count = 0
        self.updates: list[Update] = []
        self.shown: list[Shown] = []
        self.states: dict[str, dict[str, Any]] = {}

    def start(self) -> None:
        # With no folder to look into, "python3" is the kernel of this very interpreter.
        self._manager = KernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        self._manager.start_kernel(env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE_S)

    def restart(self) -> None:
        """Replace the kernel by a new one."""
        self.stop()
        self._cells.clear()
        self.start()

    def stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._client.context.destroy()
        self._manager.context.destroy()

    # -- cells -----------------------------------------------------------------------------------------------------

    def send(self, source: str) -> Cell:
        """Send a cell, and return at once."""
        cell = Cell(self._client.execute(source))
        self._cells[cell.msg_id] = cell
        return cell

    def run(self, source: str) -> str:
        """Run a cell to its end, and return what it printed.

        Raises:
            AssertionError: it raised.
        """
        cell = self.wait(self.send(source))
        assert cell.error is None, f"{cell.error}: {cell.message}"
        return cell.text

    def wait(self, cell: Cell) -> Cell:
        """Wait until a cell has ended.

        Raises:
            KernelStuckError: the kernel has nothing to do and does not begin it.
        """
        self._until(cell, lambda: cell.ended, "the cell to end")
        return cell

    def _until(self, cell: Cell, look: Callable[[], object], what: str) -> None:
        begin_by = time.monotonic() + _BEGIN_S

        def look_at_kernel() -> object:
            if not cell.begun and not self._is_busy and time.monotonic() > begin_by:
                raise KernelStuckError
            return look()

        self.until(look_at_kernel, what)

    @property
    def _is_busy(self) -> bool:
        return any(cell.begun and not cell.ended for cell in self._cells.values())

    def wait_printed(self, cell: Cell, text: str) -> None:
        """Wait until a running cell has printed a text."""
        self._until(cell, lambda: text in cell.text or cell.ended, f"{text!r}")
        assert text in cell.text, f"{cell.error}: {cell.message}"

    def interrupt(self) -> float:
        """Interrupt the kernel as the ■ of a notebook does, and return the `time.monotonic()` of that."""
        at = time.monotonic()
        self._manager.interrupt_kernel()
        return at

    # -- widgets ---------------------------------------------------------------------------------------------------

    def click(self, comm_id: str, subshell: str | None = None) -> None:
        """Send a button's click as a front end does; only JupyterLab names a subshell."""
        data = {"method": "custom", "content": {"event": "click"}}
        message = self._client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self._client.shell_channel.send(message)

    def create_subshell(self) -> str | None:
        """Create a subshell and return its id; None if this kernel has no subshells.

        Raises:
            KernelStuckError: the kernel does not answer.
        """
        try:
            info = self._client.kernel_info(reply=True, timeout=_BEGIN_S)["content"]
        except TimeoutError as error:
            raise KernelStuckError("no answer to a request for the kernel's info") from error
        if "kernel subshells" not in info.get("supported_features", ()):
            return None
        return str(self._control("create_subshell_request", {})["subshell_id"])

    def delete_subshell(self, subshell: str) -> None:
        """End a subshell."""
        self._control("delete_subshell_request", {"subshell_id": subshell})

    def _control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        request = self._client.session.msg(kind, content)
        self._client.control_channel.send(request)
        while True:
            reply = self._client.get_control_msg(timeout=PATIENCE_S)
            if reply["parent_header"].get("msg_id") == request["header"]["msg_id"]:
                answer: dict[str, Any] = reply["content"]
                return answer

    def comm_of(self, expression: str) -> str:
        """Return the comm id of a widget."""
        return self.run(f"print({expression}.comm.comm_id, end='')")

    def updates_of(self, comm_id: str, name: str) -> list[tuple[Any, int]]:
        """Return the values of a trait in order, each with the number of its message."""
        return [(u.state[name], u.number) for u in self.updates if u.comm_id == comm_id and name in u.state]

    # -- messages --------------------------------------------------------------------------------------------------

    def until(self, look: Callable[[], object], what: str) -> None:
        """Receive messages until a condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < deadline, f"timed out waiting for {what}"
            self.listen(0.02)

    def until_clicked(self, comm_id: str, name: str) -> None:
        """Wait until a click has changed a trait.

        Raises:
            KernelStuckError: the kernel has nothing to do and does not take the click.
        """
        taken_by = time.monotonic() + _BEGIN_S

        def look() -> object:
            if not self._is_busy and time.monotonic() > taken_by:
                raise KernelStuckError
            return self.updates_of(comm_id, name)

        self.until(look, "the click")

    def pause(self, seconds: float) -> None:
        """Receive messages for `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.listen(left)

    def listen(self, seconds: float) -> None:
        """Receive one message, if one arrives within `seconds`."""
        try:
            message = self._client.get_iopub_msg(timeout=seconds)
        except queue.Empty:
            return
        self._count += 1
        self._take(message)

    def _take(self, message: Message) -> None:
        kind, content = message["msg_type"], message["content"]
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if kind == "comm_open":
            self.states[content["comm_id"]] = content["data"].get("state", {})
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            self.updates.append(Update(content["comm_id"], content["data"]["state"], self._count))
            self.states.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        elif kind in ("display_data", "update_display_data"):
            display_id = content.get("transient", {}).get("display_id")
            self.shown.append(Shown(display_id, content["data"], kind == "update_display_data", self._count))
        elif cell is None:
            return
        elif kind == "stream":
            cell.text += content["text"]
        elif kind == "error":
            cell.error = content["ename"]
            cell.message = content["evalue"]
        elif kind == "status" and content["execution_state"] == "busy":
            cell.begun = True
        elif kind == "status" and content["execution_state"] == "idle":
            cell.number, cell.ended_at = self._count, time.monotonic()


@contextmanager
def running(folder: Path, python_path: Path | None) -> Iterator[Kernel]:
    """Run a kernel within a `with` block."""
    kernel = Kernel(folder, python_path)
    kernel.start()
    try:
        yield kernel
    finally:
        kernel.stop()
