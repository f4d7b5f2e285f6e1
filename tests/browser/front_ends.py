"""Notebook 7 and Voila, from the same server and in the same browser as JupyterLab; marimo, from its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
from playwright.sync_api import Locator, Page

from tests.browser.session import Lab, NotebookPage, Theme, free_port
from tests.support.wire import until


class Notebook7Page(NotebookPage):
    """A notebook in Notebook 7: JupyterLab's parts, with a page for each notebook."""

    def __init__(self, lab: Lab, cells: list[str]) -> None:
        name = lab.write(cells)
        super().__init__(lab, lab.page(f"{lab.url}/notebooks/{name}"), name)
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell")
        self.show()

    def show(self) -> None:
        self._wait_for_kernel()


class VoilaPage:
    """A notebook that Voila has run: outputs alone. Its own templates ask for icons and formulas from elsewhere."""

    def __init__(self, lab: Lab, cells: list[str], theme: Theme = "light") -> None:
        self.page: Page = lab.page(f"{lab.url}/voila/render/{lab.write(cells)}?theme={theme}", watched=False)

    def output(self, index: int) -> Locator:
        """The output of a cell; cells without output count too."""
        return self.page.locator(".jp-Cell").nth(index)


_MARIMO_APP = """import marimo

app = marimo.App()


@app.cell
def _():
    import invoke_widgets as iw

    console = iw.connect({url!r})
    return (console,)


@app.cell
def _(console):
    console
    return


@app.cell
def _(console):
    from invoke_widgets.widgets import Header

    Header(console)
    return


@app.cell
def _(console):
    console.error_log()
    return


@app.cell
def _(console):
    console.submitter()
    return
"""


@contextlib.contextmanager
def marimo_page(lab: Lab, url: str) -> Iterator[Page]:
    """A page of marimo in which a cell shows the console of a server."""
    app = lab.folder / "app.py"
    app.write_text(_MARIMO_APP.format(url=url))
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "marimo", "-q", "run", str(app), "--headless", "--no-token", f"--port={port}"]
    environment = {**os.environ, "HOME": str(lab.folder / "home")}
    log = lab.folder / "marimo.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{address}/health", timeout=5, trust_env=False).is_success
        return False

    try:
        until(answers, "marimo")
        yield lab.page(address)
    finally:
        process.terminate()
        process.wait()
