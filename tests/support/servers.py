"""The servers that the tests run against: the embedded one, real ones of two versions, and one given by its address.

All look the same to a test: a `Server` with a `url`, a `version`, a `kind`, and `has(feature)` for what depends on the
version. The ones that the tests start can also be stopped, killed and restarted on the same port.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal

import httpx

from tests.support.real_server.install import installed

Kind = Literal["embedded", "real", "given"]

_HERE = Path(__file__).parent

# What a feature's name means, and the first version that has it. Nothing here is found out by trying.
FEATURES: dict[str, tuple[int, int, int]] = {
    "item_summaries": (6, 14, 0),  # POST item_summaries_by_ids
    "waiting": (6, 14, 0),  # the status `waiting` and its counters
    "device": (6, 14, 0),  # an item says on which device it ran
    "events_once": (6, 14, 0),  # before: two copies of each event
    "events_unsubscribed": (6, 14, 0),  # a socket that subscribed to nothing gets nearly all events
    "queue_items_canceled": (6, 14, 0),  # the event; before: pending items are canceled in bulk without one
    "queue_items_retried": (6, 14, 0),  # the event
    "bulk_counts_running": (6, 14, 0),  # cancel_by_batch_ids counts the running item; before: only the pending ones
    "cancel_checks_queue": (6, 14, 0),  # an item asked for through another queue's path is not canceled
    "retry_skips_missing": (6, 14, 0),  # before: 500
    "retry_needs_room": (6, 14, 0),  # a full queue takes no retry; before: it does
    "delete_knows_images": (6, 14, 0),  # deleting an unknown image is 404; before: 200 with an empty list
    "idle_while_paused": (6, 14, 0),  # a paused worker says when it is free; before: is_processing stays true
    "clear_beside_others": (6, 14, 0),  # clear takes one's own items; before: 403 while another's item runs
    "two_edges_one_input": (6, 14, 0),  # a graph with two edges into one input runs; before: it fails
}


class ServerError(Exception):
    """A server did not start, did not answer or did not stop; the message ends with its log."""


class Server:
    """A server that can be reached, whoever started it."""

    kind: Kind = "given"
    url: str = ""
    version: str = ""
    multiuser: bool = False
    in_doubt: bool = False
    """Whether a test failed here, so that the server may be the cause, or be left in a bad state."""

    def __repr__(self) -> str:
        return f"<{self.kind} server {self.version} at {self.url}>"

    def has(self, feature: str) -> bool:
        """Whether this server's version has a feature of the table."""
        return tuple(int(part) for part in self.version.split(".")[:3]) >= FEATURES[feature]

    @property
    def max_queue_size(self) -> int:
        """How many pending items the server takes."""
        return int(self._config()["max_queue_size"])

    def _config(self) -> dict[str, Any]:
        response = httpx.get(f"{self.url}/api/v1/app/runtime_config", timeout=10, verify=False)
        config: dict[str, Any] = response.raise_for_status().json()["config"]
        return config

    def start(self) -> None:
        """Reach the server, starting it if that is ours to do."""

    def stop(self) -> None:
        """End it, if it is ours."""


class GivenServer(Server):
    """A server somebody else started; its queue is emptied by the tests."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def start(self) -> None:
        try:
            self.version = _version(self.url, timeout=10)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise ServerError(f"no InvokeAI server at {self.url}: {error!r}") from error
        status = httpx.get(f"{self.url}/api/v1/auth/status", timeout=10, verify=False).json()
        self.multiuser = bool(status.get("multiuser_enabled"))


class StartedServer(Server):
    """A server process of our own, in a folder of its own, on a port that stays the same over restarts."""

    start_seconds: float = 60.0

    def __init__(
        self,
        *,
        multiuser: bool = False,
        max_queue_size: int = 10_000,
        root: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.multiuser = multiuser
        self._max_queue_size = max_queue_size
        self._env = env or {}
        self._given_root = root
        self.root = root
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def max_queue_size(self) -> int:
        return self._max_queue_size

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        if self._process is not None:
            return
        if self.root is None:
            self.root = Path(tempfile.mkdtemp(prefix="invoke-widgets-test-"))
        self.root.mkdir(parents=True, exist_ok=True)
        if self.port == 0:
            self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = self._command()  # may install the server, so its log is opened after it
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**_own_environment(), **self._environment(), **self._env},
                cwd=_HERE.parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self.kind == "embedded" else log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(time.monotonic() + self.start_seconds)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask the process to end, as a service manager would, and forget its folder."""
        try:
            self._end(signal.SIGTERM)
        finally:
            if self._given_root is None and self.root is not None:
                shutil.rmtree(self.root, ignore_errors=True)
                self.root = None

    def kill(self) -> None:
        """End the process at once, as a crash would; its folder stays."""
        self._end(signal.SIGKILL)

    def restart(self, *, crash: bool = False) -> None:
        """Down and up again with the same folder and port; with `crash` it has no chance to tidy up."""
        self._end(signal.SIGKILL if crash else signal.SIGTERM)
        self.start()

    def log_tail(self, lines: int = 40) -> str:
        """The end of what the process logged."""
        if self.root is None or not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _log(self) -> Path:
        assert self.root is not None
        return self.root / "server.log"

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _environment(self) -> dict[str, str]: ...

    def _wait_until_ready(self, deadline: float) -> None:
        assert self._process is not None
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self!r} ended with {self._process.returncode}\n{self.log_tail()}")
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                self.version = _version(self.url, timeout=5)
                return
            time.sleep(0.1)
        raise ServerError(f"{self!r} was not ready after {self.start_seconds:.0f} s\n{self.log_tail()}")

    def _end(self, sig: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sig)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(f"{self!r} did not end within 30 s of {sig.name}\n{self.log_tail()}") from None
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


class RealServer(StartedServer):
    """InvokeAI itself. `gc_freeze` spares the half second of garbage collection before each item."""

    kind: Kind = "real"
    start_seconds = 240.0

    def __init__(self, version: str, *, gc_freeze: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.version = version
        self._gc_freeze = gc_freeze

    def start(self) -> None:
        """Start it; once more if it ended over its own database, which two of its threads use at the start (6.13.8)."""
        try:
            super().start()
        except ServerError as error:
            if "sqlite3.OperationalError" not in str(error):
                raise
            super().start()

    def _command(self) -> list[str]:
        python = installed(self.version)
        assert self.root is not None
        shutil.copytree(_HERE / "real_server" / "nodes", self.root / "nodes", dirs_exist_ok=True)
        # -P: the launcher's own folder must not shadow what the server imports.
        return [str(python), "-P", str(_HERE / "real_server" / "launcher.py"), "--root", str(self.root)]

    def _environment(self) -> dict[str, str]:
        environment = {
            "INVOKEAI_HOST": "127.0.0.1",
            "INVOKEAI_PORT": str(self.port),
            "INVOKEAI_PATCHMATCH": "false",
            "INVOKEAI_MAX_QUEUE_SIZE": str(self._max_queue_size),
            "INVOKEAI_MULTIUSER": str(self.multiuser).lower(),
            "HF_HUB_OFFLINE": "1",
        }
        if self._gc_freeze:
            environment["PROBE_GC_FREEZE"] = "1"
        return environment

    def _wait_until_ready(self, deadline: float) -> None:
        expected = self.version
        super()._wait_until_ready(deadline)
        if self.version != expected:
            raise ServerError(f"expected InvokeAI {expected} at {self.url}, found {self.version}\n{self.log_tail()}")


class EmbeddedServer(StartedServer):
    """The server of `invoke_widgets.demo()`, in a process of its own."""

    kind: Kind = "embedded"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.control = ""

    def _command(self) -> list[str]:
        options = ["--port", str(self.port), "--root", str(self.root), "--max-queue-size", str(self._max_queue_size)]
        options += ["--multiuser"] if self.multiuser else []
        return [sys.executable, "-m", "invoke_widgets.demo_server", *options, "--exit-with-stdin"]

    def _environment(self) -> dict[str, str]:
        return {}

    def _wait_until_ready(self, deadline: float) -> None:
        """The process says on its first line where it is."""
        assert self._process is not None
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
        line = self._process.stdout.readline() if readable else b""
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            raise ServerError(f"{self!r} said nothing (exit code {self._process.poll()})\n{self.log_tail()}")
        said = json.loads(line)
        self.url, self.control = said["url"], said["control"]
        super()._wait_until_ready(deadline)


def _own_environment() -> dict[str, str]:
    """Ours, without settings meant for an InvokeAI of the person who runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("INVOKEAI_")}


def _version(url: str, timeout: float) -> str:
    response = httpx.get(f"{url}/api/v1/app/version", timeout=timeout, verify=False)
    return str(response.raise_for_status().json()["version"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
