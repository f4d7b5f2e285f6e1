"""Makes the server start in half the time: importing this keeps Socket.IO's clients from loading theirs.

`import socketio` brings in the HTTP libraries of its clients, and tornado, where they are installed, and can do without
them. A process that only serves needs none, so for it they are not there. To be imported first, and only by such
a process.
"""

from __future__ import annotations

import sys

for _name in ("requests", "aiohttp", "tornado", "websocket"):
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]
