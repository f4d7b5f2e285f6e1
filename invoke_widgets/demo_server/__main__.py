"""Run the server: `python -m invoke_widgets.demo_server`.

Once it accepts requests it prints one line of JSON: its `url`, its `pid`, and `control`, the token for drills.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Make modules look uninstalled, unless they are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# `import socketio` also loads the optional HTTP libraries of its clients, which is a fifth of the time to start. This
# process only serves.
with _hidden("requests", "aiohttp", "tornado", "websocket"):
    from .app import DemoServer
    from .services import Settings

# Time that open requests and sockets get to finish when the server stops.
GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    """uvicorn, printing a line when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._ready, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m invoke_widgets.demo_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--root", type=Path, help="folder for database and images; by default a temporary one")
    parser.add_argument("--max-queue-size", type=int, default=Settings.max_queue_size, metavar="N")
    parser.add_argument("--multiuser", action="store_true", help="require users to log in")
    parser.add_argument("--gc-pause", type=float, default=0.0, metavar="SECONDS", help="freeze before each item")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input closes")
    parser.add_argument("--control", help="token for drills; random by default")
    return parser.parse_args()


def _stop_with_stdin(server: uvicorn.Server) -> None:
    # Not through sys.stdin: the interpreter aborts at exit while a thread holds its lock.
    while os.read(0, 4096):
        pass
    server.should_exit = True
    server.force_exit = True


def main() -> None:
    """Run the server until it is stopped."""
    arguments = _arguments()
    root = arguments.root or Path(tempfile.mkdtemp(prefix="invoke-widgets-demo-"))
    settings = Settings(
        max_queue_size=arguments.max_queue_size,
        multiuser=arguments.multiuser,
        gc_pause=arguments.gc_pause,
    )
    for name in ("uvicorn.error", "uvicorn.access", "engineio", "socketio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        demo = DemoServer(root, settings, arguments.control)
        listener = socket.create_server(("127.0.0.1", arguments.port))
        # Head and body are written separately; with Nagle's algorithm the body waits for the client's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        ready = json.dumps({"url": url, "pid": os.getpid(), "control": demo.control})
        config = uvicorn.Config(
            demo.app,
            http="h11",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config, ready)
        server.server_state.connections = demo.connections
        if arguments.exit_with_stdin:
            threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
        # uvicorn raises the signal that stopped it again; these handlers let the cleanup below run.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        server.run(sockets=[listener])
    finally:
        if arguments.root is None:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
