"""Plays histories on a virtual clock, and reports what should not be.

python -m tests.simulation --seeds 1000 [--from 0] [--processes 2]
python -m tests.simulation --seed 17
python -m tests.simulation --seeds 1000 --broken slot    # with a fault put back on purpose: how soon is it found?
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

if os.environ.get("PYTHONHASHSEED") != "0":  # sets of texts are to have the same order each time
    os.execve(
        sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
    )

from tests.simulation import clock
from tests.simulation.broken import BROKEN, copy_with

clock.install()  # before the package is imported, whose defaults name the clock

from tests.simulation.steps import Step, draw  # noqa: E402
from tests.simulation.world import Result, play  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many histories to play")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--seed", type=int, help="play one seed, shrink it if it fails, and print what happens")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--stop", action="store_true", help="stop at the first violation")
    parser.add_argument("--without", action="append", default=[], metavar="KIND", help="leave out steps of this kind")
    parser.add_argument("--known", action="append", default=[], metavar="PATTERN", help="violations that do not count")
    parser.add_argument(
        "--broken", choices=BROKEN, help="put this fault back into a copy of the package, and play that"
    )
    options = parser.parse_args()
    if options.broken:
        return _play_broken(options.broken)
    if options.seed is not None:
        return _explain(options.seed, options.without)
    seeds = range(options.first, options.first + options.seeds)
    return _play_many(seeds, options)


def _play_broken(name: str) -> int:
    """Play the seeds on a copy in which something is broken, until it is found."""
    others = [argument for argument in sys.argv[1:] if argument not in ("--broken", name)]
    with copy_with(name) as folder:
        command = [sys.executable, "-m", "tests.simulation", "--stop", *others]
        return subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}).returncode


def _play_many(seeds: range, options: argparse.Namespace) -> int:
    begin, number, failed, kinds = time.time(), 0, 0, Counter[str]()
    known = re.compile("|".join(options.known) or "(?!)")
    with ProcessPoolExecutor(options.processes) as pool:
        for result in pool.map(partial(_play_one, without=options.without), seeds, chunksize=5):
            number += 1
            result.violations = [text for text in result.violations if not known.search(text)]
            if result.violations:
                failed += 1
                kinds[result.violations[0][:40]] += 1
                print(f"seed {result.seed}: {'; '.join(result.violations[:2])[:300]}", flush=True)
                if options.stop:
                    pool.shutdown(wait=False, cancel_futures=True)
                    break
    took = time.time() - begin
    print(f"{number} seeds in {took:.0f} s, {number / took:.1f} a second: {failed} with violations")
    for kind, times in kinds.most_common():
        print(f"  {times:5}  {kind}")
    if failed:
        print("python -m tests.simulation --seed N plays one again")
    return int(failed > 0)


def _steps(seed: int, without: list[str]) -> list[Step]:
    return [step for step in draw(seed) if step.what not in without]


def _play_one(seed: int, without: list[str]) -> Result:
    result = play(seed, _steps(seed, without))
    result.log.clear()
    return result


def _explain(seed: int, without: list[str]) -> int:
    steps = _steps(seed, without)
    first, second = play(seed, steps), play(seed, steps)
    if first.digest != second.digest:
        print("It does not replay exactly:")
        pairs = zip(first.log, second.log, strict=False)
        print(next((f"{one}\n{other}" for one, other in pairs if one != other), "one is longer"))
    if not first.violations:
        print("\n".join([*map(str, steps), f"seed {seed}: no violation, digest {first.digest}"]))
        return 0
    smaller = shrink(seed, steps)
    result = play(seed, smaller)
    print("\n".join(result.log))
    print(f"\n{len(smaller)} of {len(steps)} steps are left, which end in:")
    print("\n".join([*map(str, smaller), *result.violations]))
    return 1


def shrink(seed: int, steps: list[Step]) -> list[Step]:
    """Leave out steps, many at once at first, as long as there is still a violation."""
    size = max(len(steps) // 2, 1)
    while True:
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if play(seed, fewer).violations:
                steps = fewer
            else:
                start += size
        if size == 1:
            return steps
        size = max(size // 2, 1)


if __name__ == "__main__":
    sys.exit(main())
