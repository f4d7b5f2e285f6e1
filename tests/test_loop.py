"""The thread on which everything runs that waits."""

from __future__ import annotations

import asyncio
import socket

from invoke_widgets.loop import LoopThread


def test_connections_end_with_the_loop() -> None:
    """What was left open is cut, whoever still holds it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = LoopThread()
        held = thread.call(asyncio.open_connection(*server.getsockname()))
        peer, _ = server.accept()
        with peer:
            peer.settimeout(30)
            thread.stop()
            assert b"" == peer.recv(1)
        assert held[1].is_closing()
