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


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Options for pytest in a folder that has the sample tests and this project's conftest."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_sample.py").write_text(_SAMPLE)
    return ("-c", str(tmp_path / "pytest.ini"), f"--rootdir={tmp_path}", "-p", "tests.conftest")


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_run_reports_each_outcome(tmp_path: Path, options: tuple[str, ...], workers: str) -> None:
    """A failure at teardown is a failure, an expected failure counts as skipped, a deselected test has no outcome."""
    result = run(Part("sample", (*options, "-n", workers, "-k", "not deselected and not once")), folder=tmp_path)
    assert {
        "test_sample.py::test_passes": "passed",
        "test_sample.py::test_fails": "failed",
        "test_sample.py::test_is_skipped": "skipped",
        "test_sample.py::test_is_expected_to_fail": "skipped",
        "test_sample.py::test_teardown_fails": "failed",
    } == result.outcomes
    assert {"test_sample.py::test_is_deselected", "test_sample.py::test_fails_once"} == collect(
        *options, folder=tmp_path
    ) - set(result.outcomes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "code", "outcome"),
    [("test_fails_once", 0, "repeated"), ("test_fails", 1, "failed")],
    ids=["by chance", "always"],
)
def test_failures_are_repeated_once(
    tmp_path: Path, options: tuple[str, ...], chosen: str, code: int, outcome: str
) -> None:
    """A test that passes when repeated has an outcome of its own; one that fails again fails the part."""
    test = f"test_sample.py::{chosen}"
    result = repeat_failures(run(Part("sample", (*options, "-n", "0", test)), folder=tmp_path), folder=tmp_path)
    assert (code, {test: outcome}) == (result.code, result.outcomes)


def test_more_than_three_failures_are_not_repeated() -> None:
    """The result is returned as it is."""
    result = Result(Part("no such option", ("--nonsense",)), 1, dict.fromkeys("abcd", "failed"))
    assert result == repeat_failures(result)


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
