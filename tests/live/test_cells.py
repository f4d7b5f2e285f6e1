"""A real kernel whose first cell is run again: what the cell made before is freed, unless it is used elsewhere."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.wire import Wire, until

_PROBE = """
import gc, json, threading
import ipywidgets
from invoke_widgets import Console
gc.collect()
print(json.dumps({
    "consoles": sum(type(each) is Console for each in gc.get_objects()),
    "threads": sum("invoke-widgets" in thread.name for thread in threading.enumerate()),
    "models": len(ipywidgets.Widget.get_manager_state()["state"]),
}))
"""


pytestmark = pytest.mark.slow


class Notebook:
    """Cells that are run in a kernel, as JupyterLab sends them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._numbers = itertools.count()

    def run(self, source: str, cell: str | None = None) -> str:
        """Run a cell and return what it printed. `cell`: its id, which not every front end sends."""
        content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
                   "stop_on_error": False}  # fmt: skip
        message = self._client.session.msg("execute_request", content, metadata={"cellId": cell} if cell else {})
        self._client.shell_channel.send(message)
        printed, failed = "", ""
        while True:
            answer = self._client.get_iopub_msg(timeout=60)
            if answer["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if answer["msg_type"] == "stream" and answer["content"]["name"] == "stdout":
                printed += answer["content"]["text"]
            if answer["msg_type"] == "error":
                failed = "\n".join(answer["content"]["traceback"])
            if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                break
        # As front ends do: ipykernel 7.3 stops for good now and then if the next request comes before this reply.
        while self._client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            pass
        if failed:
            raise AssertionError(failed)
        return printed

    def counts(self) -> dict[str, int]:
        return dict(ast.literal_eval(self.run(_PROBE)))


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    from jupyter_client.manager import start_new_kernel  # takes a second

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        notebook = Notebook(client)
        notebook.run("import invoke_widgets as iw")
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_first_cell_that_is_run_again_frees_what_it_made_before(notebook: Notebook, wire: Wire) -> None:
    """The console with its thread, its socket and its widgets, whether the console or a dashboard is shown."""
    url = wire.server.url
    cells = {
        "a": f"console = iw.connect({url!r})\nconsole",
        "b": f"other = iw.connect({url!r})\nboard = other.dashboard()\nboard",
        None: f"third = iw.connect({url!r})\nthird.queue_table()",
    }
    for cell, source in cells.items():
        notebook.run(source, cell)
    before = notebook.counts()
    assert (3, True) == (before["consoles"], before["models"] > 0)
    for _ in range(3):
        for cell, source in cells.items():
            notebook.run(source, cell)
    until(lambda: notebook.counts() == before, "all but the last to be freed")
    assert "live live live" in notebook.run(
        "print(*(each.status.connection.mode for each in (console, other, third)), board.closed)"
    )


def test_what_is_used_elsewhere_is_kept(notebook: Notebook, wire: Wire) -> None:
    """A console with another name, a handle, a view in another cell."""
    first = f"console = iw.connect({wire.server.url!r})\nconsole"
    uses = ("kept = [console]", "kept = console.submit({'nodes': {'a': {'type': 'add'}}}, runs=2)",
            "console.queue_table()", "console")  # fmt: skip
    for use in uses:
        notebook.run("import gc, weakref\nkept = None\ngc.collect()", "x")
        notebook.run(first, "a")
        notebook.run("old = weakref.ref(console)", "b")
        notebook.run(use, "c")
        notebook.run(first, "a")
        notebook.run("pass\ngc.collect()", "d")
        said = notebook.run("print(old() is not None and old() is not console and old().status.connection.mode)")
        assert ("live", use) == (said.strip(), use)


def _error(notebook: Notebook, source: str) -> str:
    with pytest.raises(AssertionError) as caught:
        notebook.run(source)
    return re.sub(r"\x1b\[[\d;]*m", "", str(caught.value))


def test_an_exception_shows_the_users_lines(notebook: Notebook, wire: Wire) -> None:
    """And the error; not the frames of the package and of what it calls, unless they are asked for."""
    notebook.run(f"console = iw.connect({wire.server.url!r})\ndef mine(graph):\n    console.submit(graph)")
    calls = {
        "mine({'nodes': {}})": "InvalidRequest: graph.nodes: has no nodes",
        "console.submit({'nodes': {'d': {'type': 'div', 'a': 1, 'b': 0}}}).jobs[0].result(60)": "division by zero",
        "iw.connect('127.0.0.1:9')": "nothing listens there",
    }
    for call, message in calls.items():
        text = _error(notebook, call)
        assert (True, True, "") == (call in text, message in text, text if "/invoke_widgets/" in text else "")
        assert "%xmode Verbose" in text
        assert len(text.splitlines()) < 25
    assert "console.submit(graph)" in _error(notebook, "mine({'nodes': {}})")
    notebook.run("%xmode Verbose")
    assert "/invoke_widgets/jobs/submit.py" in _error(notebook, "mine({'nodes': {}})")
    notebook.run("%xmode Context")
    notebook.run("error = iw.InvalidRequest('of my own')")
    assert "%xmode" not in _error(notebook, "raise error")
