"""Notebooks that are run without a page: what they show afterwards."""

from __future__ import annotations

import pytest

from tests.support.servers import Server
from tests.support.wire import Wire

_GRAPH = '{"nodes": {"sum": {"type": "add", "a": 1, "b": 2}}, "edges": []}'


@pytest.mark.slow
def test_a_notebook_run_by_nbclient_shows_the_last_state(server: Server, wire: Wire) -> None:
    """A view displayed in an early cell shows, once, the state that the last cell waited for."""
    import nbformat  # takes a second, in each of the processes that only collect this test
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    cells = [
        f"import invoke_widgets as iw\nconsole = iw.connect({server.url!r})",
        "console.queue_table()",
        f"_ = console.submit({_GRAPH}, runs=3).wait()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, store_widget_state=False).execute()
    live, static = notebook.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in live["data"]
    assert (3, 0) == tuple(static["data"]["text/html"].count(f"{status}</td>") for status in ("Completed", "Waiting"))
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert 3 == page.count("✓ Completed</td>")
