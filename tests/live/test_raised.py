"""The errors that the installed InvokeAI raises by itself, read from its source, are classified with a suggestion."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from invoke_widgets.errors import JobErrorType
from invoke_widgets.errors.failures import EXECUTION_FAILED, diagnose_failure
from tests.support.real_server.install import VERSIONS, installed

# The nodes, and what they call that raises on purpose.
_FILES = ("app/invocations/**/*.py", "app/services/shared/*.py", "app/services/external_generation/**/*.py")


def _package(version: str) -> Path:
    venv = installed(version).parent.parent
    (found,) = [*venv.glob("lib/python3*/site-packages/invokeai"), *venv.glob("Lib/site-packages/invokeai")][:1]
    return found


def _text(node: ast.expr) -> str:
    """What is known of a message before it is made: the rest is an ellipsis."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(_text(part) for part in node.values)
        case ast.BinOp():
            return _text(node.left) + _text(node.right)
    return "…"


def _raised(package: Path) -> Iterator[tuple[str, str, str]]:
    """Each `raise X("...")`: the class, the message, and where it is."""
    for path in (path for files in _FILES for path in sorted(package.glob(files))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                kind = ast.unparse(node.exc.func).rpartition(".")[2]
                yield kind, _text(node.exc.args[0]), f"{path.relative_to(package)}:{node.lineno}"


@pytest.mark.real
@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", VERSIONS)
def test_errors_raised_by_nodes_are_classified(version: str) -> None:
    """Nothing that a node raises on purpose is unknown, and nearly all of it has a suggestion."""
    raised = _raised(_package(version))
    found = [(diagnose_failure(kind, message), kind, message, place) for kind, message, place in raised]
    vague = [each for each in found if each[0] is EXECUTION_FAILED]
    assert 100 < len(found)
    assert [] == [each for each in found if each[0].error_type == JobErrorType.UNKNOWN_ERROR or not each[0].suggestion]
    assert len(vague) < 0.06 * len(found), vague
