"""Faults put back into a copy of the package on purpose, to show that the simulation finds them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parents[2]


class Broken(NamedTuple):
    """A text of one of the package's files, and what stands there instead."""

    path: str
    text: str
    instead: str


BROKEN: dict[str, Broken] = {
    "event": Broken(
        "client/socket.py",
        "event = parse_event(name, data)",
        'event = None if data.get("status") == "completed" and data["item_id"] % 7 == 0 else parse_event(name, data)',
    ),
    "slot": Broken(
        "client/transport.py",
        "raise map_exception(error, name, self.url, self._proxy) from None",
        "try:  # an answer that is never read keeps its connection\n"
        '                    never_read = self._pool.http.build_request("GET", "/api/v1/app/version")\n'
        "                    await self._pool.http.send(never_read, stream=True)\n"
        "                except Exception:\n"
        "                    pass\n"
        "                raise map_exception(error, name, self.url, self._proxy) from None",
    ),
    "total": Broken(
        "jobs/submit.py",
        "return await self._look_back(batch, failure) if batch.arrivals else None",
        "return None  # a batch of which the server counts nothing is sent again",
    ),
}


@contextmanager
def copy_with(name: str) -> Iterator[Path]:
    """Make a copy of package and tests in which this is broken, and yield its folder."""
    broken = BROKEN[name]
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("invoke_widgets", "tests/simulation"):
            shutil.copytree(_ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "tests" / "__init__.py").touch()
        file = copy / "invoke_widgets" / broken.path
        text = file.read_text()
        if text.count(broken.text) != 1:
            sys.exit(f"{broken.path} has no longer the one {broken.text!r}: put the fault {name!r} back in another way")
        file.write_text(text.replace(broken.text, broken.instead))
        yield copy
