"""The servers that the tests run against, and the fixtures that every test may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.support.real_server.install import VERSIONS
from tests.support.servers import EmbeddedServer, GivenServer, RealServer, Server, StartedServer, version_has
from tests.support.wire import Wire

_MARKERS = {
    "real": "needs the real InvokeAI server (--real)",
    "browser": "needs Chromium (--browser)",
    "slow": "takes more than a few seconds (--slow)",
    "needs": "needs features of the server, as tests.support.servers.FEATURES names them",
    "real_only": "has a twin for the embedded server, and runs on real servers only",
    "every_version": "depends on the server's version: runs on the newest two and the oldest",
    "looks": "is about the look of a page, about drills or about a test tool, and runs on the embedded server only",
}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores SIGINT in background processes, and kernels would inherit that: the tests interrupt both.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The time of an example depends on the load of the machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_unselected = pytest.StashKey[dict[str, int]]()
_given = pytest.StashKey[GivenServer]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return more processes than processors, since most tests wait; none if all share a given server."""
    if config.getoption("--server"):
        return 0
    processors = os.cpu_count() or 1
    is_heavy = any(config.getoption(name) for name in ("--browser", "--real", "--slow"))
    return processors + 1 if is_heavy else 2 * processors


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("invoke-widgets")
    group.addoption("--server", metavar="URL", help="run the tests of the contract against this server only")
    group.addoption(
        "--real",
        nargs="?",
        const="all",
        choices=["all", *VERSIONS],
        help="also run against the real InvokeAI: all versions, or one as --real=6.14.2",
    )
    group.addoption("--browser", action="store_true", help="also run the tests that need Chromium")
    group.addoption("--slow", action="store_true", help="also run the tests that take longer")
    group.addoption("--outcomes", type=Path, metavar="FILE", help="write a line with outcome and id for each test")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    path = config.getoption("--outcomes")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(OutcomeWriter(path))


class OutcomeWriter:
    """Writes outcome and id of each test, and of each setup or teardown that did not pass, for `python -m tests`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
        if report.when == "call" or outcome != "passed":
            self._file.write(f"{outcome} {report.nodeid}\n")

    def pytest_unconfigure(self) -> None:
        self._file.close()


def _parameters(config: pytest.Config, known: tuple[str, ...]) -> list[object]:
    """Return the servers of this run as parameters."""
    if config.getoption("--server"):
        return [pytest.param("given", id="given")]
    real = config.getoption("--real")
    versions = [version for version in known if real in ("all", version)]
    marks = [pytest.mark.real, pytest.mark.timeout(400)]  # the first test includes an installation
    return ["embedded", *(pytest.param(version, id=f"real-{version}", marks=marks) for version in versions)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Most of what happens above the client hardly depends on the server's version: the newest real one is enough.
    # What depends on it is tested with the contract on each, and above the client on the newest two and the oldest; so
    # are restarts, as a server takes half a minute to start.
    is_contract = ".contract." in metafunc.module.__name__
    is_sensitive = is_contract or metafunc.definition.get_closest_marker("every_version") is not None
    is_on_each = is_contract and "own_server" not in metafunc.fixturenames
    known = VERSIONS if is_on_each else (*VERSIONS[:2], VERSIONS[-1]) if is_sensitive else VERSIONS[:1]
    # In the browser, from a click to a real server's answer; the rest of it is about the page.
    module = metafunc.module.__name__
    is_page = ".browser." in module and not module.endswith(("test_dashboard", "test_workflow"))
    if is_page or metafunc.definition.get_closest_marker("looks"):
        known = ()
    for name in ("server", "multiuser_server"):
        if name in metafunc.fixturenames:
            servers = _parameters(metafunc.config, known)
            metafunc.parametrize(name, servers, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that were not asked for, and count them."""
    left_out: list[pytest.Item] = []
    counts: dict[str, int] = {}
    for name, asked in (
        ("browser", config.getoption("--browser")),
        ("slow", config.getoption("--slow")),
        ("real", config.getoption("--real")),
    ):
        if not asked:
            of_this = [item for item in items if item.get_closest_marker(name) and item not in left_out]
            counts[name] = len(of_this)
            left_out += of_this
    if config.getoption("--server"):
        names = {"own_server", "multiuser_server"}
        of_this = [item for item in items if names & set(getattr(item, "fixturenames", ())) and item not in left_out]
        counts["own server"] = len(of_this)
        left_out += of_this
    for item in items:
        if item not in left_out and (reason := _why_not(item)):
            counts[reason] = counts.get(reason, 0) + 1
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    config.stash[_unselected] = {name: count for name, count in counts.items() if count}


def _why_not(item: pytest.Item) -> str:
    """Return why a test cannot run on the version of its server; empty if it can."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    name = next((name for name in ("server", "multiuser_server", "version") if name in parameters), "")
    if not item.get_closest_marker("real") and name not in ("server", "multiuser_server"):
        return ""
    if item.get_closest_marker("real_only") and parameters[name] == "embedded":
        return "the embedded server has a test of its own"
    version = _version_of(parameters[name], item.config) if name else VERSIONS[0]
    if item.get_closest_marker("real") and item.config.getoption("--real") not in ("all", version):
        return f"they need InvokeAI {version}"
    features = [feature for marker in item.iter_markers("needs") for feature in marker.args]
    missing = [f for f in (*features, *["multiuser"] * (name == "multiuser_server")) if not version_has(version, f)]
    return f"InvokeAI {version} has no {missing[0]}" if missing else ""


def _version_of(server: str, config: pytest.Config) -> str:
    if server == "embedded":
        return VERSIONS[0]
    if server != "given":
        return server
    if _given not in config.stash:
        config.stash[_given] = GivenServer(config.getoption("--server"))
        config.stash[_given].start()
    return config.stash[_given].version


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass the counts of an xdist worker to the controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["unselected"] = session.config.stash.get(_unselected, {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and isinstance(server, Server):
        server.in_doubt = True
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_unselected] = getattr(node, "workeroutput", {}).get("unselected", {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, count in config.stash.get(_unselected, {}).items():
        remedies = {name: f"add --{name}, or run python -m tests" for name in ("browser", "slow", "real")}
        remedies["own server"] = "run without --server"
        what = f" {name}" if name in remedies else ""
        terminalreporter.write_line(f"{count}{what} tests were left out: {remedies.get(name, name)}")


def _embedded(*, multiuser: bool = False) -> EmbeddedServer:
    return EmbeddedServer(multiuser=multiuser, max_queue_size=1_000)


def _make(name: str, config: pytest.Config, *, multiuser: bool = False) -> Server:
    if name == "given":
        return GivenServer(config.getoption("--server"))
    if name == "embedded":
        return _embedded(multiuser=multiuser)
    return RealServer(name, multiuser=multiuser, max_queue_size=1_000)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """The embedded server of this process, shared because starting one takes longer than most tests."""
    running = _embedded()
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server in single-user mode (or the given one), shared by all tests of a version."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_server")
        return
    running = _make(request.param, request.config)
    running.start()
    yield running
    if running.kind == "given":
        with Wire(running) as wire:
            wire.clean()
    running.stop()


@pytest.fixture(scope="session")
def multiuser_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running server in multiuser mode, at first without an administrator."""
    running = _make(request.param, request.config, multiuser=True)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """Raw requests to a server with an empty queue, a running processor and a free worker."""
    with Wire(server) as wire:
        if server.in_doubt and isinstance(server, StartedServer):
            _repair(server, wire)
        wire.clean()
        yield wire


def _repair(server: StartedServer, wire: Wire) -> None:
    """Restart a server whose worker died, as can happen up to 6.13, so that one failure does not cause others."""
    server.in_doubt = False
    try:
        wire.clean()
        works = wire.is_working()
    except (AssertionError, httpx.HTTPError):
        works = False
    if not works:
        server.restart(crash=True)
