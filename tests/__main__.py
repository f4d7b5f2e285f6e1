"""Run all tests, with what they need: `python -m tests`, or `python -m tests --quick` without browser and real servers.

Chromium, nginx and the real InvokeAI servers are installed first where they are missing. The tests run in parts, each
in a pytest process of its own. The run fails if a test failed, was skipped, or was run by no part.

Browsers, kernels and servers share a machine here, so that a test may fail by chance: up to three failures of a part
are repeated once, when nothing else runs. A test that passes only then is named at the end, and its first failure is
shown above: it is a fault to be found all the same.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.support.browser import NoBrowserError, install_chromium
from tests.support.nginx import NoNginxError, install_nginx
from tests.support.real_server.install import VERSIONS, InstallError, installed

_ROOT = Path(__file__).resolve().parent.parent
_PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
_EVERYTHING = ("--real", "--browser", "--slow")
_SEVERITY = ["passed", "skipped", "failed"]
_MAX_REPEATED = 3


class Part(NamedTuple):
    """Some of the tests, for one pytest process."""

    name: str
    arguments: tuple[str, ...]


class Result(NamedTuple):
    """The result of a part: pytest's exit code, and the outcome of each test by its id."""

    part: Part
    code: int
    outcomes: dict[str, str]
    seconds: float = 0.0


_QUICK = Part("embedded server", ("-m", "not browser and not slow and not real"))
_SLOW = Part("slow", ("--slow", "-m", "slow and not browser and not real"))
_BROWSER = Part("browser", ("--browser", "--slow", "-m", "browser and not real"))
_REAL = {
    version: Part(f"InvokeAI {version}", (f"--real={version}", "--browser", "--slow", "-m", "real"))
    for version in VERSIONS
}
for _version in VERSIONS[2:-1]:  # where only the contract runs, another process costs more than it saves: its servers
    _REAL[_version] = _REAL[_version]._replace(arguments=("-n", "1", *_REAL[_version].arguments))

# Two parts run at the same time, since tests with real servers mostly wait for them, and each part ends with a long
# test or two while its other processes are idle. Whichever ends first is followed by the next: long ones come first.
_PARTS = [_REAL[VERSIONS[0]], _QUICK, _SLOW, _BROWSER, *(_REAL[version] for version in VERSIONS[1:])]
_AT_ONCE = 2
_PROCESSES = str(os.cpu_count() or 1)  # per part


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="neither browser nor real servers nor slow tests")
    if parser.parse_args().quick:
        return summary([repeat_failures(run(_QUICK))], wanted=None)
    wanted = collect()
    try:
        print(f"Chromium: {install_chromium()}", flush=True)
        print(f"nginx: {install_nginx()}", flush=True)
        with ThreadPoolExecutor(_AT_ONCE) as at_once:
            first = list(at_once.map(_install_and_run, _PARTS))
    except (NoBrowserError, NoNginxError, InstallError) as error:
        print(error, file=sys.stderr)
        return 1
    return summary([repeat_failures(result) for result in first], wanted)


def _install_and_run(part: Part) -> Result:
    for version in (version for version, of_version in _REAL.items() if of_version is part):
        print(f"InvokeAI {version}: installing unless it is there", flush=True)
        installed(version)
    return run(part, aside=True)


def collect(*arguments: str, folder: Path = _ROOT) -> set[str]:
    """Return the ids of all tests."""
    command = [*_PYTEST, "-n", "0", "--collect-only", *(arguments or _EVERYTHING)]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    return {line for line in done.stdout.splitlines() if "::" in line}


def run(part: Part, *, aside: bool = False, folder: Path = _ROOT) -> Result:
    """Run a part. With `aside`, on fewer processes, and with the output printed in one piece at the end."""
    print(f"\n=== {part.name} {'begins' if aside else ''} ===", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "outcomes"
        done = subprocess.run(
            [*_PYTEST, f"--outcomes={path}", *(("-n", _PROCESSES) if aside else ()), *part.arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if aside else None,
            stderr=subprocess.STDOUT if aside else None,
            text=True,
        )
        outcomes: dict[str, str] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            outcome, _, test = line.partition(" ")
            outcomes[test] = max(outcomes.get(test, outcome), outcome, key=_SEVERITY.index)
    if aside:
        print(f"\n=== {part.name} ===\n{done.stdout}", flush=True)
    return Result(part, done.returncode, outcomes, time.monotonic() - begin)


def repeat_failures(result: Result, *, folder: Path = _ROOT) -> Result:
    """Repeat up to three failed tests; those that pass then have the outcome "repeated"."""
    failed = [test for test, outcome in result.outcomes.items() if outcome == "failed"]
    if result.code != 1 or not 0 < len(failed) <= _MAX_REPEATED:
        return result
    part = Part(f"{result.part.name}: what failed, once more", (*result.part.arguments, *failed))
    again = run(part, folder=folder)
    passed = {test: "repeated" for test in failed if again.outcomes.get(test) == "passed"}
    return result._replace(
        code=0 if again.code == 0 and len(passed) == len(failed) else 1,
        outcomes=result.outcomes | passed,
        seconds=result.seconds + again.seconds,
    )


def summary(results: list[Result], wanted: set[str] | None) -> int:
    """Print the outcome of all parts; return the exit code, 0 only if all wanted tests ran and passed.

    Args:
        wanted: the ids of all tests; None if not all were to run.
    """
    print("\n=== all parts ===")
    totals: Counter[str] = Counter()
    for result in results:
        counts = Counter(result.outcomes.values())
        totals += counts
        listed = ", ".join(f"{counts[name]} {name}" for name in ("passed", "repeated", "failed", "skipped"))
        print(f"{result.part.name}: {listed} in {result.seconds:.0f} s" + (" (pytest failed)" if result.code else ""))
    missing = (wanted or set()) - {test for result in results for test in result.outcomes}
    for test in sorted(missing):
        print(f"NOT RUN BY ANY PART: {test}")
    for label, name in (("SKIPPED", "skipped"), ("FAILED, AND PASSED ONLY WHEN REPEATED", "repeated")):
        for test in sorted(test for result in results for test, outcome in result.outcomes.items() if outcome == name):
            print(f"{label}: {test}")
    passed, skipped = totals["passed"] + totals["repeated"], totals["skipped"] + len(missing)
    repeated = f" ({totals['repeated']} of them only when repeated)" if totals["repeated"] else ""
    print(f"{passed} passed{repeated}, {totals['failed']} failed, {skipped} skipped")
    complete = passed and not skipped and not totals["failed"] and not any(result.code for result in results)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
