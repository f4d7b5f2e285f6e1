"""What axe-core finds in a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.browser.session import NotebookPage


def violations(notebook: NotebookPage, selector: str) -> list[tuple[str, str, str]]:
    """The rules that elements of a selector break: each with an element that does, and why."""
    # JupyterLab's is 0 high, and hides what overflows: so axe-core takes all in it for hidden, and looks at no color.
    notebook.page.evaluate("() => { document.body.style.minHeight = '100vh'; }")
    found = Axe().run(notebook.page, context=selector).response["violations"]
    return [(rule["id"], node["html"][:200], node["failureSummary"]) for rule in found for node in rule["nodes"][:3]]
