"""Notebook 7 and Voila, from the same server and in the same browser as JupyterLab."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from tests.lab.session import Lab, NotebookPage, Theme


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
        """What a cell put out; cells without output count too."""
        return self.page.locator(".jp-Cell").nth(index)
