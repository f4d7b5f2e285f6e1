"""The fixture `lab`, for the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.session import Lab


@pytest.hookimpl(tryfirst=True)  # before those of other folders, which look at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for the fixture needs a browser."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


# Not for the whole session: while playwright runs, asyncio.run does not work in this thread, which other tests need.
@pytest.fixture(scope="package")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab") / "lab") as lab:
        yield lab
    assert [] == lab.foreign_requests


@pytest.fixture
def lab(jupyterlab: Lab) -> Iterator[Lab]:
    """One JupyterLab and one Chromium for all tests; what the test opened is closed after it."""
    yield jupyterlab
    jupyterlab.close_notebooks()
