"""`iw.run` in a running loop: what it patches it takes back, and the loop goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = """
import asyncio, sys, threading
import invoke_widgets as iw

async def answer(seconds=0.01):
    await asyncio.sleep(seconds)
    return 42

def patched():
    places = [asyncio, asyncio.tasks, asyncio.futures, asyncio.events, type(asyncio.get_running_loop())]
    if sys.version_info < (3, 14):
        places.append(type(asyncio.get_event_loop_policy()))
    # Data that nothing but nest-asyncio2 looks at may stay.
    inert = ("_nest_deferred", "_num_runs_pending", "_is_proactorloop")
    return {(i, n): v for i, p in enumerate(places) for n, v in vars(p).items() if n not in inert}
"""

_CASES = {
    # Nothing is left of it, call after call, whether the coroutine returns or raises, also where it is nested itself.
    "taken back": """
async def nesting():
    return iw.run(answer())
async def failing():
    raise KeyError("mine")
async def cell():
    before = patched()
    for coro in (answer(), nesting(), answer()):
        assert 42 == iw.run(coro)
        assert before == patched()
    try:
        iw.run(failing())
    except KeyError:
        pass
    assert before == patched()
    return "ok"
print(asyncio.run(cell()))
""",
    # A task that was begun within goes on after it.
    "a task goes on": """
async def beginning():
    return asyncio.create_task(answer(0.05))
async def cell():
    task = iw.run(beginning())
    return await task, await asyncio.gather(answer(), task)
print("ok" if (42, [42, 42]) == asyncio.run(cell()) else "no")
""",
    "somebody has applied it before": """
import nest_asyncio2
async def cell():
    nest_asyncio2.apply()
    before = patched()
    assert 42 == iw.run(answer())
    assert before == patched()
    assert 42 == asyncio.get_running_loop().run_until_complete(answer())
    return "ok"
print(asyncio.run(cell()))
""",
    "somebody applies it meanwhile": """
import nest_asyncio2
async def applying():
    nest_asyncio2.apply()
    return await answer()
async def cell():
    assert 42 == iw.run(applying())
    assert hasattr(asyncio, "_nest_asyncio2")
    assert 42 == asyncio.get_running_loop().run_until_complete(answer())
    return "ok"
print(asyncio.run(cell()))
""",
    # The loop has counted what is due before, and does not mind that it has been run within.
    "what was due": """
async def cell():
    ran = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: ran.append(iw.run(answer())))
    for number in range(5):
        loop.call_soon(ran.append, number)
    await asyncio.sleep(0.05)
    return sorted(ran)
print("ok" if [0, 1, 2, 3, 4, 42] == asyncio.run(cell()) else "no")
""",
    # The first to end leaves the other its patch; the last takes it back.
    "two threads": """
before = []
async def cell(seconds, begun, other):
    before.append(patched())
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
async def now():
    return patched()
after = asyncio.run(now())
print("ok" if [42, 42] == results and after == before[0] else "no")
""",
}


@pytest.mark.parametrize("case", _CASES)
def test_run_in_a_running_loop(case: str) -> None:
    """It gives the result, the loop goes on, and nothing is patched afterwards but what others have patched."""
    command = [sys.executable, "-W", "error", "-c", _BEGIN + _CASES[case]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ("ok\n", 0) == (done.stdout, done.returncode), done.stderr
