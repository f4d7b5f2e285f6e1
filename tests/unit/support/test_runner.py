"""`python -m tests` repeats chance failures, and succeeds only if every test ran and passed."""

from pathlib import Path

import pytest

from tests.__main__ import Part, Result, collect, repeat_failures, run, summary

_ROOT = Path(__file__).parents[3]
_SAMPLE = """
import pathlib, pytest

def test_passes(): pass

def test_fails(): assert 0

@pytest.mark.skip
def test_is_skipped(): pass

@pytest.mark.xfail
def test_is_expected_to_fail(): assert 0

def test_is_deselected(): pass

@pytest.fixture
def broken():
    yield
    raise ValueError

def test_teardown_fails(broken): pass

def test_fails_once():
    seen = pathlib.Path(__file__).with_suffix(".seen")
    first = not seen.exists()
    seen.touch()
    assert not first
"""


@pytest.mark.slow
def test_run_and_repeat_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures include those at teardown, expected failures count as skipped, three failures are repeated once."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(_SAMPLE)
    options = ("-c", str(tmp_path / "pytest.ini"), f"--rootdir={tmp_path}", "-p", "tests.conftest")
    first = run(Part("sample", (*options, "-n", "2", "-k", "not deselected")), folder=tmp_path)
    outcomes = {
        "test_sample.py::test_passes": "passed",
        "test_sample.py::test_fails": "failed",
        "test_sample.py::test_is_skipped": "skipped",
        "test_sample.py::test_is_expected_to_fail": "skipped",
        "test_sample.py::test_teardown_fails": "failed",
        "test_sample.py::test_fails_once": "failed",
    }
    assert (1, outcomes) == (first.code, first.outcomes)
    assert {"test_sample.py::test_is_deselected"} == collect(*options, folder=tmp_path) - set(outcomes)
    repeated = repeat_failures(first, folder=tmp_path)
    assert (1, outcomes | {"test_sample.py::test_fails_once": "repeated"}) == (repeated.code, repeated.outcomes)


def _result(outcomes: dict[str, str], code: int = 0) -> Result:
    return Result(Part("a part", ()), code, outcomes)


@pytest.mark.parametrize(
    ("results", "line", "code"),
    [
        ([_result({"a": "passed"}), _result({"b": "passed"})], "2 passed, 0 failed, 0 skipped", 0),
        ([_result({"a": "passed", "b": "skipped"})], "1 passed, 0 failed, 1 skipped", 1),
        ([_result({"a": "passed"})], "1 passed, 0 failed, 1 skipped", 1),
        ([_result({"a": "passed", "b": "failed"}, 1)], "1 passed, 1 failed, 0 skipped", 1),
        ([_result({"a": "passed", "b": "passed"}, 1)], "2 passed, 0 failed, 0 skipped", 1),
        (
            [_result({"a": "passed", "b": "repeated"})],
            "2 passed (1 of them only when repeated), 0 failed, 0 skipped",
            0,
        ),
        ([_result({})], "0 passed, 0 failed, 2 skipped", 1),
    ],
    ids=["all ran", "a skip", "run by no part", "a failure", "pytest failed", "a repeat", "nothing ran"],
)
def test_summary(capsys: pytest.CaptureFixture[str], results: list[Result], line: str, code: int) -> None:
    """The exit code is 0 only if the tests a and b ran and passed."""
    assert code == summary(results, {"a", "b"})
    assert line == capsys.readouterr().out.splitlines()[-1]
