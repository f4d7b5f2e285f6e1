"""A console as text, in a terminal or a script."""

from __future__ import annotations

import subprocess
import sys

import invoke_widgets as iw
from tests.support.graphs import add_and_multiply, fail
from tests.support.wire import Wire, until


def test_console_prints_the_queue(console: iw.Console, wire: Wire) -> None:
    """The text has the server, the counters and the newest items; the repr is one line."""
    wire.run(add_and_multiply())
    wire.run(fail("out of luck"))
    until(lambda: console.status.failed and console.status.completed, "the snapshot")
    until(lambda: "RuntimeError: out of luck" in str(console), "the error")
    server, counts, _, caption, header, failed, completed = str(console).split("\n")
    assert server.startswith("InvokeAI 6.")
    assert server.endswith("queue default: ● live")
    assert "0 running · 0 waiting · 1 completed · 1 failed · 0 canceled" == counts
    assert caption.endswith(": 2 items")
    assert ["item", "status", "activity"] == header.split()[:3]
    assert ("✕ Failed", "✓ Completed") == tuple(" ".join(line.split()[1:3]) for line in (failed, completed))
    assert 1 == len(repr(console).splitlines())


def test_printed_server_text_has_no_control_characters(console: iw.Console, wire: Wire) -> None:
    """Control characters and those that change the direction of text are replaced."""
    wire.run(fail("\x1b]0;title\x07\x1b[2J\u202eevil\x9b31m"))
    until(lambda: "evil" in str(console), "the error")
    assert all(c.isprintable() or c == "\n" for c in str(console))


def test_printing_loads_no_widgets(wire: Wire) -> None:
    """A script that prints a console loads neither ipywidgets nor anywidget."""
    code = (
        f"import sys, invoke_widgets as iw\nwith iw.connect({wire.server.url!r}) as console: print(console)\n"
        "print([name for name in ('ipywidgets', 'anywidget') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ("InvokeAI", "[]") == (done.stdout.split()[0], done.stdout.split()[-1])
