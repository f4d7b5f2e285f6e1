"""`python -m tests` lets nothing be skipped in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.__main__ import Outcome, Part, _run, _sum_up

_ROOT = Path(__file__).parents[3]
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

_CHANCE = """
from pathlib import Path
import pytest

def test_always(): pass

@pytest.mark.parametrize("number", range({failures}))
def test_second_time_only(number):
    seen = Path(__file__).parent / str(number)
    first = not seen.exists()
    seen.touch()
    assert {chance} and not first
"""


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.slow
def test_the_ledger_tells_what_became_of_each_test(tmp_path: Path, workers: str) -> None:
    """Skipped and expected to fail are the same to it; what is left out is listed apart."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(_SOURCE)
    ledger = tmp_path / "ledger.json"
    plugins = ["-p", "tests.support.ledger", "-p", "no:cacheprovider", f"--ledger={ledger}", "-n", workers]
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


@pytest.mark.parametrize(
    ("failures", "chance", "ok", "became"),
    [
        (1, True, True, {"repeated"}),
        (3, True, True, {"repeated"}),
        (4, True, False, {"failed"}),
        (1, False, False, {"failed"}),
    ],
    ids=["one by chance", "three by chance", "more than chance", "no chance"],
)
@pytest.mark.slow
def test_what_fails_by_chance_is_repeated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, chance: bool, ok: bool, became: set[str]
) -> None:
    """A few failures are run once more, and told as what they are; what fails again, or more of them, fails the run."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_chance.py").write_text(_CHANCE.format(failures=failures, chance=chance))
    options = ("-p", "no:cacheprovider", "-n", "0", f"--rootdir={tmp_path}", "-c", str(tmp_path / "pytest.ini"))
    outcome = _run(Part("chance", options), folder=tmp_path)
    assert (ok, became) == (outcome.ok, set(outcome.outcomes.values()) - {"passed"})
    assert failures + 1 == len(outcome.outcomes)


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
        (
            [_outcome({"a": "passed", "b": "repeated"})],
            "2 passed (1 of them only when repeated), 0 failed, 0 skipped",
            0,
        ),
        ([_outcome({})], "0 passed, 0 failed, 0 skipped", 1),
    ],
    ids=["all ran", "a skip", "left out by all", "a failure", "pytest failed", "a repeat", "nothing ran"],
)
def test_the_closing_line_and_the_exit_code(
    capsys: pytest.CaptureFixture[str], done: list[Outcome], summary: str, code: int
) -> None:
    """Only when everything ran and passed is the run a success."""
    assert code == _sum_up(done, quick=False)
    assert summary == capsys.readouterr().out.splitlines()[-1]
