"""`iw.run` in a running loop: it gives the result, and the loop goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = """
import asyncio, threading
import invoke_widgets as iw

async def answer(seconds=0.01):
    await asyncio.sleep(seconds)
    return 42
"""

_CASES = {
    "again, nested and failing": """
async def nesting():
    return iw.run(answer())
async def failing():
    raise KeyError("mine")
async def cell():
    for coro in (answer(), nesting(), answer()):
        assert 42 == iw.run(coro)
    try:
        iw.run(failing())
    except KeyError:
        return "ok"
print(asyncio.run(cell()))
print(asyncio.run(cell()))
""",
    "a task begun within goes on": """
async def beginning():
    return asyncio.create_task(answer(0.05))
async def cell():
    task = iw.run(beginning())
    return await task, await asyncio.gather(answer(), task)
print("ok" if (42, [42, 42]) == asyncio.run(cell()) else "no")
print("ok" if 42 == iw.run(answer()) else "no")
""",
    "somebody has applied nest_asyncio2 before": """
import nest_asyncio2
async def cell():
    nest_asyncio2.apply()
    assert 42 == iw.run(answer())
    assert 42 == asyncio.get_running_loop().run_until_complete(answer())
    return "ok"
print(asyncio.run(cell()))
print(iw.run(cell()))
""",
    # The loop has counted its due handles before some of them are run within.
    "other handles are due": """
async def cell():
    ran = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: ran.append(iw.run(answer())))
    for number in range(500):
        loop.call_soon(ran.append, number)
    await asyncio.sleep(0.05)
    return "ok" if sorted([*range(500), 42]) == sorted(ran) else "no"
print(asyncio.run(cell()))
print(asyncio.run(cell()))
""",
    "two threads at once": """
async def cell(seconds, begun, other):
    begun.set()
    other.wait(30)
    return iw.run(answer(seconds))
events = threading.Event(), threading.Event()
results = []
threads = [
    threading.Thread(target=lambda s=s, e=e, o=o: results.append(asyncio.run(cell(s, e, o))))
    for s, e, o in ((0.01, *events), (0.5, *reversed(events)))
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for result in results:
    print("ok" if 42 == result else "no")
""",
}


@pytest.mark.parametrize("case", _CASES)
def test_run_in_a_running_loop(case: str) -> None:
    """Each case prints twice that all is well."""
    command = [sys.executable, "-W", "error", "-c", _BEGIN + _CASES[case]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ("ok\nok\n", 0) == (done.stdout, done.returncode), done.stderr
