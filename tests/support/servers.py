"""The servers that the tests run against: the embedded one, versions of the real one, or one given by its address.

All share an interface: `url`, `version`, `kind`, and `has(feature)` for differences between versions. Servers started
by the tests can also be stopped, killed and restarted on the same port.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
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
from typing import Any, Literal, NamedTuple

import httpx

from tests.support.real_server.install import installed

Kind = Literal["embedded", "real", "given"]

_HERE = Path(__file__).parent


class Feature(NamedTuple):
    """The versions that have a feature: from `since` on, and before `until` if it was lost again."""

    since: tuple[int, int]
    until: tuple[int, int] = (99, 0)


# The borders between the versions, so that tests never probe a server.
FEATURES: dict[str, Feature] = {
    "lists_pages": Feature((6, 0), (6, 7)),  # GET list with a limit
    "item_ids": Feature((6, 7)),  # GET item_ids, POST items_by_ids; before: only list and list_all
    "get_checks_queue": Feature((6, 7)),  # an item asked for through another queue's path is an error
    "bare_version": Feature((6, 9)),  # app/version is one text; before: beside "highlights"
    "multiuser": Feature((6, 12)),  # the mode, its routes, and `user_id`
    "web_page_for_unknown": Feature((6, 12)),  # a GET of an unknown path is the web interface; before: 404
    "cancel_loads_first": Feature((6, 12)),  # before, an item that cannot be loaded is canceled, and the answer is 500
    "delete_checks_id": Feature((6, 12)),  # deleting an unknown item is 404; before: 200
    "collects_in_order": Feature((6, 12)),  # what an iterator's nodes put out is collected in its order
    "status_sequence": Feature((6, 13)),  # in items and events
    "redacts_ids": Feature((6, 13)),  # batch and user of another user's item
    "refreshes_token": Feature((6, 13)),  # the answer to a change has a new token
    "sockets_need_token": Feature((6, 13)),  # in multiuser mode
    "image_records": Feature((6, 13)),  # a missing image is a missing record; before: a missing file
    "events_twice": Feature((6, 13), (6, 14)),  # two copies of each event
    "item_summaries": Feature((6, 14)),  # POST item_summaries_by_ids
    "waiting": Feature((6, 14)),  # the status `waiting` and its counters
    "device": Feature((6, 14)),  # an item says on which device it ran
    "events_unsubscribed": Feature((6, 14)),  # a socket that subscribed to nothing gets nearly all events
    "queue_items_canceled": Feature((6, 14)),  # the event; before: pending items are canceled in bulk without one
    "queue_items_retried": Feature((6, 14)),  # the event
    "bulk_counts_running": Feature((6, 14)),  # cancel_by_batch_ids counts the running item; before: only pending ones
    "cancel_checks_queue": Feature((6, 14)),  # an item asked for through another queue's path is not canceled
    "retry_skips_missing": Feature((6, 14)),  # before: 500
    "retry_needs_room": Feature((6, 14)),  # a full queue takes no retry; before: it does
    "delete_knows_images": Feature((6, 14)),  # deleting an unknown image is 404; before: 200 with an empty list
    "idle_while_paused": Feature((6, 14)),  # a paused worker says when it is free; before: is_processing stays true
    "clear_beside_others": Feature((6, 14)),  # clear takes one's own items; before: 403 while another's item runs
    "two_edges_one_input": Feature((6, 14)),  # a graph with two edges into one input runs; before: it fails
}


def version_has(version: str, feature: str) -> bool:
    """Return whether a version has a feature of `FEATURES`."""
    since, until = FEATURES[feature]
    return since <= tuple(int(part) for part in version.split(".")[:2]) < until


class ServerError(Exception):
    """A server did not start, answer or stop; the message ends with its log."""


class Server:
    """A running server."""

    kind: Kind = "given"
    url: str = ""
    version: str = ""
    multiuser: bool = False
    in_doubt: bool = False
    """Whether a test failed on this server, so that it may be in a bad state."""

    def __repr__(self) -> str:
        return f"<{self.kind} server {self.version} at {self.url}>"

    def has(self, feature: str) -> bool:
        """Return whether this version has a feature of `FEATURES`."""
        return version_has(self.version, feature)

    @property
    def max_queue_size(self) -> int:
        """The maximum number of pending items."""
        return int(self._config()["max_queue_size"])

    def _config(self) -> dict[str, Any]:
        response = httpx.get(f"{self.url}/api/v1/app/runtime_config", timeout=10, verify=False)
        config: dict[str, Any] = response.raise_for_status().json()["config"]
        return config

    def start(self) -> None:
        """Start the server, or check that it is there."""

    def stop(self) -> None:
        """Stop the server if the tests started it."""


class GivenServer(Server):
    """A server that was running before; the tests empty its queue."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def start(self) -> None:
        try:
            self.version = _version(self.url, timeout=10)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise ServerError(f"no InvokeAI server at {self.url}: {error!r}") from error
        if self.has("multiuser"):
            status = httpx.get(f"{self.url}/api/v1/auth/status", timeout=10, verify=False).json()
            self.multiuser = bool(status.get("multiuser_enabled"))


class StartedServer(Server):
    """A server process with its own folder and port, which it keeps across restarts."""

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
            self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = self._command()
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
        """Terminate the process, and delete its folder unless one was given."""
        try:
            self._stop_process(signal.SIGTERM)
        finally:
            if self._given_root is None and self.root is not None:
                shutil.rmtree(self.root, ignore_errors=True)
                self.root = None

    def kill(self) -> None:
        """Kill the process; its folder stays."""
        self._stop_process(signal.SIGKILL)

    def restart(self, *, crash: bool = False) -> None:
        """Stop and start again with the same folder and port; with `crash` the process is killed."""
        self._stop_process(signal.SIGKILL if crash else signal.SIGTERM)
        self.start()

    def log_tail(self) -> str:
        """Return the end of the process's log."""
        if self.root is None or not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-40:])

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
                raise ServerError(f"{self!r} exited with {self._process.returncode}\n{self.log_tail()}")
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                self.version = _version(self.url, timeout=5)
                return
            time.sleep(0.1)
        raise ServerError(f"{self!r} was not ready after {self.start_seconds:.0f} s\n{self.log_tail()}")

    def _stop_process(self, sig: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(sig)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(f"{self!r} did not stop within 30 s of {sig.name}\n{self.log_tail()}") from None
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


class RealServer(StartedServer):
    """InvokeAI itself. `gc_freeze` avoids half a second of garbage collection before each item."""

    kind: Kind = "real"
    start_seconds = 240.0

    def __init__(self, version: str, *, gc_freeze: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.version = version
        self._gc_freeze = gc_freeze

    def start(self) -> None:
        """Start it, trying again if two of its threads collided in its database (6.13.8)."""
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
        """The first line of output has the address."""
        assert self._process is not None
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], deadline - time.monotonic())
        line = self._process.stdout.readline() if readable else b""
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            raise ServerError(f"{self!r} printed nothing (exit code {self._process.poll()})\n{self.log_tail()}")
        ready = json.loads(line)
        self.url, self.control = ready["url"], ready["control"]
        super()._wait_until_ready(deadline)


def _own_environment() -> dict[str, str]:
    """Return this environment without the settings of the user's own InvokeAI."""
    return {name: value for name, value in os.environ.items() if not name.startswith("INVOKEAI_")}


def _version(url: str, timeout: float) -> str:
    response = httpx.get(f"{url}/api/v1/app/version", timeout=timeout, verify=False)
    return str(response.raise_for_status().json()["version"])


def free_port() -> int:
    """Return a free port below those that systems hand out: a server may take 20 s before it listens on it."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)  # not `random`, which hypothesis seeds
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
