"""The fixture `lab`, for the tests in this folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.session import Lab


@pytest.hookimpl(tryfirst=True)  # before those of other folders, which look at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use the fixture `lab` as browser tests."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(300))  # the first test waits for JupyterLab too


# Not for the whole session: while playwright runs, asyncio.run does not work in this thread, which other tests need.
@pytest.fixture(scope="package")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # The kernel on which clicks wait in a cell that blocks: whoever does not install our extra `demo` may have it.
    with Lab(tmp_path_factory.mktemp("lab") / "lab", ipykernel="7.4.0") as lab:
        yield lab
    assert [] == lab.foreign_requests


@pytest.fixture
def lab(jupyterlab: Lab) -> Iterator[Lab]:
    """One JupyterLab and one Chromium for all tests; what the test opened is closed after it."""
    yield jupyterlab
    jupyterlab.close_notebooks()


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder for screenshots: a temporary one, or one in INVOKE_WIDGETS_SCREENSHOTS, for looking at them."""
    chosen = os.environ.get("INVOKE_WIDGETS_SCREENSHOTS")
    if not chosen:
        return tmp_path
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    return Path(chosen) / name
