"""What the README shows works as it stands there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

import invoke_widgets as iw
from invoke_widgets import analysis
from invoke_widgets.alerts import Webhook
from invoke_widgets.demo_server.faults import DRILLS
from invoke_widgets.history import plots
from tests.support import editor, known_failures
from tests.support.wire import Wire

_ROOT = Path(__file__).parents[2]
_PAGES = (
    "README.md",
    "notebooks/guide.md",
    "notebooks/error_handling.md",
    "notebooks/alerts.md",
    "notebooks/servers.md",
)
_TEXT = "\n".join((_ROOT / page).read_text() for page in _PAGES)
# What stands for the code's addresses and secrets in the test; None: the server's address.
_HERE = {
    "http://127.0.0.1:9090": None,
    "https://example.org": None,
    "smtp.example.org": "127.0.0.1",
    "whsec_...": Webhook.new_secret(),
}
_CODE = re.findall(r"```python\n(.*?)```", _TEXT, re.DOTALL)


@pytest.mark.slow
def test_its_code_runs(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks, one after another as in one notebook, at this server's address."""
    monkeypatch.chdir(tmp_path)
    exported = editor.workflow([editor.node("p", "string", "Positive Prompt", value="")])
    (tmp_path / "workflow.json").write_text(json.dumps(exported))
    names: dict[str, Any] = {"url": wire.server.url}
    consoles: list[iw.Console] = []
    try:
        for block in _CODE:
            source = block
            for address, here in _HERE.items():
                source = source.replace(address, here or wire.server.url)
            code = compile(source, f"README: {block[:60]!r}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, names)
            if inspect.iscoroutine(result):
                asyncio.run(result)
            if names["console"] not in consoles:
                consoles.append(names["console"])
    finally:
        for console in consoles:
            console.close()
    assert {"errors.csv", "history.sqlite"} <= {path.name for path in tmp_path.iterdir()}


def test_what_it_names_is_there() -> None:
    """Methods, functions and figures that are only mentioned; files that are linked."""
    mentioned = re.findall(r"# also ([\w, ]+)", _TEXT)
    words = {word for line in mentioned for word in re.findall(r"[a-z]+_[a-z_]+", line)}
    known = {*dir(analysis), *dir(plots.Plots), *dir(iw.Console), *dir(iw.Job), *DRILLS, "to_jsonl", "to_parquet"}
    assert set() == words - known
    for page in map(_ROOT.joinpath, _PAGES):
        text = page.read_text()
        links = re.findall(r"\]\((?!http)([^)#]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
        assert [] == [link for link in links if not (page.parent / link).exists()], page


def test_every_notebook_is_listed_checked_and_packed() -> None:
    """A new notebook is linked, is in the wheel, and fails the build of Binder's image if it does not run there."""
    names = {path.stem for path in (_ROOT / "notebooks").glob("*.ipynb")}
    checked = re.search(r"for notebook in (.*);", (_ROOT / "binder" / "postBuild").read_text())
    packed = re.findall(r'"notebooks/(\w+)\.ipynb" = ', (_ROOT / "pyproject.toml").read_text())
    linked = re.findall(r"\(notebooks/(\w+)\.ipynb\)", _TEXT)
    assert [names] * 3 == [set(linked), set(checked[1].split()) if checked else set(), set(packed)]


def test_it_counts_the_known_failures() -> None:
    """The number in words is the number of rows."""
    assert f"{len(list(known_failures.rows()))} failures" in _TEXT
