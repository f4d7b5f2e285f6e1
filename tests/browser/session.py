"""One JupyterLab, one Chromium, and the notebooks that tests open in them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Locator, Page, Playwright, expect, sync_playwright

from tests.kernels.install import kernel_folder
from tests.support.browser import chromium_path
from tests.support.servers import free_port

Theme = Literal["light", "dark"]

_THEMES: dict[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# How long anything may take. Never asserted: it only turns a hang into a failure.
PATIENCE_S = 60.0
_VIEWPORT = {"width": 1400, "height": 1000}
_LOOPBACK = ("127.0.0.1", "localhost", "")

# Chromium asks for updates and the like of its own accord; with these, no name but the loopback's is ever resolved.
_CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

_SETTINGS: dict[str, dict[str, Any]] = {
    # No question about news, and no request for them.
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # All cells stay in the page, also those out of view.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}

_CURRENT = "window.jupyterapp.shell.currentWidget"
_KERNEL = f"{_CURRENT}.sessionContext.session.kernel"


class LabError(Exception):
    """JupyterLab did not start; the message ends with its log."""


class Lab:
    """A JupyterLab and a Chromium that shows it. Everything they write is in `folder`.

    Args:
        folder: an empty folder.
        environment: further environment variables of the kernels.
        ipykernel: the kernels' version, which is installed if needed; None for the installed one.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str] | None = None, *, ipykernel: str | None = None
    ) -> None:
        self.folder = folder
        self.foreign_requests: list[str] = []
        self.console_errors: list[str] = []
        self._environment = dict(environment or {})
        if ipykernel is not None:
            self._environment["PYTHONPATH"] = _path_with(ipykernel)
        self.notebooks = folder / "notebooks"
        self._log = folder / "jupyterlab.log"
        self._opened = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._page: Page | None = None
        self._pages: list[Page] = []
        self.url = ""

    def __enter__(self) -> Self:
        expect.set_options(timeout=PATIENCE_S * 1000)
        try:
            self._start_server()
            self._playwright = sync_playwright().start()
            self._browser = self._playwright.chromium.launch(
                executable_path=chromium_path(), headless=True, args=_CHROMIUM_ARGUMENTS
            )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both."""
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._browser = self._playwright = self._process = self._page = None

    def open(self, cells: Sequence[str] | Path, *, ipykernel: str | None = None) -> NotebookPage:
        """Open a new notebook with a kernel of its own, and return when the kernel is idle.

        Args:
            cells: the source of each code cell, or a notebook file to copy.
            ipykernel: the kernel's version; None for that of the other notebooks.
        """
        app, name = self._app(), self.write(cells, ipykernel=ipykernel)
        app.evaluate("() => jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
        page = NotebookPage(self, app, name)
        page.show()
        return page

    def write(self, cells: Sequence[str] | Path, *, ipykernel: str | None = None) -> str:
        """Write a new notebook, as for `open`, and return its name."""
        self._opened += 1
        name = f"test-{self._opened}.ipynb"
        notebook = json.loads(cells.read_text()) if isinstance(cells, Path) else _notebook_of(cells)
        kernel = "python3" if ipykernel is None else self._add_kernel(ipykernel)
        notebook["metadata"]["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        (self.notebooks / name).write_text(json.dumps(notebook))
        return name

    def _add_kernel(self, ipykernel: str) -> str:
        name = f"ipykernel-{ipykernel}"
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": {"PYTHONPATH": _path_with(ipykernel)},
        }
        folder = self.folder / "data" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.json").write_text(json.dumps(spec))
        return name

    def close_notebooks(self) -> None:
        """Close all notebooks and pages, and end their kernels."""
        if self._pages:
            for page in self._pages:
                page.context.close()
            self._pages.clear()
            for kernel in httpx.get(f"{self.url}/api/kernels", timeout=30, trust_env=False).json():
                httpx.delete(f"{self.url}/api/kernels/{kernel['id']}", timeout=30, trust_env=False)
        if self._page is not None:
            with contextlib.suppress(Exception):  # a page that a test broke is thrown away
                self._page.evaluate(
                    "async () => { for (const w of [...jupyterapp.shell.widgets('main')]) {"
                    " if (w.context) { await w.context.sessionContext.shutdown(); w.context.model.dirty = false; }"
                    " w.dispose(); } }"
                )
                return
            self._page.context.close()
            self._page = None

    def page(self, url: str, *, watched: bool = True) -> Page:
        """A page of its own, in a context of its own, until `close_notebooks`.

        Args:
            url: what it shows.
            watched: whether its requests to elsewhere and its errors are noted.
        """
        page = self._new_page(watched)
        self._pages.append(page)
        page.goto(url)
        return page

    def _new_page(self, watched: bool = True) -> Page:
        assert self._browser is not None
        context = self._browser.new_context(viewport=_VIEWPORT, reduced_motion="reduce")  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE_S * 1000)
        page = context.new_page()
        if watched:
            context.on("request", lambda request: self._note_request(request.url))
            page.on("console", lambda message: self._note_console(message.type, message.text))
            page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        return page

    def log_tail(self) -> str:
        """The end of what JupyterLab and its kernels logged."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])

    def _app(self) -> Page:
        """The page that shows JupyterLab, loaded once."""
        if self._page is None:
            self._page = self._new_page()
            self.load(self._page)
        return self._page

    def load(self, page: Page) -> None:
        """Load JupyterLab into a page, with no notebook open."""
        page.goto(f"{self.url}/lab?reset")
        page.wait_for_function("() => window.jupyterapp && window.jupyterapp.shell")
        page.evaluate("() => window.jupyterapp.restored.then(() => window.jupyterapp.shell.collapseLeft())")

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "file") and parts.hostname not in _LOOPBACK:
            self.foreign_requests.append(url)

    def _note_console(self, kind: str, text: str) -> None:
        if kind == "error":
            self.console_errors.append(text)

    def _start_server(self) -> None:
        self.notebooks.mkdir(parents=True)
        for name, values in _SETTINGS.items():
            path = self.folder / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", "--ip=127.0.0.1"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.notebooks}"]
        command += ["--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"]
        command += ["--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"]
        command += ["--LabApp.extension_manager=readonly"]
        command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._server_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/status", timeout=5, trust_env=False).is_success:
                    return
            time.sleep(0.1)
        raise LabError(f"JupyterLab did not start\n{self.log_tail()}")

    def _server_environment(self) -> dict[str, str]:
        folders = {
            "HOME": "home",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "MPLCONFIGDIR": "matplotlib",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        own = {name: str(self.folder / folder) for name, folder in folders.items()}
        for path in own.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "INVOKE"))}
        return {**kept, **own, **self._environment}


def _path_with(ipykernel: str) -> str:
    """The PYTHONPATH by which a kernel has this version."""
    return os.pathsep.join([str(kernel_folder(ipykernel)), *filter(None, [os.environ.get("PYTHONPATH")])])


def _notebook_of(sources: Sequence[str]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{i}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for i, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class NotebookPage:
    """A notebook that is open, and in front.

    Attributes:
        page: the playwright page, with all of JupyterLab.
    """

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab = lab
        self.page = page
        self.name = name

    @classmethod
    def opened(cls, lab: Lab, cells: list[str]) -> NotebookPage:
        """The same as `lab.open`."""
        return lab.open(cells)

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return self.lab.notebooks / self.name

    def show(self) -> None:
        """Bring it to the front, and wait until its kernel is idle."""
        # Without braces Playwright would copy the widget that this returns out of the page, which takes seconds.
        self.page.evaluate(
            "async path => { await jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}); }",
            self.name,
        )
        self._wait_for_kernel()

    def run(self, *, wait: bool = True) -> None:
        """Run all cells; by default return when the last one has ended or one has failed."""
        self._command("notebook:run-all-cells", wait=wait)

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        """Run one cell."""
        self.page.evaluate(f"index => {{ {_CURRENT}.content.activeCellIndex = index; }}", index)
        self._command("notebook:run-cell", wait=wait)

    def interrupt(self) -> None:
        """Interrupt the kernel as the ■ of the toolbar does."""
        self.page.evaluate(f"() => {_KERNEL}.interrupt()")

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(f"() => {_KERNEL}.status === 'idle' && {_KERNEL}.connectionStatus === 'connected'")

    def cell(self, index: int) -> Locator:
        """A cell with its input and output."""
        return self._notebook.locator(".jp-Notebook-cell").nth(index)

    def output(self, index: int) -> Locator:
        """The output of a cell, without its source."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def error(self, index: int) -> Locator:
        """The traceback in the output of a cell, if there is one."""
        return self.output(index).locator('[data-mime-type="application/vnd.jupyter.stderr"]')

    def kernel_execute(self, code: str) -> str:
        """Run code in the kernel, outside of any cell, and return what it printed. It waits for a running cell.

        Raises:
            AssertionError: the code raised; the message has the traceback.
        """
        printed, failure = self.page.evaluate(
            f"""async code => {{
                let printed = '', failure = '';
                const future = {_KERNEL}.requestExecute({{code, store_history: false}});
                future.onIOPub = message => {{
                    const type = message.header.msg_type, content = message.content;
                    if (type === 'stream') printed += content.text;
                    if (type === 'error') failure = content.traceback.join('\\n');
                }};
                await future.done;
                return [printed, failure];
            }}""",
            code,
        )
        assert not failure, failure
        return str(printed)

    def set_theme(self, theme: Theme) -> None:
        """Change JupyterLab's theme."""
        name = _THEMES[theme]
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def screenshot(self, path: Path, theme: Theme = "light", of: Locator | None = None) -> Path:
        """Write a PNG of the window, or of one part of it, and return its path."""
        self.set_theme(theme)
        path.parent.mkdir(parents=True, exist_ok=True)
        if of is not None:
            of.scroll_into_view_if_needed()
            of.screenshot(path=path, animations="disabled")
        else:
            self.page.screenshot(path=path, animations="disabled")
        return path

    def reload(self) -> None:
        """Load the browser page again, as F5 does; the kernel goes on. Saves first, as unsaved outputs would go."""
        self.save()
        self.lab.load(self.page)
        self.show()

    def save(self) -> None:
        """Write the notebook to its file."""
        self._command("docmanager:save", wait=True)

    def restart_kernel(self) -> None:
        """Restart the kernel, without asking."""
        self.page.evaluate(f"() => {_KERNEL}.restart()")
        self._wait_for_kernel()

    @property
    def _notebook(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")

    def _command(self, command: str, *, wait: bool) -> None:
        finish = "; return true" if wait else ""
        execute = "await jupyterapp" if wait else "jupyterapp"
        self.page.evaluate(f"async name => {{ {execute}.commands.execute(name){finish}; }}", command)

    def _wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            f"name => {{ const w = {_CURRENT};"
            " const k = w?.context?.path === name && w.sessionContext?.session?.kernel;"
            " return k && k.status === 'idle' && k.connectionStatus === 'connected'; }",
            arg=self.name,
        )
