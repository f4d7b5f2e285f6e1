"""Run all tests, with what they need: `python -m tests`, or `python -m tests --quick` without browser and real servers.

Chromium and the real InvokeAI servers are installed first where they are missing. Each part runs in a process of its
own. The run fails if a test failed, was skipped, or was left out by every part.

Browsers, kernels and servers share a machine here, so that a test may fail by chance: up to three failures of a part
are run once more, by themselves. What passes only then is named at the end, and its failure stands above: it is no
less a fault to be found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.support.browser import NoBrowserError, install_chromium
from tests.support.real_server.install import VERSIONS, InstallError, installed

_ROOT = Path(__file__).resolve().parent.parent
_SOME_FAILED, _NO_TESTS = 1, 5  # pytest's exit codes
_REPEATED_AT_MOST = 3


class Part(NamedTuple):
    """Some of the tests, in one pytest process."""

    name: str
    arguments: tuple[str, ...]


class Outcome(NamedTuple):
    """What became of a part."""

    part: Part
    ok: bool
    outcomes: dict[str, str]
    deselected: set[str]
    seconds: float


_QUICK = (Part("embedded server", ("-m", "not browser and not slow and not real")),)
_FULL = (
    *_QUICK,
    Part("slow", ("--slow", "-m", "slow and not browser and not real")),
    Part("browser", ("--browser", "--slow", "-m", "browser and not real")),
    *(Part(f"InvokeAI {version}", (f"--real={version}", "--browser", "--slow", "-m", "real")) for version in VERSIONS),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="neither browser nor real servers nor slow tests")
    quick = parser.parse_args().quick

    if not quick:
        try:
            print(f"Chromium: {install_chromium()}", flush=True)
            for version in VERSIONS:
                print(f"InvokeAI {version}: installing unless it is there", flush=True)
                installed(version)
        except (NoBrowserError, InstallError) as error:
            print(error, file=sys.stderr)
            return 1

    done = [_run(part) for part in (_QUICK if quick else _FULL)]
    return _sum_up(done, quick=quick)


def _run(part: Part, folder: Path = _ROOT) -> Outcome:
    code, first = _pytest(part, folder)
    failed = [test for test, became in first.outcomes.items() if became == "failed"]
    if code != _SOME_FAILED or not 0 < len(failed) <= _REPEATED_AT_MOST:
        return first
    again_code, again = _pytest(Part(f"{part.name}, once more what failed", (*part.arguments, *failed)), folder)
    passed = {test: "repeated" for test in failed if again.outcomes.get(test) == "passed"}
    return first._replace(
        ok=again_code == 0 and len(passed) == len(failed),
        outcomes=first.outcomes | passed,
        seconds=first.seconds + again.seconds,
    )


def _pytest(part: Part, folder: Path) -> tuple[int, Outcome]:
    print(f"\n=== {part.name} ===", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as told:
        path = Path(told) / "ledger.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.support.ledger",
            f"--ledger={path}",
            "-q",
            *part.arguments,
        ]
        code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL).returncode
        ledger = json.loads(path.read_text()) if path.exists() else {"outcomes": {}, "deselected": []}
    seconds = time.monotonic() - begin
    return code, Outcome(part, code in (0, _NO_TESTS), ledger["outcomes"], set(ledger["deselected"]), seconds)


def _sum_up(done: list[Outcome], *, quick: bool) -> int:
    print("\n=== all parts ===")
    for outcome in done:
        counts = Counter(outcome.outcomes.values())
        counts["passed"] += counts["repeated"]
        told = ", ".join(f"{counts[name]} {name}" for name in ("passed", "failed", "skipped"))
        print(f"{outcome.part.name}: {told} in {outcome.seconds:.0f} s" + ("" if outcome.ok else " (pytest failed)"))

    ran = {test for outcome in done for test in outcome.outcomes}
    never = sorted({test for outcome in done for test in outcome.deselected} - ran)
    skipped = sorted(test for outcome in done for test, became in outcome.outcomes.items() if became == "skipped")
    for test in skipped:
        print(f"skipped: {test}")
    if quick:
        print(f"not part of a quick run: {len(never)} tests, and all that needs the real InvokeAI")
    else:
        for test in never:
            print(f"left out by every part: {test}")

    totals = Counter(became for outcome in done for became in outcome.outcomes.values())
    for outcome in done:
        for test in sorted(test for test, became in outcome.outcomes.items() if became == "repeated"):
            print(f"failed, and passed only when repeated by itself ({outcome.part.name}): {test}")
    passed = totals["passed"] + totals["repeated"]
    repeated = f" ({totals['repeated']} of them only when repeated)" if totals["repeated"] else ""
    total_skipped = totals["skipped"] + (0 if quick else len(never))
    print(f"{passed} passed{repeated}, {totals['failed']} failed, {total_skipped} skipped")
    complete = all(outcome.ok for outcome in done) and passed and not totals["failed"] and not total_skipped
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
