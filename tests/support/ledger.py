"""What became of each test, told to the program that runs several pytest processes: `-p tests.ledger --ledger FILE`.

A test that was collected and neither ran nor was chosen for another process would go unnoticed; with the ledgers of all
processes together it does not. Where pytest-xdist divides the tests among workers, each tells the one that began them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ledger", type=Path, default=None, help="write what became of each test to this file")


def pytest_configure(config: pytest.Config) -> None:
    path: Path | None = config.getoption("--ledger")
    if path is not None:
        config.pluginmanager.register(Ledger(path), "ledger-writer")


class Ledger:
    """Collects outcomes by test id and writes them when the session ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, str] = {}
        self._deselected: set[str] = set()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self._deselected.update(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self._outcomes[report.nodeid] = report.outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        before = self._outcomes.get(report.nodeid, "passed")
        outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
        worst = max(before, outcome, key=["passed", "skipped", "failed"].index)
        if report.when == "call" or outcome != "passed":
            self._outcomes[report.nodeid] = worst

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        # A worker that died told nothing, and what it ran is failed already.
        self._deselected.update(getattr(node, "workeroutput", {}).get("deselected", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["deselected"] = sorted(self._deselected)
            return
        ledger = {"outcomes": self._outcomes, "deselected": sorted(self._deselected)}
        self._path.write_text(json.dumps(ledger))
