"""The command `invoke-widgets`, and the notebooks that it opens."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import invoke_widgets as iw
from invoke_widgets import __version__, cli, doctor
from tests.contract.people import ADMIN, USER, login
from tests.support.graphs import fail
from tests.support.servers import EmbeddedServer, Server
from tests.support.wire import Wire

_NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
_NOWHERE = "http://127.0.0.1:1"
_FAILING = {
    "cells": [
        {"cell_type": "code", "id": "a", "source": "1 / 0", "metadata": {}, "outputs": [], "execution_count": None}
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: its exit code, its output, its error output."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def token(multiuser_server: Server) -> str:
    """The administrator's token."""
    with Wire(multiuser_server) as nobody:
        if nobody.get("/auth/status")["setup_required"]:
            nobody.post("/auth/setup", {**ADMIN, "display_name": "Admin"})
            with Wire(multiuser_server, token=login(nobody, ADMIN)) as admin:
                admin.post("/auth/users", {**USER, "display_name": "User", "is_admin": False})
        return login(nobody, ADMIN)


def findings(output: str) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(output)["findings"]}


def test_version_is_that_of_the_package() -> None:
    """The installed command and the package agree."""
    command = [sys.executable, "-m", "invoke_widgets.cli", "--version"]
    assert f"invoke-widgets {__version__}\n" == subprocess.run(command, capture_output=True, text=True).stdout


def test_doctor_finds_a_healthy_server_usable(run: Run, wire: Wire) -> None:
    """One screen of text, and exit code 0."""
    code, output, _ = run("doctor", wire.server.url)
    assert (0, "Usable.") == (code, output.splitlines()[-1])
    assert f"InvokeAI {wire.server.version}" in output
    assert 25 > len(output.splitlines())


def test_doctor_reports_as_json(run: Run, wire: Wire) -> None:
    """Version, access, events and queue."""
    wire.run()
    code, output, _ = run("doctor", wire.server.url, "--json")
    found = findings(output)
    assert (0, True) == (code, json.loads(output)["usable"])
    assert {"version": wire.server.version} == found["server"]["data"]
    assert {"multiuser": False, "token": False} == found["access"]["data"]
    assert {"mode": "live"} == found["events"]["data"]
    assert (1, False, False) == tuple(found["queue"]["data"][name] for name in ("completed", "paused", "wedged"))


def test_doctor_warns_of_a_paused_queue(run: Run, wire: Wire) -> None:
    """The queue is usable, and the remedy resumes it."""
    with wire.paused():
        code, output, _ = run("doctor", wire.server.url, "--json")
    assert (0, "warning", "console.resume()") == (
        code,
        findings(output)["queue"]["level"],
        findings(output)["queue"]["remedy"],
    )


@pytest.mark.slow
def test_doctor_finds_a_stuck_queue(run: Run, wire: Wire) -> None:
    """An item that cannot be loaded is named by its batch, with the remedy; up to 6.13 only the item is known."""
    batch_id = str(uuid4())
    poison = wire.enqueue(data=[[{"node_path": "add", "field_name": "a", "items": ["x"]}]], batch_id=batch_id)
    code, output, _ = run("doctor", wire.server.url)
    wire.put("clear")
    known = wire.server.has("item_summaries")
    culprit = f"batch {batch_id}" if known else f"item {poison['item_ids'][0]}"
    assert 1 == code
    assert re.search(f"problem +queue +stuck on {culprit}", output)
    assert ("console.unwedge()" if known else "console.cancel_pending()") in output


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "not an address", "ftp://127.0.0.1"])
def test_doctor_says_why_a_server_is_not_usable(run: Run, url: str) -> None:
    """Exit code 1, the cause, and the rest of the report."""
    code, output, _ = run("doctor", url)
    assert (1, "Not usable: see the problems above.") == (code, output.splitlines()[-1])
    assert re.search("problem +server", output)
    assert re.search("kernel +ipykernel", output)


def test_doctor_asks_for_a_token_of_a_multiuser_server(
    run: Run, multiuser_server: Server, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one it says how to set it; with one the server is usable."""
    monkeypatch.delenv("INVOKEAI_TOKEN", raising=False)
    without, output, _ = run("doctor", multiuser_server.url)
    monkeypatch.setenv("INVOKEAI_TOKEN", token)
    given, _, _ = run("doctor", multiuser_server.url)
    assert (1, 0) == (without, given)
    assert "Set INVOKEAI_TOKEN" in output


def test_doctor_says_that_a_token_is_refused(
    run: Run, multiuser_server: Server, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a problem of access, and the queue is not asked."""
    monkeypatch.setenv("INVOKEAI_TOKEN", f"{token[:-4]}AAAA")
    code, output, _ = run("doctor", multiuser_server.url, "--json")
    found = findings(output)
    assert (1, "problem", False) == (code, found["access"]["level"], "queue" in found)
    assert "refuses the token" in found["access"]["message"]


def test_doctor_asks_for_the_setup_of_a_new_multiuser_server(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can have a token before there is an administrator."""
    monkeypatch.delenv("INVOKEAI_TOKEN", raising=False)
    server = EmbeddedServer(multiuser=True)
    server.start()
    try:
        code, output, _ = run("doctor", server.url)
    finally:
        server.stop()
    assert (1, True) == (code, f"Open {server.url} in a browser and create the administrator" in output)


@pytest.mark.parametrize("length", [1, 100_000])
def test_doctor_ends_quietly_when_its_reader_has_gone(length: int) -> None:
    """As with `| head`: whether the report is written at once or at the exit."""
    read, write = os.pipe()
    os.close(read)
    url = f"http://127.0.0.1:1/{'x' * length}"
    command = [sys.executable, "-m", "invoke_widgets.cli", "doctor", url]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (141, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("given", ["--json", None])
def test_doctor_never_shows_a_token(
    run: Run, multiuser_server: Server, token: str, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """Neither a valid nor an invalid one, nor a password in the address."""
    address = multiuser_server.url.replace("//", "//someone:pa55word@")
    output = ""
    for secret in (token, f"{token[:-4]}AAAA"):
        monkeypatch.setenv("INVOKEAI_TOKEN", secret)
        output += "".join(map(str, run("doctor", address, *([given] if given else []))))
    assert (False, False) == (token[:-4] in output, "pa55word" in output)


@pytest.mark.parametrize(
    ("version", "level", "output"),
    [
        ("", "warning", "not installed"),
        ("6.31.0", "ok", "between cells"),
        ("7.0.1", "warning", "7.0.1"),
        ("7.3.0", "ok", "between cells, while a cell awaits, while a cell computes"),
        ("7.4.0", "ok", "between cells, while a cell awaits"),
    ],
)
def test_doctor_knows_when_buttons_work(monkeypatch: pytest.MonkeyPatch, version: str, level: str, output: str) -> None:
    """That depends on ipykernel, and one version is unusable."""

    def installed(name: str) -> str:
        if not version:
            raise metadata.PackageNotFoundError
        return version

    monkeypatch.setattr(metadata, "version", installed)
    (finding,) = [one for one in doctor.examine(_NOWHERE).findings if one.name == "kernel"]
    assert level == finding.level
    assert finding.message.endswith(output)


def test_doctor_warns_of_nest_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """nest_asyncio 1.6.0 is active in this process."""
    monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    monkeypatch.delattr(asyncio, "_nest_asyncio2", raising=False)
    found = [one.message for one in doctor.examine(_NOWHERE).findings if one.name == "loop"]
    assert ["nest_asyncio is active in this process"] == found


def test_demo_without_its_extra_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterLab is missing."""
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    code, _, error = run("demo")
    assert (1, 1) == (code, len(error.splitlines()))
    assert 'pip install "invoke-widgets[demo]"' in error


def test_find_notebook_finds_the_notebooks() -> None:
    """For another name the error lists them."""
    assert {"quickstart.ipynb", "errors.ipynb", "recipes.ipynb", "workflows.ipynb"} == {
        path.name for path in cli.find_notebook("quickstart.ipynb").parent.glob("*.ipynb")
    }
    assert "errors.ipynb" == cli.find_notebook("errors").name
    with pytest.raises(cli.CommandError, match=r"'nothing\.ipynb'\. Choose one of errors\.ipynb, quick"):
        cli.find_notebook("nothing.ipynb")


@pytest.mark.slow
def test_demo_check_runs_the_quickstart() -> None:
    """With a server of its own, and without opening it."""
    command = [sys.executable, "-m", "invoke_widgets.cli", "demo", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (0, "") == (done.returncode, done.stderr)
    assert re.fullmatch(r"quickstart\.ipynb ran in [0-9.]+ s\.\n", done.stdout)


@pytest.mark.slow
@pytest.mark.real_only  # a demo server: below
@pytest.mark.parametrize("notebook", _NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_on_every_server(wire: Wire, notebook: Path) -> None:
    """All cells succeed on the server that INVOKE_WIDGETS_URL names, and leave the jobs of others as they are."""
    others = {wire.run(fail())["item_id"]: "failed", wire.run()["item_id"]: "completed"}
    assert (0, "") == _check(notebook, {"INVOKE_WIDGETS_URL": wire.server.url})
    assert others == {item_id: wire.item(item_id)["status"] for item_id in others}
    assert not others.keys() & _retried(wire)


def _retried(wire: Wire) -> set[int]:
    """The items that were retried by one that is in the queue."""
    return {wire.item(item_id).get("retried_from_item_id") for item_id in wire.item_ids()}


@pytest.mark.slow
@pytest.mark.looks  # InvokeAI has no drills
def test_errors_notebook_has_its_drill_on_a_server_that_it_did_not_start(wire: Wire) -> None:
    """As with `invoke-widgets demo`: jobs run out of memory, and their retries succeed; those of others are left."""
    other = wire.run(fail())["item_id"]
    with iw.connect(wire.server.url) as console:
        [notebook] = (path for path in _NOTEBOOKS if path.stem == "errors")
        assert (0, "") == _check(notebook, {"INVOKE_WIDGETS_URL": wire.server.url})
        jobs = console.jobs.frame().sort_values("item_id")
    # After the sweep: two without an image, two without memory, and the retry of each in the same order.
    statuses = jobs["status"].tolist()[21:29]
    assert ["failed"] * 6 + ["completed"] * 2 == statuses
    assert other not in set(jobs["retried_from_item_id"])


@pytest.mark.slow
@pytest.mark.parametrize("notebook", _NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_show_what_a_run_shows(notebook: Path) -> None:
    """Each starts a demo server of its own; its saved outputs are of the same kinds as those of the run."""
    command = [sys.executable, "-m", "tests.support.notebooks", "--compare", notebook.stem]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_check_reports_a_failing_notebook_in_one_line(tmp_path: Path) -> None:
    """With the error's type and message."""
    notebook = tmp_path / "failing.ipynb"
    notebook.write_text(json.dumps(_FAILING))
    expected = "failing.ipynb failed: ZeroDivisionError: division by zero\n"
    assert (1, expected) == _check(notebook, {})


def _check(notebook: Path, environment: dict[str, str]) -> tuple[int, str]:
    """The check's exit code and error output, from a process of its own, since nbclient leaves sockets open."""
    program = (
        "import os, pathlib, sys; from invoke_widgets import cli\n"
        "try: cli.run_notebook(pathlib.Path(sys.argv[1]), os.environ)\n"
        "except cli.CommandError as error: sys.exit(str(error))"
    )
    command = [sys.executable, "-c", program, str(notebook)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_stops_everything_it_started(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM stop the server and JupyterLab, and leave nothing behind."""
    log = tmp_path / "log"
    environment = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with log.open("wb") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "invoke_widgets.cli", "demo", "--no-browser"],
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 90
        while "/lab/tree/quickstart.ipynb" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        if number == signal.SIGINT:
            os.killpg(demo.pid, number)  # as a terminal does
        else:
            demo.send_signal(number)
        code = demo.wait(60)
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
    assert (0, []) == (code, list(tmp_path.glob("invoke-widgets-*")))
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)


@pytest.mark.parametrize("path", _NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_clean(path: Path) -> None:
    """No widget that needs its kernel, no execution count, no path of a machine."""
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    kinds = {kind for cell in cells for output in cell["outputs"] for kind in output.get("data", ())}
    assert {"image/png", "text/html", "text/plain"} >= kinds
    assert {None} == {cell["execution_count"] for cell in cells}
    assert [] == re.findall(r"/(?:home|Users|root|tmp)/", path.read_text())
