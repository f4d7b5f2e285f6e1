"""`run(coro)`: run a coroutine to its end, also where a loop is running already."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import threading
import warnings
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from invoke_widgets._loop import interruptible

T = TypeVar("T")

_MISSING = object()
_MARKS = ("_nest_patched", "_nest_asyncio2")
# A loop of another thread may just now be in a function that looks at these; and tornado may still meet a future of
# the other kind.
_LEFT = ("_nest_deferred", "_num_runs_pending", "_is_proactorloop", "FUTURES")
_lock = threading.Lock()
_under_way = 0
_changes: list[tuple[Any, str, object, object]] = []
"""What the patch changed: where, which name, its value before and with the patch."""


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Run `coro` and return its result: in a script, in a cell, and inside a running loop.

    Where no loop runs, this is `asyncio.run`. Where one does (a notebook's cell), nest-asyncio2 is applied for the time
    of the call and taken back after it, unless somebody else has applied it, too; `asyncio.run` stays Python's own.
    While it runs, clicks wait on most kernels: in a cell, `await coro` is better.

    Raises:
        TypeError: `coro` is not a coroutine.
        KeyboardInterrupt: the cell was interrupted; the coroutine has been canceled.
        BaseException: what the coroutine raises.
    """
    if not inspect.iscoroutine(coro):
        raise TypeError(f"run() takes a coroutine, such as run(client.app_version()), got {type(coro).__name__}")
    if _has_old_patch():
        warnings.warn(
            "nest_asyncio is active in this process. Its last version, 1.6.0, loses queued cells and clicks on "
            "ipykernel >= 7.1. Remove nest_asyncio.apply(); nothing here needs it.",
            RuntimeWarning,
            stacklevel=2,
        )
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        result: T = asyncio.run(coro)
        return result
    with _patched(loop), interruptible():
        task = loop.create_task(coro)
        try:
            nested: T = loop.run_until_complete(task)
            return nested
        except KeyboardInterrupt:
            # As asyncio.run does: it would go on behind the cell else, and not do what it does when canceled.
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            raise


@contextlib.contextmanager
def _patched(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """nest-asyncio2, applied to a running loop for a while; others' use of it is left alone."""
    global _under_way
    with _lock:
        _under_way += 1
    try:
        with _lock:
            _apply(loop)
        ready: Any = loop._ready  # type: ignore[attr-defined]
        due = len(ready)
        try:
            yield
        finally:
            # The loop is about to run so many handles as were due, and breaks if there are fewer: some have been run.
            for _ in range(due - len(ready)):
                loop.call_soon(lambda: None)
    finally:
        with _lock:
            _under_way -= 1
            if not _under_way:
                _take_back()


def _apply(loop: asyncio.AbstractEventLoop) -> None:
    import nest_asyncio2

    places = _places(loop)
    marked = [place for place in places if _is_marked(place)]
    if type(loop) in marked or any(place is type(loop) for place, *_ in _changes):
        return
    before = [dict(vars(place)) for place in places]
    own_run = asyncio.run
    nest_asyncio2.apply(loop)
    # Its replacement leaves event loops unclosed on Python 3.11, and is not needed here.
    asyncio.run = own_run
    for place, old in zip(places, before, strict=True):
        if place not in marked:
            # Without its marks, so that others who apply it meanwhile do so in full, and leave marks that say so.
            for mark in _MARKS:
                if mark in vars(place):
                    delattr(place, mark)
        for name, value in dict(vars(place)).items():
            if name not in _LEFT and old.get(name, _MISSING) is not value:
                _changes.append((place, name, old.get(name, _MISSING), value))


def _take_back() -> None:
    for place, name, old, patched in reversed(_changes):
        of_asyncio = not isinstance(place, type)
        if vars(place).get(name) is not patched or _is_marked(asyncio if of_asyncio else place):
            continue  # somebody else's by now
        if old is _MISSING:
            delattr(place, name)
        else:
            setattr(place, name, old)
    _changes.clear()


def _places(loop: asyncio.AbstractEventLoop) -> list[Any]:
    """All that nest-asyncio2 changes something of."""
    places: list[Any] = [asyncio, asyncio.tasks, asyncio.futures, asyncio.events, type(loop)]
    if sys.version_info < (3, 14):
        places.append(type(asyncio.get_event_loop_policy()))
    if (tornado := sys.modules.get("tornado.concurrent")) is not None:
        places.append(tornado)
    return places


def _is_marked(place: Any) -> bool:
    return any(mark in vars(place) for mark in _MARKS)


def _has_old_patch() -> bool:
    return hasattr(asyncio, "_nest_patched") and not hasattr(asyncio, "_nest_asyncio2")
