"""Launch the embedded server in a process of its own, which stops with this one; start drills there."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from invoke_widgets.errors import InvalidRequest, ServerUnreachable

_START_S = 30.0

# Ignores proxy settings of the environment: the server is on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class EmbeddedServer:
    """A running embedded server.

    Args:
        control: the token for drills.
        process: its process, if it was started here; `stop` leaves any other running.

    Attributes:
        url: its address.
        pid: the id of its process; None if it was not started here.
    """

    def __init__(self, url: str, control: str, process: subprocess.Popen[str] | None = None) -> None:
        self._process = process
        self._control = control
        self.url = url
        self.pid = None if process is None else process.pid

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        root: str | Path | None = None,
        max_queue_size: int | None = None,
        gc_pause: float | None = None,
    ) -> Self:
        """Start a server and wait until it is ready.

        Args:
            port: port to listen on; 0 picks a free one.
            root: folder for queue and images, which then outlive the server; by default a temporary one.
            max_queue_size: maximum number of pending items; 10000 by default, as in InvokeAI.
            gc_pause: seconds without any response before each item, as on the real server (0.55 on a CPU).

        Raises:
            ServerUnreachable: it did not start; the message ends with its last line of output.
        """
        command = [sys.executable, "-m", "invoke_widgets.demo_server", "--exit-with-stdin", "--port", str(port)]
        options = {"--root": root, "--max-queue-size": max_queue_size, "--gc-pause": gc_pause}
        for name, value in options.items():
            if value is not None:
                command += [name, str(value)]
        with tempfile.TemporaryFile("w+") as output:
            # In a session of its own, since interrupting a cell signals the kernel's whole process group.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )
            patience = threading.Timer(_START_S, process.kill)
            patience.start()
            assert process.stdout is not None
            try:
                line = process.stdout.readline()  # empty when it has ended
            except BaseException:  # an interrupted cell
                process.kill()
                raise
            finally:
                patience.cancel()
            if not line:
                process.communicate()
                output.seek(0)
                errors = output.read().strip()
                raise ServerUnreachable(
                    f"The demo server did not start: {errors.splitlines()[-1] if errors else 'no output'}.",
                    suggestion=_hint(errors, port),
                )
        ready = json.loads(line)
        return cls(ready["url"], ready["control"], process)

    def __repr__(self) -> str:
        # One that was not started here would have to be asked.
        state = "" if self._process is None else ", stopped" if self._has_ended else ", running"
        return f"EmbeddedServer({self.url!r}{state})"

    @property
    def is_running(self) -> bool:
        if self._process is not None:
            return not self._has_ended
        try:
            self._send("GET", "", None)
        except (InvalidRequest, ServerUnreachable):
            return False
        return True

    @property
    def _has_ended(self) -> bool:
        """Whether it was started here and has stopped."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Stop the server if it was started here. May be called again."""
        if self._process is None:
            return
        if self.is_running:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.terminate()
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    @contextmanager
    def drill(self, name: str, seconds: float | None = None, **options: Any) -> Iterator[None]:
        """Make the server misbehave within a `with` block. Drills may be nested; of one name, the innermost applies.

        Args:
            name: "slow", "offline", "drop_sockets", "error_500", "error_422", "html", "lost_replies", "bad_gateway",
                "half_json", "out_of_memory" or "full_queue"; see `invoke_widgets.demo_server.faults`.
            seconds: time after which the drill ends early; None for the whole block.
            **options: parameters of the drill, such as `delay=2` for "slow" or `fraction=0.3` for "lost_replies".

        Raises:
            InvalidRequest: unknown drill or option.
            ServerUnreachable: the server has stopped.
        """
        drill_id = self._send("POST", "", {"name": name, "seconds": seconds, **options})["id"]
        try:
            yield
        finally:
            with suppress(ServerUnreachable):  # the drill ended with the server
                self._send("DELETE", f"?id={drill_id}", None)

    def _send(self, method: str, query: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}/demo/drill{query}",
            method=method,
            headers={"X-Demo-Control": self._control, "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with _opener.open(request, timeout=10.0) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise InvalidRequest(f"drill: {error.read(300).decode(errors='replace')}") from None
        except (OSError, ValueError) as error:  # URLError is an OSError
            raise ServerUnreachable(
                f"The demo server at {self.url} did not accept the drill: {getattr(error, 'reason', error)}.",
                suggestion="It has stopped; iw.demo() starts another." if self._has_ended else "",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _hint(errors: str, port: int) -> str:
    if "ModuleNotFoundError" in errors:
        return 'Install its dependencies: pip install "invoke-widgets[demo]".'
    if port and any(f"[Errno {number}]" in errors for number in (errno.EADDRINUSE, errno.EACCES, 10048, 10013)):
        return f"Port {port} is not available; another server may use it. Choose another, or 0 for a free one."
    return ""
