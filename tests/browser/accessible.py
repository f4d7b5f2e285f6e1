"""What axe-core finds in a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.browser.session import NotebookPage


def violations(notebook: NotebookPage, selector: str) -> list[tuple[str, str, str]]:
    """The rules that the first element of a selector breaks: each with an element that does, and why."""
    found = Axe().run(notebook.page, context=selector).response["violations"]
    return [(rule["id"], node["html"][:200], node["failureSummary"]) for rule in found for node in rule["nodes"][:3]]
