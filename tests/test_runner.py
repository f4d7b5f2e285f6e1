"""`python -m tests` lets nothing be skipped in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.__main__ import Outcome, Part, _sum_up

_ROOT = Path(__file__).parent.parent
_SOURCE = """
import pytest

def test_passes(): pass

def test_fails(): assert 0

@pytest.mark.skip
def test_is_skipped(): pass

@pytest.mark.xfail
def test_is_expected_to_fail(): assert 0

def test_is_left_out(): pass

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_fails_afterwards(broken): pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.slow
def test_the_ledger_tells_what_became_of_each_test(tmp_path: Path, workers: str) -> None:
    """Skipped and expected to fail are the same to it; what is left out is listed apart."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(_SOURCE)
    ledger = tmp_path / "ledger.json"
    plugins = ["-p", "tests.ledger", "-p", "no:cacheprovider", f"--ledger={ledger}", "-n", workers]
    command = [sys.executable, "-m", "pytest", *plugins, f"--rootdir={tmp_path}", "-k", "not left_out", str(tmp_path)]
    subprocess.run([*command, "-c", str(tmp_path / "pytest.ini")], cwd=_ROOT, capture_output=True)
    told = json.loads(ledger.read_text())
    assert {
        "outcomes": {
            "test_sample.py::test_passes": "passed",
            "test_sample.py::test_fails": "failed",
            "test_sample.py::test_is_skipped": "skipped",
            "test_sample.py::test_is_expected_to_fail": "skipped",
            "test_sample.py::test_fails_afterwards": "failed",
        },
        "deselected": ["test_sample.py::test_is_left_out"],
    } == told


def _outcome(outcomes: dict[str, str], deselected: set[str] | None = None, *, ok: bool = True) -> Outcome:
    return Outcome(Part("a part", ()), ok, outcomes, deselected or set(), 1.0)


@pytest.mark.parametrize(
    ("done", "summary", "code"),
    [
        ([_outcome({"a": "passed"}, {"b"}), _outcome({"b": "passed"}, {"a"})], "2 passed, 0 failed, 0 skipped", 0),
        ([_outcome({"a": "passed", "b": "skipped"})], "1 passed, 0 failed, 1 skipped", 1),
        ([_outcome({"a": "passed"}, {"b"})], "1 passed, 0 failed, 1 skipped", 1),
        ([_outcome({"a": "passed", "b": "failed"}, ok=False)], "1 passed, 1 failed, 0 skipped", 1),
        ([_outcome({"a": "passed"}, ok=False)], "1 passed, 0 failed, 0 skipped", 1),
        ([_outcome({})], "0 passed, 0 failed, 0 skipped", 1),
    ],
    ids=["all ran", "a skip", "left out by all", "a failure", "pytest failed", "nothing ran"],
)
def test_the_closing_line_and_the_exit_code(
    capsys: pytest.CaptureFixture[str], done: list[Outcome], summary: str, code: int
) -> None:
    """Only when everything ran and passed is the run a success."""
    assert code == _sum_up(done, quick=False)
    assert summary == capsys.readouterr().out.splitlines()[-1]
